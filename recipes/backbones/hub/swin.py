"""Swin's stages in operations that every exporter understands; the layers are KerasHub's."""

import keras
import numpy as np
from keras import layers, ops


class WindowStage(layers.Layer):
    """A stage of Swin: the same answers, with masks that are computed once.

    KerasHub computes the mask of shifted windows in every call, by an operation that is XLA's own.

    Args:
        stage: of KerasHub; it was called before.
    """

    def __init__(self, stage: keras.Layer, **options):
        super().__init__(**options)
        self.stage = stage
        self.masks = [shift_mask(block) for block in stage.blocks]
        self.built = True

    def call(self, inputs):
        """The stage's tokens."""
        for block, mask in zip(self.stage.blocks, self.masks, strict=True):
            inputs = _attended(block, inputs, mask)
        if self.stage.downsample is None:
            return inputs
        height, width = self.stage.input_resolution
        return self.stage.downsample(inputs, H=height, W=width)

    def compute_output_spec(self, inputs):
        """As the stage tells it."""
        shape = self.stage.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, self.compute_dtype)


def shift_mask(block: keras.Layer) -> np.ndarray | None:
    """What keeps parts of a shifted window apart that do not lie side by side in the picture.

    Returns:
        (windows, tokens, tokens), 0 or -100; None where nothing is shifted.

    Source:
        arXiv 2103.14030, section 3.2.
    """
    shift, size = block.shift_size, block.window_size
    if not shift:
        return None
    height, width = block.input_resolution
    cuts = (slice(0, -size), slice(-size, -shift), slice(-shift, None))
    parts = np.zeros((height, width), int)
    for row, rows in enumerate(cuts):
        for column, columns in enumerate(cuts):
            parts[rows, columns] = 3 * row + column
    parts = (
        parts.reshape(height // size, size, width // size, size)
        .transpose(0, 2, 1, 3)
        .reshape(-1, size * size)
    )
    return np.where(parts[:, None] == parts[:, :, None], 0, -100).astype("float32")


def _attended(block: keras.Layer, inputs, mask: np.ndarray | None):
    """What `SwinTransformerBlock` of KerasHub makes of tokens; whole windows fill the picture."""
    height, width = block.input_resolution
    channels, size, shift = block.dim, block.window_size, block.shift_size
    x = ops.reshape(block.norm1(inputs), (-1, height, width, channels))
    if shift:
        x = _turned(x, shift)
    x = ops.reshape(x, (-1, height // size, size, width // size, size, channels))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, size * size, channels))
    mask = None if mask is None else ops.convert_to_tensor(mask, block.compute_dtype)
    x = block.attn(x, mask=mask)
    x = ops.reshape(x, (-1, height // size, width // size, size, size, channels))
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))
    if shift:
        x = _turned(x, -shift)
    x = inputs + block.drop_path(ops.reshape(x, (-1, height * width, channels)))
    return x + block.drop_path(block.mlp(block.norm2(x)))


def _turned(x, shift: int):
    """Maps of which what stood at `shift` stands first, by slices: LiteRT has no roll."""
    x = ops.concatenate([x[:, shift:], x[:, :shift]], axis=1)
    return ops.concatenate([x[:, :, shift:], x[:, :, :shift]], axis=2)
