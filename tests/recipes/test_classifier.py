"""A classifier that stays loaded answers as a call of its own, for pictures of every kind."""

import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from PIL import Image

import recipes
from recipes.images.decode import Reading
from recipes.tasks import Binary, Multiclass, Multilabel
from recipes.transfer import results
from tests.recipes.images import pictures

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def classifier(run):
    return recipes.load(run)


@pytest.fixture(scope="module")
def files(run, photos):
    return [photos / file for file in run.predictions["file"]]


def untrained(task, side=24, **options):
    """A network with no training, of which each picture has answers of its own."""
    keras.utils.set_random_seed(3)
    given = keras.Input((side, side, 3))
    x = keras.layers.Conv2D(6, 5, strides=3)(keras.layers.Rescaling(1 / 99)(given))
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(task.units, task.activation)(x)
    return recipes.Classifier(keras.Model(given, outputs), task, **options)


def test_it_knows_what_it_tells(classifier, run):
    assert classifier.classes == run.classes
    assert classifier.task == run.task
    assert classifier.run is run
    assert isinstance(classifier.model, keras.Model)
    assert repr(classifier) == f"Classifier('{run.folder}', 3 classes, 32 × 32 pixels)"


def test_it_answers_as_predict_does_for_folder_run_and_classifier(classifier, run, files):
    ours = classifier(files)
    for model in (run.folder, str(run.folder), run, classifier):
        table = recipes.predict(model, files, verbose=False)
        assert table.equals(ours)
    assert ours["label"].tolist() == run.predictions["prediction"].tolist()
    assert recipes.load_classifier(run)[1] == run.classes


def test_pictures_in_memory_give_the_files_probabilities_bit_for_bit(classifier, files):
    expected = classifier(files).drop(columns="file")
    opened = [Image.open(path) for path in files]
    ways = {
        "bytes": [path.read_bytes() for path in files],
        "files": [io.BytesIO(path.read_bytes()) for path in files],
        "pictures": opened,
        "decoded": [picture.convert("RGB") for picture in opened],
        "arrays": [np.asarray(picture.convert("RGB")) for picture in opened],
    }
    kinds = list(ways.values())
    ways["mixed"] = [kinds[k % len(kinds)][k] for k in range(len(files))]
    for way in ways.values():
        table = classifier(way)
        assert table.drop(columns="file").equals(expected)
    assert classifier(ways["arrays"])["file"].tolist() == [
        f"picture {k}" for k in range(1, len(files) + 1)
    ]
    one = classifier(opened[0])
    assert one.drop(columns="file").equals(expected.iloc[:1])


@pytest.fixture
def traced(monkeypatch):
    """The shapes of which a network was traced, or run layer by layer."""
    shapes = []
    call = keras.layers.Rescaling.call

    def heard(layer, inputs, *given, **options):
        shapes.append(inputs.shape)
        return call(layer, inputs, *given, **options)

    monkeypatch.setattr(keras.layers.Rescaling, "call", heard)
    return shapes


@pytest.mark.tensorflow_only
def test_a_second_call_builds_and_traces_nothing(run, files, traced, monkeypatch):
    classifier = recipes.load(run)
    first = classifier(files[:2])
    traced.clear()
    monkeypatch.setattr(results, "model_of", None)
    monkeypatch.setattr(keras.Model, "__init__", None)
    assert classifier(files[:2]).equals(first)
    for given in (files[0], files * 4, RNG.integers(0, 256, (3, 50, 40, 3), "uint8")):
        classifier(given)
    classifier.predict(files[:3], top_k=1, views=2)
    assert not traced


def test_what_stands_beside_a_picture_changes_nothing(classifier, files):
    together = classifier(files)
    for row, path in enumerate(files[:5]):
        assert classifier(path).equals(together.iloc[[row]].reset_index(drop=True))


@pytest.mark.parametrize(
    "task",
    [
        Multiclass(("a", "b", "c", "d")),
        Binary(("no", "yes"), thresholds=(0.4,)),
        Multilabel(("a", "b", "c")),
    ],
    ids=lambda task: task.name,
)
def test_every_task_is_told_by_its_own_decision(task):
    classifier = untrained(task)
    arrays = RNG.integers(0, 256, (40, 24, 24, 3), "uint8")
    table = classifier.predict(arrays, batch_size=16)
    outputs = classifier.model.predict(arrays, batch_size=16, verbose=0)
    said = "labels" if task.name == "multilabel" else "label"
    assert table[said].tolist() == task.names_of(task.decide(outputs)).tolist()
    assert len(set(table[said])) > 1
    assert (table["error"] == "").all()


def test_pictures_are_read_as_the_run_reads_them():
    task = Multiclass(("a", "b", "c"))
    reading = Reading(resize="pad", background="#204060", levels=(100.0, 3_000.0))
    deep = Image.fromarray(RNG.integers(0, 4_096, (30, 60)).astype("uint16"))
    clear = Image.fromarray(RNG.integers(0, 256, (30, 60, 4), "uint8"))
    for picture in (deep, clear):
        file = pictures.encoded(picture, "PNG")
        plain, own = untrained(task), untrained(task, reading=reading)
        assert own(picture).equals(own(file))
        assert not own(picture).equals(plain(picture))


