"""One place for every option: its default, its check and its name."""

import dataclasses
import inspect
import json
import subprocess
import sys
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

import recipes
from recipes import rules, strategies
from recipes.augmentation import Augmentation
from recipes.keywords import DataOptions, Options
from recipes.options import default_in_words
from recipes.rules import AUTO, size_in_bytes, size_in_words
from recipes.settings import DataSettings, Settings, options_of
from recipes.strategies import FineTuneStrategy, Phase

OPTIONS = {one.name: one for _, one in options_of()}
MINE = FineTuneStrategy("mine", "pretrained", (Phase("head", 1.0, 2, 1e-3),), "of my own")

# A value of each option that is not its default, and values that are refused. What is not checked
# here is checked where it is used: a path, a backbone.
VALUES = {
    "task": ("binary", ["multi", 3, None]),
    "positive": ("ill", [3, ""]),
    "threshold": (0.3, [0, 1, -0.1, "half", True, float("nan")]),
    "pictures": ("train/", ["", " ", 7]),
    "file_column": ("id", [7, ""]),
    "label_column": (("a", "b"), [7, [], "", [1, 2]]),
    "part_column": ("fold", [7, ""]),
    "group_column": ("patient", [7, ""]),
    "labels_from_name": (r"^(\w)", [7, ""]),
    "groups": ("groups.csv", ["", 7]),
    "validation": (0.2, [0, 1, -0.1, "0.2", None, float("inf")]),
    "test": (0.0, [1, -0.1, "0.2", None, True]),
    "cache_limit": (512 << 20, [-1, "much", "2 PB", 1.5, None, "1.2.3 GB", ""]),
    "layout": ("parts", ["folders", None, 1]),
    "allow_empty_classes": (True, [1, "yes", None]),
    "resize": ("pad", ["squish", None, 1]),
    "background": ("#102030", ["no colour", "", 3, None, (1, 2, 3)]),
    "near_copies": (False, [1, "yes", None]),
    "max_pixels": (10**9, [0, -1, 1.5, "much", None]),
    "backbone": ("ResNet50", []),
    "weights": ("pretrained", ["", 7]),
    "image_size": (64, [0, -3, 64.0, "64", True]),
    "dropout": (0.0, [1, -0.1, "0.2", None]),
    "epochs": (3, [0, -1, 2.0, "3", True]),
    "batch_size": ("auto", [0, -1, 2.5, "16", None]),
    "augmentation": (Augmentation(rotation=5, mixup=0.3), [3, "", None, {"mixup": -1}]),
    "views": (2, [0, 1.5, None]),
    "class_weights": (
        (("rare", 50.0), (0, 1.0)),
        [
            1,
            0.5,
            "yes",
            "balanced",
            {},
            [],
            {0: -1},
            {0: "1"},
            {0.5: 1},
            {True: 2},
            {None: 1},
            [1, float("nan")],
            [True, 1],
            [0, 0],
            {1, 2},
            [[0, 1], 2],
            [[0]],
            [[0, 1, 2]],
            {-1: 2},
        ],
    ),
    "distribution": ("data_parallel", ["model_parallel", 2]),
    "precision": ("mixed_float16", ["float16", "half", 16, None]),
    "refit": (False, [1, "yes"]),
    "time_limit": (600.0, [0, -1, "soon", "10 parsecs", "", True, float("inf")]),
    "seed": (7, [-1, 1.0, "7", None]),
    "strategy": ("race", ["small_simlar", 3, None]),
    "large_from": (50, [0, 10.5, None]),
    "dissimilar_from": (0.2, [0, -1, "far", None, float("nan")]),
}
BAD = [(name, value) for name, (_, bad) in VALUES.items() for value in bad]


def value_of(made, name):
    return next(getattr(getattr(made, g), name) for g, one in options_of() if one.name == name)


def test_the_table_covers_every_option():
    assert list(VALUES) == list(OPTIONS)


@pytest.mark.parametrize("name", VALUES)
def test_an_option_is_kept_and_comes_back_from_its_dictionary(name):
    value = VALUES[name][0]
    made = Settings.of(**{name: value})
    assert value_of(made, name) == value != OPTIONS[name].default
    assert Settings.from_dict(made.to_dict()) == made


@pytest.mark.parametrize(("name", "value"), BAD)
def test_what_is_not_allowed_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Settings.of(**{name: value})


def test_a_dictionary_is_plain_values_of_all_options():
    made = Settings.of(strategy=MINE, label_column=["a", "b"], batch_size=np.int64(8))
    values = made.to_dict()
    assert list(values) == list(OPTIONS)
    assert Settings.from_dict(json.loads(json.dumps(values))) == made
    assert made.choosing.strategy is MINE


def test_a_backbone_is_written_by_its_name(tiny):
    assert Settings.of(backbone=tiny).to_dict()["backbone"] == "tiny"


