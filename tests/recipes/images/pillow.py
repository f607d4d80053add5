"""What Pillow makes of pictures, picture by picture: the reference for what the device does."""

import math

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from recipes.images.operations import ANGLE, BITS, FACTOR, OPERATIONS, SHEAR, TRANSLATION


def augment(picture, rng, augmentation):
    """One affine map, then brightness and contrast, with every number drawn by itself."""
    height, width = picture.shape[:2]
    angle = math.radians(rng.uniform(-augmentation.rotation, augmentation.rotation))
    scale = 1 / (1 + rng.uniform(-augmentation.zoom, augmentation.zoom))
    mirror = -1 if rng.random() < 0.5 and augmentation.flip else 1
    right, down = rng.uniform(-augmentation.shift, augmentation.shift, 2) * (width, height)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    matrix = ((mirror * cosine, -mirror * sine), (sine, cosine))
    x, y = width / 2, height / 2
    coefficients = []
    for (a, b), centre, shift in zip(matrix, (x, y), (right, down), strict=True):
        coefficients += [a, b, centre + shift - a * x - b * y]
    result = transformed(picture, coefficients)
    for enhancer, limit in (
        (ImageEnhance.Brightness, augmentation.brightness),
        (ImageEnhance.Contrast, augmentation.contrast),
    ):
        result = enhancer(result).enhance(1 + rng.uniform(-limit, limit))
    return np.asarray(result)


def transformed(picture, coefficients):
    """Pillow's bilinear affine map; what comes from outside has the mean color."""
    return Image.fromarray(picture).transform(
        (picture.shape[1], picture.shape[0]),
        Image.Transform.AFFINE,
        list(coefficients),
        Image.Resampling.BILINEAR,
        fillcolor=tuple(int(value) for value in picture.mean(axis=(0, 1))),
    )


def operated(picture, name, sign, magnitude):
    """An operation of RandAugment by Pillow, as torchvision has it for pictures of Pillow."""
    image, factor = Image.fromarray(picture), 1 + sign * FACTOR * magnitude
    height, width = picture.shape[:2]
    tones = {
        "identity": lambda: image,
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "solarize": lambda: ImageOps.solarize(image, 255 * (1 - magnitude)),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(BITS * magnitude)),
        "brightness": lambda: ImageEnhance.Brightness(image).enhance(factor),
        "contrast": lambda: ImageEnhance.Contrast(image).enhance(factor),
        "color": lambda: ImageEnhance.Color(image).enhance(factor),
        "sharpness": lambda: ImageEnhance.Sharpness(image).enhance(factor),
    }
    if name in tones:
        return np.asarray(tones[name]())
    by, x, y = sign * magnitude, width / 2, height / 2
    cosine, sine = math.cos(math.radians(by * ANGLE)), math.sin(math.radians(by * ANGLE))
    maps = {
        "rotate": (
            cosine,
            -sine,
            x - cosine * x + sine * y,
            sine,
            cosine,
            y - sine * x - cosine * y,
        ),
        "shear_x": (1, by * SHEAR, -by * SHEAR * y, 0, 1, 0),
        "shear_y": (1, 0, 0, by * SHEAR, 1, -by * SHEAR * x),
        "translate_x": (1, 0, by * TRANSLATION * width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, by * TRANSLATION * height),
    }
    return np.asarray(transformed(picture, maps[name]))


def chance_of(name, sign):
    """The two numbers that an operation is drawn by."""
    return [(OPERATIONS.index(name) + 0.5) / len(OPERATIONS), 0.25 if sign < 0 else 0.75]