def test_what_cannot_be_read_has_an_error_and_ends_nothing(classifier, files):
    cut = Image.open(io.BytesIO(pictures.BAD["truncated.png"]))
    given = [files[0], b"", cut, io.BytesIO(b"text"), Image.open(files[1])]
    table = classifier(given)
    assert table["error"].astype(bool).tolist() == [False, True, True, True, False]
    assert table["label"].isna().tolist() == [False, True, True, True, False]
    assert table["file"].tolist() == [str(files[0]), *(f"picture {k}" for k in range(2, 6))]
    alone = classifier([files[0], files[1]])
    columns = ["label", "probability", "novelty"]
    assert table.loc[[0, 4], columns].reset_index(drop=True).equals(alone[columns])


@pytest.mark.parametrize("name", ["top_k", "views", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3"])
def test_options_that_are_no_counts_are_refused_by_name(classifier, name, value):
    for call in (classifier.predict, lambda *a, **o: recipes.predict(classifier, *a, **o)):
        with pytest.raises(ValueError, match=f"^{name}: {value!r} is not a whole number from 1"):
            call(pictures.RGB, **{name: value})


def test_more_labels_than_classes_are_all_of_them(classifier):
    table = classifier.predict(pictures.RGB, top_k=99)
    assert [name for name in table if name.startswith("label")] == ["label", "label_2", "label_3"]
    assert sorted(table.loc[0, ["label", "label_2", "label_3"]]) == sorted(classifier.classes)
    assert "label_2" not in classifier.predict(pictures.RGB, top_k=1)


NO_MODELS = {
    "empty": ("", "run: the path is empty"),
    "spaces": ("  ", "run: the path is empty"),
    "nothing": (None, "model: NoneType is not a run folder"),
    "number": (3, "model: int is not a run folder"),
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_is_no_model_is_refused_by_name(name):
    model, text = NO_MODELS[name]
    for call in (recipes.load, lambda model: recipes.predict(model, pictures.RGB)):
        with pytest.raises(ValueError, match=f"^{text}"):
            call(model)
    with pytest.raises(ValueError, match=r"^batch_size: 0"):
        recipes.load("efficientnet_lite0", batch_size=0)


@pytest.mark.parametrize("given", [[], "", (), np.zeros((0, 8, 8, 3), "uint8"), iter([])])
def test_no_pictures_are_refused_by_name(classifier, given):
    with pytest.raises(ValueError, match=r"^pictures: "):
        classifier(given)


def test_eight_threads_get_what_one_gets_of_a_network_traced_once(run, files, traced):
    alone, cold = recipes.load(run), recipes.load(run)
    shared = [Image.open(path) for path in files]
    ways = [files, shared, [path.read_bytes() for path in files], files[::-1]] * 2
    traced.clear()
    expected = [alone.predict(given, batch_size=8) for given in ways]
    count = len(traced)
    start = threading.Barrier(len(ways))

    def ask(given):
        start.wait()
        return [cold.predict(given, batch_size=8) for _ in range(3)]

    with ThreadPoolExecutor(len(ways)) as pool:
        found = list(pool.map(ask, ways))
    for tables, table in zip(found, expected, strict=True):
        assert all(one.equals(table) for one in tables)
    if keras.backend.backend() == "tensorflow":
        assert len(traced) == 2 * count


def test_a_backbone_is_loaded_by_its_name_and_takes_pictures_in_memory(photos):
    classifier = recipes.load("efficientnet_lite0", batch_size=1)
    assert classifier.run is None
    assert len(classifier.classes) == 1_000
    assert repr(classifier) == "Classifier(1,000 classes, 224 × 224 pixels)"
    path = photos / "NA" / "000.png"
    with Image.open(path) as picture:
        in_memory, file = classifier([picture, path]).drop(columns="file").to_dict("records")
    assert in_memory == file


def test_the_models_file_carries_the_labels_and_keras_loads_it(run, classifier, files):
    path = run.folder / "model.keras"
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        labels = json.loads(file.read("labels.json"))
    assert labels["classes"] == run.classes
    assert labels["task"] == run.task.name
    assert Reading.from_dict(labels["reading"]) == run.reading
    model = keras.models.load_model(path)
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    said = [labels["classes"][k] for k in model.predict(pixels, verbose=0).argmax(axis=1)]
    assert said == classifier(pixels)["label"].tolist()


@pytest.mark.parametrize(
    "task",
    [Binary(("no", "yes"), thresholds=(0.4,)), Multilabel(("א", "🐱"), thresholds=(0.2, 0.3))],
    ids=lambda task: task.name,
)
def test_labels_in_a_models_file_have_all_that_a_decision_takes(task, tmp_path):
    model = untrained(task).model
    results.save_model(tmp_path / "a.keras", model, results.labels_of(task, Reading()))
    labels = json.loads(zipfile.ZipFile(tmp_path / "a.keras").read("labels.json"))
    assert labels.pop("reading") == Reading().to_dict()
    assert recipes.tasks.from_dict({"name": labels.pop("task"), **labels}) == task
    loaded = keras.models.load_model(tmp_path / "a.keras")
    pixels = RNG.integers(0, 256, (2, 24, 24, 3), "uint8")
    np.testing.assert_array_equal(loaded.predict(pixels), model.predict(pixels))
