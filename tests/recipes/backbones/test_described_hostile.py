"""What anybody may write into the file of a backbone."""

import copy
import resource

import pytest

from recipes import backbones
from recipes.backbones import described
from tests.recipes.backbones.described_cases import (
    CALLED,
    Stranger,
    nested,
    written,
)


@pytest.fixture(scope="module")
def values():
    return written(backbones.get(nested()))


def inner(values):
    """The convolution inside of the model inside."""
    layer = next(one for one in values["layers"]["layers"] if one["name"] == "b")
    return next(one for one in layer["config"]["layers"] if one["class_name"] == "Conv2D")


def outer(values):
    return next(one for one in values["layers"]["layers"] if one["name"] == "preprocessing")


def refused(values, said=r"\w"):
    """The values are refused, in one short line, at once and without much memory."""
    CALLED.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=said) as caught:
        described.from_dict(values)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # a gigabyte
    assert not CALLED


HERE = Stranger.__module__
OBJECTS = {
    "a Lambda": {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"value": ["4wEA"]}}},
    },
    "a lambda": {"class_name": "__lambda__", "config": {"value": ["4wEA"]}},
    "a function": {"module": "builtins", "class_name": "function", "config": "eval"},
    "another module": {"module": "os", "class_name": "system", "config": {"command": "ls"}},
    "a class here": {"module": HERE, "class_name": "Stranger", "config": {}},
    "a registered class": {
        "module": "keras.layers",
        "class_name": "Stranger",
        "registered_name": "stranger>Stranger",
        "config": {},
    },
    "a class of another module of Keras": {
        "module": "keras.src.layers",
        "class_name": "Conv2D",
        "config": {"filters": 4, "kernel_size": 3},
    },
    "a saved model": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": "/tmp/evil"},
    },
    "a module of PyTorch": {
        "module": "keras.layers",
        "class_name": "TorchModuleWrapper",
        "config": {"module": "gASV"},
    },
    "a file's words": {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"vocabulary": "/etc/passwd"},
    },
    "a download": {"module": "keras.utils", "class_name": "get_file", "config": {}},
    "a described model": {
        "module": "recipes.transfer.model",
        "class_name": "DescribedModel",
        "registered_name": "recipes>DescribedModel",
        "config": {"description": "{}"},
    },
    "a type": {
        "class_name": "__typespec__",
        "spec_name": "Stranger",
        "module": HERE,
        "config": [],
        "registered_name": "stranger>Stranger",
    },
    "no class": {"module": "keras.layers", "class_name": None, "config": {}},
    "a list of classes": {"module": "keras.layers", "class_name": ["Dense"], "config": {}},
    "no configuration": {"module": "keras.layers", "class_name": "Conv2D"},
    "half an object": {"module": "os", "config": {}},
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_class_that_is_not_on_the_list_is_refused_wherever_it_stands(kind, values):
    for key in ("kernel_initializer", "activation", "kernel_regularizer", "name", "filters"):
        hostile = copy.deepcopy(values)
        inner(hostile)["config"][key] = OBJECTS[kind]
        refused(hostile)
    hostile = copy.deepcopy(values)
    place = hostile["layers"]["layers"].index(outer(hostile))
    nodes = hostile["layers"]["layers"][place]["inbound_nodes"]
    hostile["layers"]["layers"][place] = {
        **OBJECTS[kind],
        "name": "preprocessing",
        "inbound_nodes": nodes,
    }
    refused(hostile)
    hostile = copy.deepcopy(values)
    outer(hostile)["inbound_nodes"][0]["kwargs"]["training"] = OBJECTS[kind]
    refused(hostile)


NUMBERS = {
    "filters": [10**9, 1 << 31, 10**30, -1, 0, 2.5, "4", float("nan"), float("inf"), None, [4], {}],
    "kernel_size": [10**9, [10**6, 10**6], [3] * 10**5],
    "groups": [10**9, 0],
    "activation": ["evil", "stranger>Stranger", "x" * 10**6, "a\nb", "os.system", 7],
    "dtype": ["int8_from_float32", "object", 7],
    "name": ["a\0", ["a"], {"a": 1}],
    "evil": [1],
    "a b": [1],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, found in NUMBERS.items() for value in found]
)
def test_a_hostile_value_is_refused(name, value, values):
    hostile = copy.deepcopy(values)
    inner(hostile)["config"][name] = value
    refused(hostile)


