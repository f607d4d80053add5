"""A model's graph: where it narrows to one tensor, and stages cut there."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import keras
from keras import layers

from recipes.backbones.base import Stage

MOST_GROUPS = 6  # of a transformer's blocks
SMALLER = 0.75  # a resolution below this share of the one before begins a new stage


def cut(model: keras.Model, ends: Mapping[str, str]) -> tuple[Stage, ...]:
    """Stages of a model whose layers lie in order.

    Args:
        model: to cut.
        ends: the name of each stage to the name of the layer that ends it, in order.
    """
    names = [layer.name for layer in model.operations][1:]
    stages = []
    for stage, end in ends.items():
        place = names.index(end) + 1
        stages.append(Stage(stage, end, tuple(names[:place])))
        names = names[place:]
    return tuple(stages)


def grouped(blocks: Sequence[str], last: str, first: str) -> dict[str, str]:
    """Stage name to the layer that ends it: the embedding, and groups of as many blocks.

    Args:
        blocks: the layers that end the blocks, in order.
        last: the model's last layer, which ends the last group.
        first: the layer that ends the embedding.
    """
    count = min(MOST_GROUPS, len(blocks))
    places = [math.ceil(len(blocks) * (k + 1) / count) - 1 for k in range(count)]
    ends = {f"blocks{k + 1}": blocks[place] for k, place in enumerate(places)}
    return {"embedding": first, **ends, f"blocks{count}": last}


def stages(model: keras.Model) -> tuple[Stage, ...]:
    """Cut a model where its graph narrows to one tensor, before each change of resolution.

    A transformer is cut between groups of its blocks.
    """
    operations = model.operations
    cuts = narrow_places(model)
    sums = [place for place in cuts if _adds_tokens(operations[place])]
    blocks = [operations[place].name for place in sums[1::2]]  # each adds twice
    if blocks:
        first = cuts[cuts.index(sums[0]) - 1]
        return cut(model, grouped(blocks, operations[-1].name, operations[first].name))
    sides = {place: operations[place].output.shape[1] or 1 for place in cuts}
    ends = [a for a, b in pairwise(cuts) if sides[b] <= SMALLER * sides[a]]
    found, start = [], 1
    for end in [*ends, len(operations) - 1]:
        part = operations[start : end + 1]
        if any(getattr(operation, "trainable_weights", ()) for operation in part):
            names = tuple(operation.name for operation in part)
            found.append(Stage(f"stage{len(found)}", names[-1], names))
            start = end + 1
    return tuple(found)


def narrow_places(model: keras.Model, *, whole_blocks: bool = True) -> list[int]:
    """Positions of the operations through whose output alone everything later flows.

    Not those in the middle of a block: their readers' names begin with the same numbered prefix
    (`block_1_expand`, `block_1_depthwise`). Padding belongs to the convolution behind it.

    Args:
        model: whose operations they are.
        whole_blocks: whether those in the middle of a block, and padding, are left out.
    """
    operations = model.operations
    position = {operation.name: index for index, operation in enumerate(operations)}
    readers: list[list[int]] = [[] for _ in operations]
    for index, operation in enumerate(operations[1:], start=1):
        for tensor in keras.tree.flatten(operation.input):
            readers[position[tensor._keras_history.operation.name]].append(index)
    places, reach = [], 0
    for index, operation in enumerate(operations[:-1]):
        alone = reach <= index and isinstance(operation.output, keras.KerasTensor)
        reach = max([reach, *readers[index]])
        prefixes = [
            _common(operation.name, operations[reader].name, model.name)
            for reader in readers[index]
        ]
        inside = any(character.isdigit() for character in "".join(prefixes))
        middle = inside or isinstance(operation, layers.ZeroPadding2D)
        if alone and not (whole_blocks and middle):
            places.append(index)
    return [*places, len(operations) - 1]


def regrown(model: keras.Model, tensor) -> keras.KerasTensor:
    """What a model makes of another tensor, by the same layers.

    The layers forget the model that they were in: each then has one input and one output.

    Args:
        model: functional, of one input; it is of no more use.
        tensor: in the place of its input.
    """
    plain = keras.Model(model.inputs, model.outputs)
    for operation in plain.operations:
        operation._inbound_nodes.clear()
        operation._outbound_nodes.clear()
    return plain._run_through_graph([tensor], call_fn=_called)[0]


def _called(operation, *args, **options):
    """What an operation makes of its arguments, constants as arrays.

    An exporter would take tensors among them for further inputs.
    """
    args, options = keras.tree.map_structure(
        lambda value: keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value,
        (args, options),
    )
    return operation(*args, **options)


def _adds_tokens(operation) -> bool:
    """Whether an operation makes tokens of two of its kind, as the end of a residual branch."""
    shapes = [tensor.shape for tensor in keras.tree.flatten(operation.input)]
    return len(shapes) == 2 and len(shapes[0]) == 3 and shapes[0] == shapes[1]


def _common(first: str, second: str, model_name: str) -> str:
    """The words with which two layers' names begin alike, the model's own name left out."""
    words = []
    pairs = zip(
        first.removeprefix(model_name).split("_"),
        second.removeprefix(model_name).split("_"),
        strict=False,
    )
    for one, other in pairs:
        if one != other:
            break
        words.append(one)
    return "_".join(words)
