"""The grid of choices: every recipe with every activation, norm, place, initializer and dropout.

The suite tries every pair of kinds, and cells by chance; `make grid` tries more (`grid_run`).
"""

import inspect
import itertools
import random
import warnings
from functools import cache
from pathlib import Path

import keras
import numpy as np

import recipes
from recipes import blocks, dtypes
from recipes.classifiers import registry
from recipes.export import FORMATS
from recipes.ingredients import activations, initializers, normalization
from recipes.transfer.state import to_numpy
from tests.recipes.classifiers.cases import NORM_POSITIONS, ON_VECTORS, RECIPES

# Keras synchronizes statistics on TensorFlow alone.
BEYOND = () if keras.backend.backend() == "tensorflow" else ("sync_batch",)
FACTORS = {
    "recipe": list(RECIPES),
    "activation": activations.names(),
    "normalization": [name for name in normalization.names() if name not in BEYOND],
    "norm_position": list(NORM_POSITIONS),
    "kernel_initializer": initializers.names(),
    "dropout": [0.0, 0.2],
}
OF_MAPS = ("instance", "filter_response")
# Norms by which a signal is bounded whatever came before, in training and after it.
BOUNDING = ("layer", "group", "rms", "unit", "weight_standardization")
STRUCTURED = ("auto", "zeros", "orthogonal", "delta_orthogonal", "dirac", "sparse")
SPECIAL = ("crelu", "maxout", "glu", "swiglu", "prelu", "tlu", "rrelu", "selu", "sparsemax")
STRUCTURE = ("recipe", "activation", "normalization", "norm_position")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCALINGS = 16  # steps that float16 may skip until the loss is scaled so that gradients are finite


@cache
def taken_by(recipe):
    """What of the factors a recipe takes, and its places for norms."""
    found = registry.get(recipe)
    places = found.space.get("norm_position", blocks.PLAIN)
    return {*FACTORS} & {*inspect.signature(found.function).parameters}, places


def possible(cell):
    """What a recipe takes; vectors have no places; exp(exp(x)) is not finite."""
    taken, places = taken_by(cell["recipe"])
    if any(cell[name] != FACTORS[name][0] for name in FACTORS.keys() - taken - {"recipe"}):
        return False
    if cell["norm_position"] not in places:
        return False
    if cell["recipe"] in ON_VECTORS and cell["normalization"] in OF_MAPS:
        return False
    if cell["recipe"] == "squeezenet" and cell["kernel_initializer"] == "dirac":
        return False  # channels that stay 0: each batch norm multiplies their gradient by 1 / √ε
    if cell["activation"] != "exponential":
        return True
    shallow = cell["recipe"] in ("mlp", "cnn") and cell["norm_position"] == "before"
    return shallow and cell["normalization"] in BOUNDING


def kind_of(factor, value):
    """Values of one kind make the same layers: one stands for the others."""
    if factor == "activation":
        return value if value in SPECIAL else "of each value alone"
    if factor == "kernel_initializer":
        return value if value in STRUCTURED else "random"
    return value


def firsts_of(factor):
    """One value of each kind."""
    return list({kind_of(factor, value): value for value in reversed(FACTORS[factor])}.values())


def pairs_of(cell):
    """Each two of its values' kinds."""
    return set(itertools.combinations([(f, kind_of(f, value)) for f, value in cell.items()], 2))


def everything():
    """Every possible cell of one value of each kind."""
    firsts = [firsts_of(factor) for factor in FACTORS]
    made = (dict(zip(FACTORS, values, strict=True)) for values in itertools.product(*firsts))
    return [cell for cell in made if possible(cell)]


def pairwise(seed):
    """Cells in which every possible pair of kinds occurs, and every value.

    They are chosen greedily, from random candidates.
    """
    rng = random.Random(seed)
    cells = everything()
    pairs = [pairs_of(cell) for cell in cells]
    missing, chosen = set().union(*pairs), []
    while missing:
        best = max(rng.sample(range(len(cells)), 60), key=lambda i: len(pairs[i] & missing))
        if not pairs[best] & missing:
            best = next(i for i, found in enumerate(pairs) if found & missing)
        chosen.append(cells[best])
        missing -= pairs[best]
    for factor, values in FACTORS.items():
        used = {cell[factor] for cell in chosen}
        for value in values:
            chosen += at_random(rng, 1, {factor: value}) if value not in used else []
    return chosen


