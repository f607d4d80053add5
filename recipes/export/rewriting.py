"""The same model in layers that the ONNX exporter understands."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import keras
import numpy as np
from keras import layers

from recipes.ingredients import activations

# Of layers that cannot be made from what they say of themselves: they are shared.
SHARED = ("keras_hub.", "recipes.backbones.hub.")


def rewrite(model: keras.Model) -> keras.Model:
    """A copy of a functional model whose awkward layers are replaced by others that do the same.

    `Normalization` becomes `Rescaling`, since the ONNX exporter takes its mean and variance for
    inputs. A convolution by groups, which is compiled in a way that the exporter cannot read,
    becomes a depthwise one or one convolution a group. The exact GELU and CELU are spelled out.

    Args:
        model: with nested models or without.

    Returns:
        A model of the same answers, to rounding, with weights of its own, but for layers of
        KerasHub, which it shares with the model; `spelled_out` makes these readable.

    Example:
        >>> inputs = keras.Input((8, 8, 4))
        >>> model = keras.Model(inputs, layers.Conv2D(4, 3, groups=4)(inputs))
        >>> [type(layer).__name__ for layer in rewrite(model).layers]
        ['InputLayer', 'DepthwiseConv2D']
    """
    originals = {}

    def clone(layer):
        new = _safe(layer)
        originals[id(new)] = (new, layer)
        return new

    copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    for new, old in originals.values():
        if new is old or not isinstance(new, keras.Layer):
            continue
        values = old.get_weights()
        if isinstance(new, layers.DepthwiseConv2D) and isinstance(old, layers.Conv2D):
            values[0] = values[0].transpose(0, 1, 3, 2)
        if new.weights:
            new.set_weights(values)
    return copy


@contextlib.contextmanager
def spelled_out(model: keras.Model) -> Iterator[None]:
    """Let the layers inside of others do what the exporter understands, until the block ends.

    The exact GELU is spelled out, and convolutions by groups are taken apart, as `rewrite` does it.

    Example:
        >>> dense = layers.Dense(2, activation="gelu")
        >>> with spelled_out(keras.Sequential([keras.Input((2,)), dense])):
        ...     dense.activation.__name__
        'exact_gelu'
        >>> dense.activation.__name__
        'gelu'
    """
    with contextlib.ExitStack() as restored:
        for layer in model._flatten_layers():
            changes: dict = {
                name: exact_gelu
                for name in ("activation", "act_layer")
                if getattr(layer, name, None) is keras.activations.gelu
            }
            if type(layer) is layers.Conv2D and layer.groups > 1:
                single = layer.groups == layer.filters and layer.kernel.shape[-2] == 1
                changes["__class__"] = ChannelByChannel if single else GroupByGroup
            for name, value in changes.items():
                restored.callback(setattr, layer, name, getattr(layer, name))
                setattr(layer, name, value)
        yield


def _safe(layer: keras.Layer) -> keras.Layer:
    """The layer itself anew, or what stands for it."""
    if type(layer).__module__.startswith(SHARED):
        return layer
    if isinstance(layer, layers.Normalization):
        mean, deviation = (
            np.asarray(keras.ops.convert_to_numpy(value), "float64").ravel()
            for value in (layer.mean, keras.ops.sqrt(layer.variance))
        )
        deviation = np.maximum(deviation, keras.config.epsilon())
        scale, offset = (1 / deviation), (-mean / deviation)
        return layers.Rescaling(scale.tolist(), offset.tolist(), name=layer.name)
    config = layer.get_config()
    if type(layer) is layers.Conv2D and 1 < layer.groups == layer.filters == layer.input.shape[-1]:
        shared = ("name", "kernel_size", "strides", "padding", "dilation_rate", "use_bias")
        kept = {name: config[name] for name in shared}
        return layers.DepthwiseConv2D(**kept, activation=layer.activation)
    if type(layer) is layers.Conv2D and layer.groups > 1:
        return GroupByGroup.from_config(config)
    spelled = _spelled(layer)
    if spelled is not None:
        return layers.Activation(spelled, name=layer.name)
    return type(layer).from_config(config)


def _spelled(layer: keras.Layer) -> Callable | None:
    """An activation in functions that the format has, where it has not the activation itself."""
    name = activations.name_of(layer)
    if name == "celu":
        return partial(celu, **getattr(layer, "parameters", {}))
    if name == "gelu" and not getattr(layer, "parameters", {}).get("approximate"):
        return exact_gelu
    return None


class GroupByGroup(layers.Conv2D):
    """A grouped convolution as one convolution a group."""

    def convolution_op(self, inputs, kernel):
        """Convolve each group's channels with its own filters."""
        pairs = zip(
            keras.ops.split(inputs, self.groups, axis=-1),
            keras.ops.split(kernel, self.groups, axis=-1),
            strict=True,
        )
        convolve = super().convolution_op
        return keras.ops.concatenate([convolve(x, own) for x, own in pairs], axis=-1)


class ChannelByChannel(layers.Conv2D):
    """A convolution of each channel with a filter of its own."""

    def convolution_op(self, inputs, kernel):
        """Convolve each channel."""
        return keras.ops.depthwise_conv(
            inputs,
            keras.ops.transpose(kernel, (0, 1, 3, 2)),
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )


def exact_gelu(x):
    """GELU, `x (1 + erf(x / √2)) / 2`.

    Example:
        >>> round(float(exact_gelu(1.0)), 4)
        0.8413
    """
    return 0.5 * x * (1 + keras.ops.erf(x / float(np.sqrt(2))))


def celu(x, alpha: float = 1.0):
    """CELU, by ELU.

    Example:
        >>> round(float(celu(-1.0, alpha=2.0)), 4)
        -0.7869
    """
    return alpha * keras.ops.elu(x / alpha)
