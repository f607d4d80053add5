"""Saved models load after `import recipes`, whatever they hold and in any order of imports."""

import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import keras
import numpy as np
import pytest

import callbacks
import recipes
from recipes.ingredients import (
    activations,
    constraints,
    initializers,
    normalization,
    regularizers,
    scaling,
)
from recipes.ingredients.activation_layers import ChannelPReLU
from recipes.losses import SmoothedSparseCrossentropy
from recipes.pooling import TokenPooling
from recipes.saving import EARLIER, SAVED_IN
from tests.marking import slow_but
from tests.recipes.classifiers.cases import RECIPES

ROOT = Path(recipes.__file__).parents[1]
LOAD = """
import sys
from pathlib import Path
for path in sorted(Path(sys.argv[1]).glob(sys.argv[2])):
    model = load(path)
    print(path.name, model.count_params())
"""
ORDERS = {
    "recipes first": "import recipes, keras",
    "keras first": "import keras, recipes",
    "a part of recipes first": "from recipes.ingredients import regularizers; import keras",
    "recipes only": "from recipes import load_model as load",
}
QUICK = ("recipes first", "keras first", "recipes only")


def save(model, path):
    model.save(path)
    return model.count_params()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model with each ingredient, each optimizer and a schedule: name to its parameters."""
    folder, counts = tmp_path_factory.mktemp("saved"), {}

    def keep(name, model):
        counts[f"{name}.keras"] = save(model, folder / f"{name}.keras")

    for name in activations.names():
        keep(f"model-activation-{name}", recipes.mlp(4, 3, units=(4,), activation=name))
    for name in normalization.names():
        options = {"widths": (4,), "depth": 1, "normalization": name}
        keep(f"model-normalization-{name}", recipes.cnn((8, 8, 3), 3, **options))
    for name in regularizers.names():
        keep(f"model-regularizer-{name}", recipes.mlp(4, 3, units=(4,), kernel_regularizer=name))
    for name in set(initializers.NAMES) - {"zeros"}:
        choices = {"units": (4,), "kernel_initializer": name}
        keep(f"model-initializer-{name}", recipes.mlp(4, 3, **choices))
    for name in regularizers.DROPOUTS:
        options = {"widths": (4,), "depth": 1, "dropout": (name, {"rate": 0.1})}
        keep(f"model-dropout-{name}", recipes.cnn((8, 8, 3), 3, **options))
    for name in constraints.names():
        keep(f"model-constraint-{name}", recipes.mlp(4, 3, units=(4,), kernel_constraint=name))
    keep("model-drop-path", recipes.resnet((8, 8, 3), 3, depth=(1, 1), width=8, drop_path=0.1))
    keep("model-options", recipes.mlp(4, 3, units=(4,), activation=("celu", {"alpha": 2.0})))
    for name in scaling.NAMES:
        layer = scaling.get(name, data=np.arange(12.0).reshape(3, 4))
        keep(f"model-scaling-{name}", recipes.mlp(4, 3, units=(4,), scaling=layer))
    smoothed = recipes.compile_classifier(recipes.mlp(4, 3, units=(4,)), label_smoothing=0.1)
    keep("model-smoothing", built(smoothed))
    schedule = callbacks.CosineDecay(0.1, 10).as_schedule(10)
    for name, optimizer in {
        "schedule": keras.optimizers.Adam(schedule),
        "sgd": callbacks.CyclicMomentumSGD(schedule),
        "adam": callbacks.CyclicMomentumAdam(0.1),
    }.items():
        plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        plain.compile(optimizer, "mse")
        keep(f"plain-{name}", built(plain))
    return folder, counts


def built(model):
    model.optimizer.build(model.trainable_variables)
    return model


def python(code, *words, cwd):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("order", slow_but(QUICK, ORDERS))
def test_every_model_loads_in_another_process(order, files, tmp_path):
    folder, counts = files
    plain = "\nload = keras.models.load_model" if "load" not in ORDERS[order] else ""
    result = python(ORDERS[order] + plain + LOAD, folder, "*.keras", cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    found = dict(line.split() for line in result.stdout.splitlines())
    assert {name: int(count) for name, count in found.items()} == counts


def test_schedules_and_optimizers_load_after_the_callbacks_alone(files, tmp_path):
    code = "import callbacks, keras\nload = keras.models.load_model" + LOAD
    code += "\nassert 'recipes' not in sys.modules"
    result = python(code, files[0], "plain-*.keras", cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    assert len(result.stdout.splitlines()) == 3


def test_beside_callbacks_of_the_users_own_a_schedule_loads(files, tmp_path):
    (tmp_path / "callbacks.py").write_text('MINE = "their own"\n')
    script = tmp_path / "script.py"
    script.write_text("import callbacks, recipes, keras\nload = keras.models.load_model" + LOAD)
    result = subprocess.run(
        [sys.executable, script, files[0], "plain-*.keras"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert len(result.stdout.splitlines()) == 3


def test_plain_keras_names_the_package_to_import(files, tmp_path):
    code = """