LARGE = {
    "padding": {"class_name": "ZeroPadding2D", "config": {"padding": 10**6}},
    "enlarging": {"class_name": "UpSampling2D", "config": {"size": [10**5, 10**5]}},
    "resizing": {"class_name": "Resizing", "config": {"height": 10**6, "width": 10**6}},
    "units": {"class_name": "Dense", "config": {"units": 1 << 31}},
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_would_fill_the_memory_is_refused_before_it_does(kind, values):
    hostile = copy.deepcopy(values)
    sequence = next(one for one in hostile["layers"]["layers"] if one["name"] == "b")
    large = {"module": "keras.layers", **LARGE[kind]}
    sequence["config"]["layers"].append(large)
    refused(hostile, "more than")


def test_more_parameters_than_a_run_has_are_refused(values):
    assert described.from_dict(values, 112).model.count_params() == 112
    with pytest.raises(ValueError, match="more than 111 parameters"):
        described.from_dict(values, 111)


def test_pictures_are_of_one_size_in_batches_of_any(values):
    for shape in ([10**6, 32, 32, 3], [None, 10**6, 10**6, 3], [None, 32], [None, None, None, 3]):
        hostile = copy.deepcopy(values)
        hostile["layers"]["layers"][0]["config"]["batch_shape"] = shape
        refused(hostile)


def test_a_small_file_does_not_stand_for_a_large_network(values):
    layer = {"module": "keras.layers", "class_name": "ReLU", "config": {}, "name": "r"}
    for level in range(8):  # each calls the one inside ten times
        layer = {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": {"name": f"m{level}", "trainable": True, "layers": [layer]},
            "name": f"m{level}",
            "inbound_nodes": [{"args": [], "kwargs": {}}] * 10,
        }
    hostile = copy.deepcopy(values)
    hostile["layers"]["layers"].append(layer)
    refused(hostile, "more than 100,000 layers")


def test_what_is_nested_too_deeply_is_refused(values):
    hostile = copy.deepcopy(values)
    value = []
    for _ in range(100):
        value = [value]
    inner(hostile)["config"]["strides"] = value
    refused(hostile, "nested too deeply")


def test_names_and_notes_beside_a_class_mean_nothing(values):
    """Registered names, how it was built or compiled, what it shares with others."""
    evil = {
        "module": HERE,
        "class_name": "Stranger",
        "registered_name": "stranger>Stranger",
        "config": {},
    }
    hostile = copy.deepcopy(values)
    for node in (inner(hostile), outer(hostile), inner(hostile)["config"]["kernel_initializer"]):
        node["registered_name"] = "stranger>Stranger"
        node["build_config"] = {"input_shape": [None, 10**9, 10**9, 10**9], "evil": evil}
        node["compile_config"] = {"optimizer": evil, "loss": evil}
        node["shared_object_id"] = 7
    CALLED.clear()
    model = described.from_dict(hostile).model
    assert not CALLED
    assert not model.compiled
    assert [type(one).__name__ for one in model.layers] == [
        type(one).__name__ for one in described.from_dict(values).model.layers
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": None},
        {"layers": []},
        {"layers": {"name": "a"}},
        {"stages": None},
        {"stages": [{"name": "a", "output": "nothing", "layers": []}]},
        {"stages": [{"name": "a", "output": "b", "layers": "b"}]},
        {"stages": [7]},
        {"name": 7},
        {"name": "a\nb"},
        {"name": "x" * 1000},
        {"pooling": ["average"]},
        {"prefix": -1},
        {"fixed_size": "no"},
        {"architecture": {"family": "os.system"}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_description_that_is_not_one_is_refused(changes, values):
    refused({**values, **changes})
    for name in changes:
        if name in ("layers", "stages", "name"):
            refused({key: value for key, value in values.items() if key != name})
    for other in (7, [], "b", None):
        refused(other)
