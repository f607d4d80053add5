"""Trains on mixed pictures by several devices: `python -m tests.recipes.mixing DEVICES`.

The pictures have one gray level each, which is their target, and the model's answer is the mean of
its picture: the loss is 0 where each picture is mixed with the one that its target is mixed with.
"""

import sys

import keras
import numpy as np

from tests.recipes.processes import split_processor


def main(devices):
    split_processor(int(devices))
    from recipes.augmentation import Augmentation
    from recipes.images.augment import draw
    from recipes.images.pipeline import Batches
    from recipes.images.varying import behind_variation
    from recipes.transfer import parallel

    settings = Augmentation(mixup=1.0)
    levels = np.arange(10, dtype="uint8") * 20
    pixels = np.broadcast_to(levels[:, None, None, None], (10, 8, 8, 3)).copy()
    with parallel.scope("data_parallel") as shared:
        pictures = keras.Input((8, 8, 3))
        mean = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(1 / 3))
        answer = mean(keras.layers.GlobalAveragePooling2D()(pictures))
        model = behind_variation(keras.Model(pictures, answer), draw(settings, [0], (8, 8)))
        model.compile(keras.optimizers.SGD(0.0), "mse")
        batches = Batches(
            pixels, levels[:, None].astype("float32"), batch_size=4, shuffle=True, passes=3,
            devices=shared.count, augmentation=settings,
        )  # fmt: skip
        history = model.fit(batches, epochs=2, shuffle=False, verbose=0).history
    print(shared.count, max(history["loss"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
