"""Changes pictures on the device by what `recipes.images.augment` has drawn.

All of it is of `keras.ops`, a whole batch at a time, in pieces that are compiled: on TensorFlow by
XLA, on a CPU too, where the bilinear map takes a third of the time of
`keras.ops.image.affine_transform`, and of Pillow's.
"""

from collections.abc import Mapping
from typing import final

import keras
from keras import ops

from recipes.images.operations import GRAY, blended, toned
from recipes.keras_setup import apart
from recipes.saving import PACKAGE


def vary(given: Mapping):
    """Changed pictures: one affine map, brightness and contrast, then the stronger kinds.

    Args:
        given: "pictures", uint8, (n, H, W, 3); and what of `augment.draw` is wanted.

    Returns:
        float32, (n, H, W, 3), 0 to 255. What the map brings in from outside has the mean color, as
        has what is erased.
    """
    pictures = given["pictures"]
    mean = mean_color(pictures)
    varied = ops.cast(pictures, "float32")
    if "map" in given:
        varied = mapped(pictures, given["map"], mean)
    if "light" in given:
        varied = lit(varied, given["light"])
    if "blends" in given:
        varied = toned(blended(varied, given["blends"]), given["kinds"], given["strengths"])
    if "erased" in given:
        varied = ops.where(inside(given["erased"], varied), mean, varied)
    if "partner" in given:
        varied = mixed(varied, given["partner"], given["share"], given["pasted"])
    return varied


@apart
def mean_color(pictures):
    """The mean of each channel as a whole number, (n, 1, 1, channels)."""
    rows = ops.mean(ops.cast(pictures, "float32"), axis=2, keepdims=True)
    return ops.floor(ops.mean(rows, axis=1, keepdims=True))


@apart
def mixed(pictures, partners, shares, boxes):
    """Pictures blended with others, and with rectangles of others in them.

    Args:
        pictures: float32, (n, H, W, 3).
        partners: how many rows further each one's other is, (n,).
        shares: of a picture itself in the blend, (n,).
        boxes: where the other one is seen alone, as for `inside`.
    """
    count = ops.shape(pictures)[0]
    others = ops.take(pictures, (ops.arange(count) + partners) % count, axis=0)
    shares = ops.reshape(shares, (-1, 1, 1, 1))
    blend = others + shares * (pictures - others)
    return ops.where(inside(boxes, pictures), others, blend)


@apart
def mapped(pictures, coefficients, outside):
    """The bilinear affine map of Pillow's `Image.transform`, which cuts fractions off.

    A point within the picture but beyond the middles of its outermost pixels has their color.

    Args:
        pictures: (n, H, W, channels).
        coefficients: (n, 6): the pixel (x, y) of the output shows what lies in the input at
            (a·(x + ½) + b·(y + ½) + c, d·(x + ½) + e·(y + ½) + f).
        outside: the color of what lies outside of the picture, (n, 1, 1, channels).
    """
    height, width, channels = pictures.shape[1:]
    a, b, c, d, e, f = (ops.reshape(coefficients[:, i], (-1, 1, 1)) for i in range(6))
    across = ops.arange(width, dtype="float32") + 0.5
    down = ops.reshape(ops.arange(height, dtype="float32") + 0.5, (-1, 1))
    x, y = a * across + b * down + c, d * across + e * down + f
    there = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    left, top = ops.floor(x - 0.5), ops.floor(y - 0.5)
    right_share = ops.expand_dims(x - 0.5 - left, -1)
    lower_share = ops.expand_dims(y - 0.5 - top, -1)
    pixels = ops.reshape(pictures, (-1, channels))
    first = ops.arange(ops.shape(pictures)[0], dtype="int32") * (height * width)
    first = ops.reshape(first, (-1, 1, 1))

    def at(row, column):
        row = ops.cast(ops.clip(row, 0, height - 1), "int32")
        column = ops.cast(ops.clip(column, 0, width - 1), "int32")
        return ops.cast(ops.take(pixels, first + row * width + column, axis=0), "float32")

    upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share
    lower = at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share
    found = upper * (1 - lower_share) + lower * lower_share
    return ops.where(ops.expand_dims(there, -1), found, outside)


@apart
def lit(pictures, factors):
    """Brightness, then contrast about the mean gray, as Pillow's `ImageEnhance` has them.

    Fractions stay, which Pillow cuts off, so that its pictures get darker by half a level a step.

    Args:
        pictures: float32, (n, H, W, 3), 0 to 255.
        factors: (n, 2); 1 changes nothing.
    """
    brightness, contrast = (ops.reshape(factors[:, place], (-1, 1, 1, 1)) for place in (0, 1))
    pictures = ops.clip(pictures * brightness, 0, 255)
    means = ops.mean(pictures, axis=(1, 2), keepdims=True)
    gray = ops.sum(means * ops.convert_to_tensor(GRAY, "float32"), axis=-1, keepdims=True)
    gray = ops.floor(gray + 0.5)
    return ops.clip(gray + (pictures - gray) * contrast, 0, 255)


def inside(boxes, pictures):
    """Which pixels lie in a rectangle, (n, H, W, 1).

    Args:
        boxes: top, left, bottom, right of each picture, (n, 4); bottom and right are outside.
        pictures: (n, H, W, channels).
    """
    height, width = pictures.shape[1:3]
    top, left, bottom, right = (ops.reshape(boxes[:, i], (-1, 1, 1, 1)) for i in range(4))
    down = ops.reshape(ops.arange(height, dtype="int32"), (-1, 1, 1))
    across = ops.reshape(ops.arange(width, dtype="int32"), (-1, 1))
    return (down >= top) & (down < bottom) & (across >= left) & (across < right)


@final
@keras.saving.register_keras_serializable(PACKAGE)
class Vary(keras.layers.Layer):
    """`vary` as a layer, in float32 whatever the policy.

    Args:
        rows: pictures in a batch, so that a smaller one need not be compiled for by itself.
    """

    def __init__(self, rows: int | None = None, **options):
        super().__init__(**{"dtype": "float32", **options})
        self.rows = rows

    def call(self, inputs):
        """Changed pictures."""
        if self.rows is None or inputs["pictures"].shape[0] is not None:
            return vary(inputs)
        count = ops.shape(inputs["pictures"])[0]
        filled = ops.minimum(ops.arange(self.rows), count - 1)
        whole = {name: ops.take(values, filled, axis=0) for name, values in inputs.items()}
        return vary(whole)[:count]

    def compute_output_shape(self, input_shape):
        """That of the pictures."""
        return input_shape["pictures"]

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "rows": self.rows}


def behind_variation(model: keras.Model, drawn: Mapping, rows: int | None = None) -> keras.Model:
    """A model that takes pictures with what is drawn for each, and has another one's variables.

    Args:
        model: pictures to outputs.
        drawn: what `augment.draw` gives of any pictures.
        rows: pictures in a batch, where one device has it all.
    """
    shape = model.input_shape[1:]
    inputs = {"pictures": keras.Input(shape, dtype="uint8", name="pictures")}
    for name, values in drawn.items():
        inputs[name] = keras.Input(values.shape[1:], dtype=str(values.dtype), name=name)
    return keras.Model(inputs, model(Vary(rows)(inputs)), name=f"{model.name}_varied")