WEIGHTS = {
    "mapping by place": ({0: 1, 1: 50}, ((0, 1.0), (1, 50.0))),
    "mapping by name": ({"cat": 1, "dog": 2.5}, (("cat", 1.0), ("dog", 2.5))),
    "names that are digits": ({"1": 3}, (("1", 3.0),)),
    "numbers of NumPy": ({np.int64(1): np.float32(2)}, ((1, 2.0),)),
    "list": ([1, 2], (1.0, 2.0)),
    "array": (np.array([1.0, 2.0]), (1.0, 2.0)),
    "series by name": (pd.Series({"cat": 1.0, "dog": 2.0}), (("cat", 1.0), ("dog", 2.0))),
    "yes": (True, True),
    "no": (False, False),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_class_weights_of_any_form_come_back_from_json(kind):
    given, kept = WEIGHTS[kind]
    made = Settings.of(class_weights=given)
    assert made.training.class_weights == kept
    again = Settings.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    # What an unfinished run wrote is compared with what a call gives.
    assert again.to_dict() == json.loads(json.dumps(made.to_dict()))


def test_numbers_of_numpy_are_taken():
    made = Settings.of(
        epochs=np.int32(3), seed=np.uint8(4), test=np.float32(0.25), cache_limit=np.int64(10)
    )
    assert made == Settings.of(epochs=3, seed=4, test=0.25, cache_limit=10)
    for group, one in options_of():
        value = getattr(getattr(made, group), one.name)
        assert not isinstance(value, np.generic), one.name


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="validation and test"):
        DataSettings(validation=0.6, test=0.4)


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ValueError, match=r"'bach_size'\. Did you mean 'batch_size'"):
        Settings.of(bach_size=3)


@pytest.mark.parametrize("group", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_settings_cannot_be_changed(group):
    part = getattr(Settings(), group.name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(part, dataclasses.fields(part)[0].name, 1)


def test_the_options_of_fit_are_the_fields():
    assert list(get_type_hints(Options)) == list(OPTIONS)
    assert list(get_type_hints(DataOptions)) == [f.name for f in dataclasses.fields(DataSettings)]


def test_fit_folder_has_the_defaults_of_the_settings():
    signature = inspect.signature(recipes.fit_folder).parameters
    defaults = {
        name: parameter.default
        for name, parameter in signature.items()
        if name in OPTIONS and parameter.default is not parameter.empty
    }
    assert len(defaults) == 27
    assert defaults == {name: OPTIONS[name].default for name in defaults}
    rest = set(signature) - set(OPTIONS)
    assert rest == {"folder", "output", "callbacks", "overwrite", "verbose"}


def test_fit_folder_passes_every_option_on(monkeypatch):
    from recipes import workflow

    told = {}
    monkeypatch.setattr(workflow, "fit", lambda data, **options: told.update(options))
    given = {
        name: VALUES[name][0]
        for name in inspect.signature(workflow.fit_folder).parameters
        if name in OPTIONS
    }
    workflow.fit_folder("photos", output="run", callbacks=(1,), overwrite=1, verbose=0, **given)
    assert told == {"output": "run", "callbacks": (1,), "overwrite": 1, "verbose": 0, **given}


@pytest.mark.parametrize("name", VALUES)
def test_an_option_has_a_text_and_a_default_in_words(name):
    one = OPTIONS[name]
    group = next(Settings.__dataclass_fields__[g].type for g, o in options_of() if o.name == name)
    assert one.metadata["help"]
    assert f"{name}: " in inspect.getdoc(group)
    assert (one.default is None) == (one.metadata["unless"] is not None)
    assert default_in_words(one)


def test_strategies_are_those_of_the_table():
    for name in strategies.names():
        assert Settings.of(strategy=name).choosing.strategy == name
    assert Settings().choosing.strategy == AUTO


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("512MB", 512 << 20),
        ("2 GB", 2 << 30),
        ("2g", 2 << 30),
        ("1.5 kb", 1536),
        (" 1 TB ", 1 << 40),
        (4096, 4096),
    ],
)
def test_sizes_are_read(text, size):
    assert size_in_bytes(text) == size


@given(st.integers(0, 999_999), st.sampled_from(list(rules._UNITS.values())))
def test_a_size_in_words_is_read_again(number, unit):
    size = number * unit
    assert size_in_bytes(size_in_words(size)) == pytest.approx(size, rel=1e-5, abs=1)


def test_settings_need_neither_keras_nor_numpy():
    code = (
        "import sys, recipes; recipes.Settings.of(task='binary').to_dict();"
        "from recipes.options import default_in_words; from recipes.settings import options_of;"
        "[default_in_words(one) for _, one in options_of()];"
        "assert not {'keras', 'tensorflow', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
