"""KerasHub's networks as plain functional models that can be cut between their blocks.

The encoders of ViT, DeiT, DINOv2, DINOv3 and HGNetV2 are one layer that holds the blocks; here the
blocks stand in the model themselves. The weights are the same variables.
"""

import math

import keras
from keras import layers, ops

from recipes.backbones import graph
from recipes.backbones.base import Stage
from recipes.backbones.hub.family import Family
from recipes.backbones.hub.swin import WindowStage

CHAINS = (
    "ViT",
    "DeiT",
    "DINOv2",
    "DINOv3",
    "HGNetV2",
    "SigLIP",
    "Swin",
)  # one layer after the other


def unrolled(family: Family, network: keras.Model, tensor) -> tuple:
    """What a network makes of a tensor, and how its stages end.

    Args:
        family: of the network.
        network: a model of KerasHub; it is of no more use.
        tensor: preprocessed pictures.

    Returns:
        The output, and a function of the finished model that gives its stages.
    """
    if family.name in CHAINS:
        before, blocks, after = _parts(family.name, network)
        for layer in (*before, *blocks, *after):
            layer._inbound_nodes.clear()
            layer._outbound_nodes.clear()
            tensor = layer(tensor)
        last = [*blocks, *after][-1].name
        ends = graph.grouped([layer.name for layer in blocks], last, before[-1].name)
        return tensor, lambda model: graph.cut(model, ends)
    output = graph.regrown(network, tensor)
    if family.block is None:
        return output, graph.stages
    return output, lambda model: _block_stages(model, family)


def _parts(name: str, network: keras.Model) -> tuple[list, list, list]:
    """The layers before the blocks, the blocks, and the layers after them."""
    if name == "ViT":
        embedding, encoder = network.layers[1:]
        return [embedding, encoder.dropout], encoder.encoder_layers, [encoder.layer_norm]
    if name == "DeiT":
        embedding, encoder = network.layers[1:]
        blocks = [FirstOutput(block, name=block.name) for block in encoder.encoder_layers]
        return [embedding], blocks, [encoder.layer_norm]
    if name == "HGNetV2":
        return [network.embedder_layer], network.encoder_layer.stages_list, []
    if name == "Swin":
        blocks = [WindowStage(stage, name=stage.name) for stage in network.stages]
        return [network.patch_embedding, network.get_layer("pos_drop")], blocks, [network.norm]
    if name == "SigLIP":
        count = network.embedding.num_positions
        embedding = Tokens(network.embedding, count, name=network.embedding.name)
        return [embedding], network.encoder_layers, [network.post_layer_norm, network.head]
    blocks = network.encoder.layers
    for block in blocks:
        _mend_drop_path(block)
    if name == "DINOv3":
        picture = ops.zeros((1, *network.image_shape))
        places = tuple(map(ops.convert_to_numpy, network.rope_embedding(picture)))
        prefix = 1 + network.num_register_tokens
        blocks = [RotaryBlock(block, places, prefix, name=block.name) for block in blocks]
    return [network.embeddings], blocks, [network.layernorm]


def _mend_drop_path(block: keras.Layer) -> None:
    """Let a block of DINO leave out its branches for some pictures of a batch in training.

    KerasHub 0.32's own layer takes no batch of an unknown size, draws without a seed of its own,
    and never leaves a branch out: it scales it by a random number.

    Source:
        arXiv 1603.09382, section 3.
    """
    if block.drop_path_rate > 0:
        block._tracker.unlock()
        block.drop_path = layers.Dropout(
            block.drop_path_rate, noise_shape=(None, 1, 1), name="drop_path"
        )
        block._tracker.lock()


def _block_stages(model: keras.Model, family: Family) -> tuple[Stage, ...]:
    """Groups of blocks; where the resolution changes between them, its levels."""
    names = [operation.name for operation in model.operations]
    is_block = [type(operation).__name__ == family.block for operation in model.operations]
    if family.name == "MiT":
        starts = [
            place
            for place, operation in enumerate(model.operations)
            if type(operation).__name__ == "OverlappingPatchingAndEmbedding"
        ]
        ends = [*(names[start - 1] for start in starts[1:]), names[-1]]
        return graph.cut(model, {f"level{k + 1}": end for k, end in enumerate(ends)})
    blocks = [name for name, block in zip(names, is_block, strict=True) if block]
    return graph.cut(model, graph.grouped(blocks, names[-1], names[is_block.index(True) - 1]))


