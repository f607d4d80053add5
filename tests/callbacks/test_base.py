"""What every scheme is: final and small, saved by its parameters, a table and a plot."""

import inspect

import keras
import pytest
from matplotlib.figure import Figure

import callbacks
from tests.callbacks.cases import EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_scheme_is_final_and_small(name):
    cls = getattr(callbacks, name)
    assert not cls.__subclasses__()
    assert cls.__final__
    method = inspect.getsource(cls.value)
    assert len(method.splitlines()) <= 12
    assert list(inspect.signature(cls.value).parameters) == ["self", "step"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_configuration_and_serialization_round_trip(name):
    scheme = EXAMPLES[name]()
    curve = [scheme.value(step) for step in range(12)]
    by_config = type(scheme).from_config(scheme.get_config())
    by_keras = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(scheme))
    for copy in (by_config, by_keras):
        assert type(copy) is type(scheme)
        assert [copy.value(step) for step in range(12)] == curve
        assert repr(copy.get_config()) == repr(scheme.get_config())


@pytest.mark.parametrize("name", EXAMPLES)
def test_table_and_plot(name):
    scheme = EXAMPLES[name]()
    table = scheme.to_frame(12)
    assert list(table)[:2] == [scheme.per, "learning_rate"]
    assert table["learning_rate"].tolist() == [scheme.value(step) for step in range(12)]
    assert ("momentum" in table) == scheme.drives_momentum
    axes = Figure().subplots()
    assert scheme.plot(12, ax=axes) is axes
    callbacks.StepLR(3).plot(12, ax=axes)
    labels = [line.get_label() for line in axes.lines]
    assert labels[0].startswith(f"{name}(")
    assert labels[1] == "StepLR(3)"
    assert axes.lines[0].get_ydata().tolist() == table["learning_rate"].tolist()


def test_outside_of_training_the_curve_shows_factors():
    assert callbacks.StepLR(1, gamma=0.5).to_frame(3)["learning_rate"].tolist() == [1, 0.5, 0.25]


def test_a_product_is_a_chain():
    chain = callbacks.CosineDecay(0.5, 10) * callbacks.StepLR(3, gamma=0.5, per="step")
    cosine = callbacks.CosineDecay(0.5, 10)
    assert chain.value(7) == pytest.approx(cosine.value(7) * 0.25)
    with pytest.raises(TypeError):
        cosine * 2


def test_the_legend_numbers_what_looks_the_same():
    axes = Figure().subplots()
    for factor in (0.9, 0.5, 0.1):
        callbacks.LambdaLR(lambda epoch, factor=factor: factor**epoch).plot(5, ax=axes)
    labels = [text.get_text() for text in axes.get_legend().texts]
    assert labels == [f"LambdaLR(<lambda>){end}" for end in ("", " (2)", " (3)")]


def test_the_legend_tells_schemes_of_one_class_apart_and_the_momentum_has_its_axis():
    axes = Figure().subplots()
    for size in (3, 5):
        callbacks.StepLR(size, gamma=0.5).plot(12, ax=axes)
    for top in (0.1, 0.2):
        callbacks.OneCycleLR(top).plot(12, ax=axes)
    callbacks.CosineDecay(0.1).plot(12, ax=axes)
    labels = [text.get_text() for text in axes.get_legend().texts]
    assert labels == [
        "StepLR(3, gamma=0.5)",
        "StepLR(5, gamma=0.5)",
        "OneCycleLR(0.1)",
        "OneCycleLR(0.2)",
        "CosineDecay(0.1)",
        "OneCycleLR(0.1): momentum",
        "OneCycleLR(0.2): momentum",
    ]
    (right,) = [one for one in axes.figure.axes if one is not axes]
    cycle = callbacks.OneCycleLR(0.1).over(12)
    assert right.lines[0].get_ydata().tolist() == [cycle.momentum(step) for step in range(12)]
    assert right.get_ylabel() == "momentum"
    assert axes.get_xlabel() == "epoch or step"