def at_random(rng, count, fixed=None):
    """So many possible cells of all values, but for those that are fixed."""
    found = []
    while len(found) < count:
        cell = {factor: rng.choice(values) for factor, values in FACTORS.items()}
        cell.update(fixed or {})
        if possible(cell):
            found.append(cell)
    return found


def build(cell, precision="float32"):
    """The model of a cell."""
    taken, _ = taken_by(cell["recipe"])
    choices = {name: value for name, value in cell.items() if name in taken}
    with warnings.catch_warnings(), dtypes.scope(precision):
        warnings.filterwarnings("ignore", message="initializer: with zeros")
        return RECIPES[cell["recipe"]](**choices, seed=0)


def inputs_of(model):
    """Four pictures, or four rows."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (4, *model.input_shape[1:])).astype("float32")
    return x / 255 if len(model.input_shape) < 4 else x


def check(cell, folder=None, precision="float32"):
    """It builds, takes a step with finite gradients, and with a folder reloads to the same answers.

    Returns:
        The model.
    """
    model = build(cell, precision)
    x, y = inputs_of(model), np.arange(4) % 3
    assert not model.compiled
    # Eager: nine tenths of the time would be tracing.
    recipes.compile_classifier(model, optimizer="sgd", learning_rate=1e-3, run_eagerly=True)
    before = [to_numpy(w) for w in model.trainable_weights]
    for _ in range(SCALINGS if precision == "mixed_float16" else 1):
        loss = model.train_on_batch(x, y)[0]
        after = [to_numpy(w) for w in model.trainable_weights]
        assert np.isfinite(loss), f"loss {loss}"
        assert all(np.isfinite(w).all() for w in after), "weights are not finite"
        if any((one != two).any() for one, two in zip(before, after, strict=True)):
            break
    else:
        raise AssertionError("no step")
    outputs = to_numpy(model(x, training=False))
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-4)
    if folder is not None:
        path = Path(folder) / "model.keras"
        model.save(path)
        with dtypes.scope(precision):  # by which Keras decides whether the loss is scaled
            loaded = keras.models.load_model(path)
        path.unlink()
        np.testing.assert_allclose(to_numpy(loaded(x, training=False)), outputs, atol=1e-5)
    return model


def structure_of(cell):
    """What of a cell its exported file depends on."""
    return tuple(cell[name] for name in STRUCTURE)


def export(models, form, folder):
    """Models of one input as one file, whose answers are the models'."""
    inputs = keras.Input(models[0].input_shape[1:])
    outputs = keras.layers.Concatenate()([model(inputs) for model in models])
    together = keras.Model(inputs, outputs)
    x = inputs_of(models[0])
    expected = to_numpy(together(x, training=False))
    path = Path(folder) / FORMATS[form].file
    FORMATS[form].write(together, path, {"classes": ["a", "b", "c"]})
    predict, _ = FORMATS[form].load(path)
    path.unlink()
    np.testing.assert_allclose(predict(x), expected, atol=1e-4)


def structures(seed):
    """A cell of every structure of kinds, with the other choices by chance, in an order by chance.

    Returns:
        Pairs of a cell and a precision.
    """
    rng = random.Random(seed)
    alike = {}
    for name in FACTORS["activation"]:
        alike.setdefault(kind_of("activation", name), []).append(name)
    firsts = {structure_of(cell): cell for cell in everything()}
    cells = []
    for first in firsts.values():
        names = alike[kind_of("activation", first["activation"])]
        able = [one for one in names if possible({**first, "activation": one})]
        wanted = dict(zip(STRUCTURE, structure_of(first), strict=True))
        cells += at_random(rng, 1, {**wanted, "activation": rng.choice(able)})
    rng.shuffle(cells)
    return [(cell, rng.choice(PRECISIONS)) for cell in cells]


def whole(seed):
    """Every possible cell in each precision, in an order by chance."""
    made = (
        dict(zip(FACTORS, values, strict=True)) for values in itertools.product(*FACTORS.values())
    )
    cells = list(itertools.product(filter(possible, made), PRECISIONS))
    random.Random(seed).shuffle(cells)
    return cells