class Tokens(layers.Layer):
    """A layer that gives a known number of tokens, where it says another itself."""

    def __init__(self, layer: keras.Layer, count: int, **options):
        super().__init__(**options)
        self.layer = layer
        self.count = count
        self.built = True

    def call(self, inputs):
        """What the layer gives."""
        return self.layer(inputs)

    def compute_output_spec(self, inputs):
        """(batch, tokens, channels)."""
        shape = (inputs.shape[0], self.count, self.layer.hidden_dim)
        return keras.KerasTensor(shape, self.compute_dtype)


class FirstOutput(layers.Layer):
    """A block of which the first output alone goes on."""

    def __init__(self, block: keras.Layer, **options):
        super().__init__(**options)
        self.block = block
        self.built = True

    def call(self, inputs):
        """The first output."""
        return self.block(inputs)[0]

    def compute_output_spec(self, inputs):
        """As the input's."""
        return keras.KerasTensor(inputs.shape, self.compute_dtype)


class RotaryBlock(layers.Layer):
    """A block of DINOv3, which turns queries and keys by the patches' places.

    The places are those of one size of pictures, and so the same in every batch.
    """

    def __init__(self, block: keras.Layer, places: tuple, prefix: int, **options):
        super().__init__(**options)
        self.block = block
        self.places = places
        self.prefix = prefix
        self.built = True

    def call(self, inputs, training=None):
        """The tokens after the block."""
        places = tuple(ops.cast(one, self.compute_dtype) for one in self.places)
        return self.block(
            inputs, position_embeddings=places, num_prefix_tokens=self.prefix, training=training
        )

    def compute_output_spec(self, inputs, training=None):
        """As the input's."""
        return keras.KerasTensor(inputs.shape, self.compute_dtype)


def transplant(source: keras.Model, target: keras.Model) -> None:
    """Give a network the weights of the same one for pictures of another size.

    Embeddings of the patches' positions are interpolated; those of the tokens before them stay.
    What the target lacks is left out.

    Source:
        arXiv 2010.11929, section 3.2: "2D interpolation of the pre-trained position embeddings".
    """
    by_place = {_place(source, variable): variable for variable in source.weights}
    in_order = source.weights if len(source.weights) == len(target.weights) else None
    for index, variable in enumerate(target.weights):
        place = _place(target, variable)
        if place.endswith("position_ids"):
            continue
        if place.endswith("/position_embeddings"):  # of DINOv2: what it interpolated is the truth
            value = by_place[place.replace("/position_emb", "/interpolated_position_emb")]
        else:  # by name where a token is left out, else in order: not every weight has a name
            value = by_place[place] if in_order is None else in_order[index]
        if value.shape != variable.shape:
            value = _interpolated(value, source, target)
        variable.assign(value)


def _place(network: keras.Model, variable) -> str:
    return variable.path.removeprefix(f"{network.name}/")


def _interpolated(positions, source: keras.Model, target: keras.Model):
    """Position embeddings on the grid of another size."""
    tokens = ops.reshape(ops.convert_to_tensor(positions), (-1, positions.shape[-1]))
    grids = []
    for network in (source, target):
        patch = network.patch_size
        height, width = (patch, patch) if isinstance(patch, int) else patch
        grids.append((network.image_shape[0] // height, network.image_shape[1] // width))
    before, now = grids
    prefix = len(tokens) - math.prod(before)
    patches = ops.reshape(tokens[prefix:], (1, *before, -1))
    patches = ops.image.resize(patches, now, interpolation="bicubic", antialias=True)
    tokens = ops.concatenate([tokens[:prefix], ops.reshape(patches, (-1, tokens.shape[-1]))])
    return ops.reshape(tokens, (*positions.shape[:-2], *tokens.shape))
