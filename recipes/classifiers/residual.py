"""Blocks whose result is added to their input, and what else residual networks share."""

from collections.abc import Callable

import keras
from keras import layers, ops

from recipes.blocks import (
    CONVOLUTION,
    UNNAMED,
    BlockConfig,
    activate,
    added,
    bare_convolution,
    conv_block,
    wrapped,
)
from recipes.ingredients import activations
from recipes.saving import PACKAGE


def residual_block(
    x,
    filters: int,
    config: BlockConfig,
    *,
    strides: int = 1,
    bottleneck: bool = False,
    inner: int | None = None,
    groups: int = 1,
    ending: Callable = lambda y: y,
    drop_path: float = 0.0,
    name: str = "",
):
    """Convolutions whose result is added to their input.

    `filters` channels leave, four times as many with a bottleneck.

    Args:
        x: (batch, height, width, channels).
        filters: of the (inner) 3 × 3 convolution.
        config: "before" and "after" activate after the sum, as in ResNet v1; "preactivation"
            before each kernel, as in v2.
        strides: of the 3 × 3 convolution (the second in a bottleneck).
        bottleneck: 1 × 1, 3 × 3, 1 × 1 instead of 3 × 3, 3 × 3.
        inner: channels inside a bottleneck, if not `filters`.
        groups: of the 3 × 3 convolution of a bottleneck.
        ending: what is done to the convolutions' result before the sum.
        drop_path: the share of samples that go by the shortcut alone in training.
        name: of the block; the layers with weights are named after it, as in torchvision.

    Source:
        arXiv 1512.03385 and 1603.05027.
    """
    preactivated = config.norm_position == "preactivation"
    activation = activations.get(config.activation)
    out = 4 * filters if bottleneck else filters
    width = out if preactivated else activations.kernel_units(activation, out)
    inner = filters if inner is None else inner
    plan = [(inner, 1, 1, 1), (inner, 3, strides, groups), (width, 1, 1, 1)]
    plan = plan if bottleneck else [(filters, 3, strides, 1), (width, 3, 1, 1)]
    y = x
    for index, (units, kernel_size, step, parts) in enumerate(plan, start=1):
        last = index == len(plan)
        y = conv_block(
            y,
            units,
            config,
            kernel_size=kernel_size,
            strides=step,
            groups=parts,
            activate=preactivated or not last,
            norm_follows=preactivated and not last,
            zero=config.zero_init_last and last,
            names=(f"{name}_conv{index}", f"{name}_bn{index}") if name else UNNAMED,
        )
    y = ending(y)
    if strides > 1 or x.shape[-1] != y.shape[-1]:
        x = shortcut(x, width, config, strides, name=name)
    y = added(x, y, config, drop_path)
    return y if preactivated else activate(y, config)


def shortcut(x, channels: int, config: BlockConfig, strides: int, *, name: str = ""):
    """A 1 × 1 convolution that gives a shortcut the shape of what it is added to."""
    names = (f"{name}_downsample_0", f"{name}_downsample_1") if name else UNNAMED
    if config.norm_position == "preactivation":
        options = {"kernel_size": 1, "strides": strides, "name": names[0]}
        return bare_convolution(x, channels, config, **options)
    return conv_block(
        x, channels, config, kernel_size=1, strides=strides, activate=False, names=names
    )


def squeeze_and_excite(
    x,
    squeezed: int,
    config: BlockConfig,
    *,
    activation=None,
    gate: str = "sigmoid",
    name: str | None = None,
):
    """Weigh each channel by what all channels are on average.

    Args:
        x: (batch, height, width, channels).
        squeezed: channels between the two layers; one more where CReLU asks for an even number.
        config: the activation between them, and how kernels are.
        activation: between them, if not the configuration's.
        gate: the activation of the weights.
        name: of the block; its layers are named after it.

    Source:
        arXiv 1709.01507.
    """
    names = (f"{name}_fc1", f"{name}_fc2") if name else UNNAMED
    between = activations.get(config.activation if activation is None else activation)
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    squeezed += squeezed % 2 if isinstance(between, activations.CReLU) else 0
    units = activations.kernel_units(between, squeezed)
    y = _pointwise(y, units, config, between, names[0])
    y = _pointwise(activations.applied(between, y), x.shape[-1], config, None, names[1])
    return layers.Multiply()([x, layers.Activation(gate)(y)])


def _pointwise(x, filters: int, config: BlockConfig, activation, name: str | None):
    options = config.kernel_options(activation, use_bias=True, axis=CONVOLUTION)
    return wrapped(layers.Conv2D(filters, 1, name=name, **options), config)(x)


@keras.saving.register_keras_serializable(PACKAGE)
class LayerScale(layers.Layer):
    """Each channel times a learned number that is small at first.

    Args:
        initial: that number at first.

    Source:
        arXiv 2103.17239.

    Example:
        >>> LayerScale(0.5)(ops.array([[2.0]])).numpy().tolist()
        [[1.0]]
    """

    def __init__(self, initial: float = 1e-6, **options):
        super().__init__(**options)
        self.initial = initial

    def build(self, input_shape):
        """One number a channel."""
        initializer = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(
            shape=(input_shape[-1],), initializer=initializer, name="gamma"
        )

    def call(self, x):
        """The scaled channels."""
        return x * ops.cast(self.gamma, x.dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "initial": self.initial}
