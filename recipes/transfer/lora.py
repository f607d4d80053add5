"""Low-rank adaptation: in place of a dense layer's kernel two small matrices are trained.

Keras' own layers do it while a phase lasts. In the end what the matrices add up to is put into the
kernels, and the layers are plain again.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer.model import TransferModel

DENSE = (layers.Dense, layers.EinsumDense)
NORMS = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.RMSNormalization,
)


@dataclass(frozen=True)
class Adapters:
    """The dense layers that low-rank matrices are trained of; none in most phases.

    Attributes:
        layers: of Keras' classes `Dense` and `EinsumDense`.
    """

    layers: tuple[keras.Layer, ...] = ()

    @property
    def variables(self) -> list:
        """The matrices: two a layer."""
        pairs = [(layer.lora_kernel_a, layer.lora_kernel_b) for layer in self.layers]
        return [variable for pair in pairs for variable in pair]

    @property
    def kernels(self) -> list:
        """The kernels that they are added to, one a layer."""
        return [layer._kernel for layer in self.layers]

    def merge(self, model: keras.Model) -> None:
        """Put the matrices into the kernels, and take them from the layers.

        Args:
            model: that the layers are in; it is compiled anew when it is asked again.
        """
        for layer in self.layers:
            first, second, kernel = (
                keras.ops.convert_to_numpy(variable)
                for variable in (layer.lora_kernel_a, layer.lora_kernel_b, layer._kernel)
            )
            scale = np.float32(layer.lora_alpha / layer.lora_rank)
            layer._kernel.assign(kernel + scale * np.matmul(first, second))
            for variable in (layer.lora_kernel_a, layer.lora_kernel_b):
                layer._untrack_variable(variable)
            layer.lora_kernel_a = layer.lora_kernel_b = None
            layer.lora_enabled, layer.lora_rank, layer.lora_alpha = False, None, None
        if self.layers:
            model.train_function = model.test_function = model.predict_function = None


def enable(transfer: TransferModel, phase: Phase, seed: int = 0) -> Adapters:
    """Give the dense layers of a phase their matrices, the only ones of the backbone to be trained.

    Args:
        transfer: the model, whose layers `set_trainable` has marked for the phase.
        phase: its `lora_rank` says of which rank; with 0 nothing is done.
        seed: of the matrices; they add up to nothing at the start.
    """
    if not phase.lora_rank:
        return Adapters()
    found, seeds = [], np.random.default_rng(seed)
    for layer in _behind(transfer, phase):
        norms = [one for one in layer._flatten_layers() if isinstance(one, NORMS)]
        kept = {id(v) for norm in norms for v in norm.trainable_variables}
        for variable in layer.trainable_variables:
            variable.trainable = phase.update_batch_norm and id(variable) in kept
        for one in _dense(layer):
            start = keras.initializers.HeUniform(int(seeds.integers(2**31)))
            one.enable_lora(phase.lora_rank, a_initializer=start)
            found.append(one)
    return Adapters(tuple(found))


def check(transfer: TransferModel, strategy: FineTuneStrategy | None) -> None:
    """Refuse a strategy whose low-rank phases have nothing to train.

    Args:
        transfer: the model.
        strategy: the phases; None where it is still to be chosen, from those without.

    Raises:
        ValueError: there is no dense layer behind a phase's boundary.
    """
    for phase in strategy.phases if strategy else ():
        found = [one for layer in _behind(transfer, phase) for one in _dense(layer)]
        if phase.lora_rank and not found:
            raise ValueError(
                f"lora_rank: the phase {phase.name!r} trains matrices beside dense layers, and the "
                f"backbone {transfer.backbone.name!r} has none there. Take a network with "
                "transformer blocks, or another strategy."
            )


def _behind(transfer: TransferModel, phase: Phase) -> list[keras.Layer]:
    """The backbone's layers behind a phase's boundary."""
    first, stage_of = phase.first_trainable(transfer.num_stages), transfer.stage_of()
    return [
        layer
        for layer in transfer.model.layers
        if first <= stage_of[layer.name] < transfer.num_stages
    ]


def _dense(layer: keras.Layer) -> list[keras.Layer]:
    """The dense layers in a layer, itself included."""
    return [one for one in layer._flatten_layers() if isinstance(one, DENSE)]