import keras, sys
for path in sys.argv[1:]:
    try:
        keras.models.load_model(path)
    except TypeError as error:
        print(error, end="\\f")
"""
    names = ("model-activation-crelu", "plain-schedule")
    result = python(code, *(files[0] / f"{name}.keras" for name in names), cwd=tmp_path)
    said = result.stdout.split("\f")
    assert len(said) == len(names) + 1
    for words in said[:-1]:
        assert "'registered_name': 'recipes>" in words
        assert "make sure they are all imported" in words


def test_the_import_needs_no_keras_and_leaves_no_trace_after_it():
    code = """
import sys, recipes, callbacks
assert not {'keras', 'tensorflow', 'numpy', 'pandas'} & set(sys.modules)
from importlib.util import find_spec
assert find_spec("keras").submodule_search_locations
import keras
assert not [finder for finder in sys.meta_path if "registration" in type(finder).__module__]
assert type(keras.__loader__).__name__ == type(keras.__spec__.loader).__name__ == "SourceFileLoader"
assert "recipes.ingredients.activations" not in sys.modules
assert "recipes>CReLU" in keras.saving.get_custom_objects()
"""
    result = python(code, cwd="/")
    assert result.returncode == 0, result.stderr[-2000:]


def registered():
    """Every class of the two packages that Keras registers: name to (module, class)."""
    for package in (recipes, callbacks):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if module.name != "recipes.cli":
                import_module(module.name)
    return {
        name: thing
        for name, thing in keras.saving.get_custom_objects().items()
        if inspect.isclass(thing) and thing.__module__.split(".")[0] in ("recipes", "callbacks")
    }


def test_the_tables_are_whole():
    found = {name: thing for name, thing in registered().items() if name.startswith("recipes>")}
    ours = {(module, name) for module, names in SAVED_IN.items() for name in names}
    ours |= {
        (f"callbacks.{module}", name)
        for name, module in callbacks.registry.MODULE_OF.items()
        if f"recipes>{name}" in found
    }
    assert {(thing.__module__, thing.__name__) for thing in found.values()} == ours
    public = {f"recipes>{name}" for name in callbacks.SCHEMES.values()}
    assert public | {"recipes>TableSchedule", "recipes>CyclicMomentumSGD"} <= set(found)


@pytest.mark.parametrize("name", ["TableSchedule", "CosineDecay", "CyclicMomentumAdam"])
def test_the_names_of_earlier_versions_still_load(name):
    from tests.callbacks.cases import EXAMPLES

    make = {"TableSchedule": lambda: callbacks.TableSchedule([0.1]), **EXAMPLES}.get(
        name, lambda: getattr(callbacks, name)()
    )
    config = keras.saving.serialize_keras_object(make())
    assert config["registered_name"] == f"recipes>{name}"
    config["registered_name"] = f"learning_rate_decay>{name}"
    assert type(keras.saving.deserialize_keras_object(config)) is getattr(callbacks, name)


@pytest.mark.parametrize("name", EARLIER)
def test_a_layer_that_was_renamed_still_loads(name):
    config = keras.saving.serialize_keras_object(activations.get("prelu"))
    config.update(class_name=name, registered_name=f"recipes>{name}")
    assert type(keras.saving.deserialize_keras_object(config)) is ChannelPReLU


@pytest.mark.parametrize("thing", [SmoothedSparseCrossentropy(0.1), TokenPooling("class")])
def test_a_class_that_was_moved_still_loads(thing):
    config = keras.saving.serialize_keras_object(thing)
    config["module"] = "recipes.heads"
    assert type(keras.saving.deserialize_keras_object(config)) is type(thing)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_load_model_gives_the_answers_and_the_loss_back(suffix, tmp_path):
    model = recipes.compile_classifier(
        RECIPES["cnn"](activation="crelu", normalization="weight", seed=0), label_smoothing=0.1
    )
    built(model)
    x = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    path = tmp_path / f"model{suffix}"
    model.save(path)
    loaded = recipes.load_model(path)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    assert loaded.loss.label_smoothing == 0.1
    assert not recipes.load_model(path, compile=False).compiled
    with pytest.raises(ValueError, match="gone"):
        recipes.load_model(tmp_path / "gone.keras")
