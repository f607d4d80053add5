import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from sklearn import metrics

import recipes
from recipes import backbones
from recipes.cli import main
from recipes.run import Run
from recipes.transfer.choice import start
from recipes.transfer.fine_tune import fine_tune
from recipes.transfer.strategies import STRATEGIES
from recipes.workflow import load_classifier
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import build_tiny

ODD = {
    "truncated.jpg": pictures.BAD["truncated.jpg"],
    "cmyk.jpg": pictures.GOOD["cmyk.jpg"],
    "new\nline <b>&.png": pictures.GOOD["gray16.png"],
}
CLASSES = ("007", "NA", "cat & <dog>")  # names that are read wrongly with ease
OPTIONS = {"image_size": 32, "epochs": 30, "validation": 0.2, "test": 0.2, "verbose": False}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = pictures.make_classes(tmp_path_factory.mktemp("photos"), 20, CLASSES)
    pictures.write(folder / "NA", ODD)
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    output = tmp_path_factory.mktemp("runs") / "photos"
    return recipes.fit_folder(photos, output=output, strategy="small_similar", **OPTIONS)


@pytest.fixture
def copy(run, tmp_path):
    return Path(shutil.copytree(run.folder, tmp_path / "copy"))


def test_the_run_folder_is_whole(run):
    names = {path.name for path in run.folder.iterdir()}
    assert {"run.json", "model.keras", "weights.safetensors", "report.html"} <= names
    assert {"history.csv", "dataset.csv", "predictions.csv", "confusion.png"} <= names
    assert not any(name.startswith(".") for name in names)
    assert not run.folder.with_name("photos.partial").exists()


def test_metrics_are_scikit_learns_on_the_predictions(run):
    table = run.predictions
    columns = [f"probability of {name}" for name in run.classes]
    assert set(table["truth"]) == set(CLASSES)
    assert run.metrics["accuracy"] == metrics.accuracy_score(table["truth"], table["prediction"])
    assert run.metrics["macro_f1"] == pytest.approx(
        metrics.f1_score(table["truth"], table["prediction"], average="macro")
    )
    np.testing.assert_allclose(table[columns].sum(axis=1), 1, atol=1e-5)
    best = table[columns].to_numpy().argmax(axis=1)
    assert [run.classes[i] for i in best] == table["prediction"].tolist()
    assert run.metrics["accuracy"] > 0.8
    assert run.metrics["pictures"] == len(table) == (run.dataset["part"] == "test").sum()


def test_the_broken_file_is_listed_and_was_not_used(run):
    row = run.dataset.set_index("path").loc["NA/truncated.jpg"]
    assert (row["status"], row["part"]) == ("skipped", "")
    assert "damaged" in row["reason"]
    assert run.dataset["status"].tolist().count("ok") == 62


def test_run_json_says_how_it_was_made(run):
    info = json.loads((run.folder / "run.json").read_text())
    assert info["config"]["seed"] == 0
    assert info["config"]["strategy"] == "small_similar"
    assert {"keras", "numpy", "python", "engine"} <= set(info["versions"])
    assert info["machine"]["processors"] == os.cpu_count()
    assert info["licence"] == "Apache-2.0"
    assert run.decision.reason.startswith("Named by hand")
    assert list(run.history["epoch"]) == list(range(1, len(run.history) + 1))
    assert {"loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"} <= set(run.history)


def test_both_model_files_and_the_stored_predictions_agree(run, photos):
    files = [photos / file for file in run.predictions["file"]]
    ours = recipes.predict(run.folder, files, verbose=False)
    assert ours["label"].tolist() == run.predictions["prediction"].tolist()
    np.testing.assert_allclose(ours["probability"], run.predictions["probability"], atol=1e-5)
    plain = keras.models.load_model(run.folder / "model.keras")
    with Image.open(files[0]) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((32, 32)))[None]
    rebuilt, classes = load_classifier(run.folder)
    assert classes == run.classes
    np.testing.assert_allclose(plain.predict_on_batch(pixels), rebuilt.predict_on_batch(pixels))
    assert not plain.compiled


def test_the_report_names_everything_and_escapes_it(run):
    text = (run.folder / "report.html").read_text()
    for word in (
        "<td>007</td>",
        "small_similar",
        "truncated.jpg",
        "cat &amp; &lt;dog&gt;",
        "Apache-2.0",
    ):
        assert word in text
    assert "<dog>" not in text
    assert "http://" not in text
    assert text.count("data:image/png;base64,") >= 4
    assert 'src="http' not in text


def test_predict_averages_over_views(run, photos):
    files = sorted((photos / "NA").glob("0*.png"))[:4]
    one = recipes.predict(run.folder, files, verbose=False)
    five = recipes.predict(run.folder, files, views=5, verbose=False)
    assert not np.allclose(one["probability"], five["probability"], atol=1e-6)
    assert np.allclose(one["probability"], five["probability"], atol=0.2)
    assert one["novelty"].equals(five["novelty"])
    assert one["novelty"].between(0, 1).all()
    with pytest.raises(ValueError, match="views: 0"):
        recipes.predict(run.folder, files, views=0)


def test_predict_takes_folders_and_names_what_it_cannot_read(run, photos, tmp_path):
    pictures.write(tmp_path / "new", {**ODD, "empty.png": b""})
    table = recipes.predict(run.folder, [tmp_path / "new"], top_k=5, verbose=False)
    labels = [f"{name}{k}" for k in ("", "_2", "_3") for name in ("label", "probability")]
    assert list(table) == ["file", *labels, "novelty", "error"]
    bad = table["file"].str.endswith(("truncated.jpg", "empty.png"))
    assert bad.sum() == 2
    assert (table.loc[bad, "error"] != "").all()
    assert table.loc[bad, "label"].isna().all()
    assert (table.loc[~bad, "error"] == "").all()
    chances = table.loc[~bad, ["probability", "probability_2", "probability_3"]].astype("float64")
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5)


def test_a_backbone_predicts_imagenet_classes_as_it_is(photos):
    table = recipes.predict("efficientnet_lite0", photos / "NA" / "000.png", verbose=False)
    assert table["probability"].between(0, 1).all()
    assert isinstance(table["label_3"][0], str)


def test_a_second_run_is_the_same_and_overwrites_only_when_asked(photos, run, tmp_path):
    output = tmp_path / "again"
    options = {**OPTIONS, "strategy": "small_similar"}
    again = recipes.fit_folder(photos, output=output, **options)
    first, second = (load_file(r.folder / "weights.safetensors") for r in (run, again))
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    before = (output / "run.json").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite"):
        recipes.fit_folder(photos, output=output, **options)
    assert (output / "run.json").read_bytes() == before
    other = recipes.fit_folder(photos, output=output, **{**options, "epochs": 1}, overwrite=True)
    assert len(other.history) == 1


def test_auto_prints_what_it_measured(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "get", lambda *_, **__: build_tiny().backbone)
    options = {**OPTIONS, "epochs": 1}
    run = recipes.fit_folder(photos, output=tmp_path / "auto", **options)
    assert run.decision.strategy in ("small_similar", "large_similar")
    assert f"{run.decision.measurements['divergence']:.3f} nats" in run.decision.reason
    assert run.decision.reason.split(":")[0] in (run.folder / "report.html").read_text()


def test_the_four_race_and_the_winner_is_trained(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "get", lambda *_, **__: build_tiny().backbone)
    trained = []

    def counting(transfer, plan, *arguments, **options):
        trained.append(plan.name)
        return fine_tune(transfer, plan, *arguments, **options)

    monkeypatch.setattr("recipes.transfer.race.fine_tune", counting)
    options = {**OPTIONS, "epochs": 2, "strategy": "race"}
    run = recipes.fit_folder(photos, output=tmp_path / "race", **options)
    assert trained[:4] == list(STRATEGIES)
    assert len(trained) == 6
    assert run.info["strategy"]["name"] == run.decision.strategy
    heats = {name for name in run.decision.measurements if name.startswith("heat 2 ")}
    assert f"heat 2 {run.decision.strategy}" in heats
    assert len(heats) == 2
    assert "The four raced" in (run.folder / "report.html").read_text()
    assert not list(run.folder.glob("*race*"))


def test_where_the_margin_is_thin_the_two_nearest_compete(tmp_path, monkeypatch):
    monkeypatch.setattr(backbones, "get", lambda *_, **__: build_tiny().backbone)
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), "uint8")
    for number, pixels in enumerate(noise):  # of which no features can tell the class
        path = tmp_path / "noise" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    options = {**OPTIONS, "epochs": 1, "large_from": 15, "dissimilar_from": 1e-3}
    run = recipes.fit_folder(tmp_path / "noise", output=tmp_path / "run", **options)
    decision = run.decision
    assert decision.measurements["pictures_per_class"] < 15
    assert decision.runner_up == "large_dissimilar"
    assert "The margin is thin, so the two nearest raced" in decision.reason
    raced = ("large_similar", "large_dissimilar")
    losses = {name: decision.measurements[f"heat 1 {name}"] for name in raced}
    assert decision.strategy == min(losses, key=losses.get)


def test_a_strategy_starts_from_its_own_weights_unless_others_are_named():
    pretrained = backbones.get("efficientnet_lite0").model.get_layer("top_conv").kernel.numpy()
    config = {"backbone": "efficientnet_lite0", "image_size": 32, "dropout": 0.0, "seed": 0}
    for name, strategy in STRATEGIES.items():
        for weights in (None, "pretrained"):
            transfer = start({**config, "weights": weights}, 2, strategy)
            kernel = transfer.model.get_layer("top_conv").kernel.numpy()
            own_start = name == "large_dissimilar" and weights is None
            assert (kernel == pretrained).all() != own_start, (name, weights)


def test_rare_classes_weigh_more(tmp_path):
    folder = pictures.make_classes(tmp_path / "photos", 24, ("few", "many"))
    for number in range(8, 24):
        (folder / "few" / f"{number:03d}.png").unlink()
    run = recipes.fit_folder(folder, output=tmp_path / "run", strategy="head_only", **OPTIONS)
    assert run.info["class_weights"]["used"]
    assert run.info["class_weights"]["imbalance"] > 1.5


def spoil_checksum(folder):
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-5] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes(content))


def other_weights(folder):
    save_file({"0000 w": np.zeros(3, "float32")}, folder / "weights.safetensors")


def change(name, value):
    def spoil(folder):
        info = json.loads((folder / "run.json").read_text())
        info[name] = value
        (folder / "run.json").write_text(json.dumps(info))

    return spoil


SPOILT = {
    "no weights": (lambda folder: (folder / "weights.safetensors").unlink(), "incomplete"),
    "no model": (lambda folder: (folder / "model.keras").unlink(), "incomplete"),
    "no run.json": (lambda folder: (folder / "run.json").unlink(), "holds no run.json"),
    "half a run.json": (lambda folder: (folder / "run.json").write_text("{"), "not JSON"),
    "flipped bit": (spoil_checksum, "damaged"),
    "other weights": (other_weights, "weights.safetensors"),
    "newer format": (change("format", 99), "format is 99"),
    "fewer classes": (change("classes", ["a"]), "do not match"),
    "no such backbone": (
        change("model", {"backbone": "x", "image_size": [32, 32], "num_classes": 2, "dropout": 0}),
        "backbone",
    ),
    "huge model": (
        change(
            "model",
            {
                "backbone": "efficientnet_lite0",
                "image_size": [32, 32],
                "num_classes": 10**9,
                "dropout": 0,
            },
        ),
        "out of range",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_damaged_run_is_refused_by_name(name, copy, photos, capsys):
    spoil, text = SPOILT[name]
    spoil(copy)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        recipes.predict(copy, photos / "NA" / "000.png", verbose=False)
    assert text in str(caught.value)
    assert main(["predict", str(copy), str(photos / "NA" / "000.png")]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("recipes: error: ")
    assert captured.count("\n") == 1


BAD_ARGUMENTS = {
    "no such folder": (["fit", "nowhere", "--output", "{out}"], "nowhere does not exist"),
    "a file": (["fit", "{file}", "--output", "{out}"], "is a file"),
    "empty folder": (["fit", "{empty}", "--output", "{out}"], "is empty"),
    "one class": (["fit", "{one}", "--output", "{out}"], "one class only, 'only'"),
    "no picture": (["fit", "{none}", "--output", "{out}"], "no readable picture"),
    "too few": (["fit", "{few}", "--output", "{out}"], "too few pictures"),
    "strategy": (
        ["fit", "{ok}", "--output", "{out}", "--strategy", "small_simlar"],
        "Did you mean 'small_similar'",
    ),
    "backbone": (
        ["fit", "{ok}", "--output", "{out}", "--backbone", "resnet5"],
        "Did you mean 'ResNet5",
    ),
    "augmentation": (
        ["fit", "{ok}", "--output", "{out}", "--augmentation", "lihgt"],
        "Did you mean 'light'",
    ),
    "share": (["fit", "{ok}", "--output", "{out}", "--test", "1.5"], "test: 1.5"),
    "batch": (["fit", "{ok}", "--output", "{out}", "--batch-size", "0"], "batch_size: 0"),
    "dropout": (["fit", "{ok}", "--output", "{out}", "--dropout", "1"], "dropout: 1.0"),
    "size": (["fit", "{ok}", "--output", "{out}", "--image-size", "8"], "image_size: 8"),
    "groups": (
        ["fit", "{ok}", "--output", "{out}", "--groups", "no.csv"],
        "groups: there is no file",
    ),
    "weights": (
        ["fit", "{ok}", "--output", "{out}", "--weights", "{file}"],
        "not a PyTorch checkpoint",
    ),
    "no weights": (["fit", "{ok}", "--output", "{out}", "--weights", "none.pth"], "none.pth"),
    "output": (["fit", "{ok}", "--output", "{ok}"], "is not a run folder"),
    "scan": (["scan", "nowhere"], "does not exist"),
    "predict": (["predict", "nowhere", "{file}"], "no run folder"),
    "predict on": (["predict", "efficientnet_lite0", "gone.png"], "gone.png does not exist"),
    "predict nothing": (["predict", "efficientnet_lite0", "{empty}"], "no file was named"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("places")
    file, empty = root / "file.txt", root / "empty"
    file.write_text("x")
    empty.mkdir()
    return {
        "file": file,
        "empty": empty,
        "one": pictures.make_classes(root / "one", 5, ("only",)),
        "few": pictures.make_classes(root / "few", 2),
        "ok": pictures.make_classes(root / "ok", 5),
        "none": pictures.write(root / "none" / "a", {"x.jpg": b"x"}).parent,
        "out": root / "out",
    }


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_input_is_one_clear_line_and_exit_code_2(name, places, capsys):
    arguments, text = BAD_ARGUMENTS[name]
    code = main([word.format(**places) for word in arguments])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("recipes")]
    assert code == 2
    assert len(lines) == 1
    assert text in lines[0]
    assert not places["out"].exists()
    assert not places["out"].with_name("out.partial").exists()


def test_unknown_options_are_exit_code_2():
    with pytest.raises(SystemExit) as caught:
        main(["fit", "x", "--output", "y", "--no-such-option"])
    assert caught.value.code == 2


def test_the_command_line_from_scan_to_prediction(photos, tmp_path, capsys):
    assert main(["scan", str(photos), "--csv", str(tmp_path / "scan.csv")]) == 0
    assert "truncated.jpg" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "scan.csv")) == 63
    command = ["fit", str(photos), "--output", str(tmp_path / "run"), "--image-size", "32"]
    assert main([*command, "--epochs", "1", "--strategy", "head_only"]) == 0
    printed = capsys.readouterr().out
    for word in ("accuracy", "head_only", "Named by hand", "report.html"):
        assert word in printed
    table = tmp_path / "labels.csv"
    assert main(["predict", str(tmp_path / "run"), str(photos), "--csv", str(table)]) == 0
    assert len(pd.read_csv(table)) == 63
    assert main(["backbones"]) == 0
    assert "efficientnet_lite0" in capsys.readouterr().out


def test_help_and_names_need_no_keras():
    code = (
        "import sys\nfrom recipes.cli import main\n"
        "try: main(['fit', '--help'])\nexcept SystemExit: pass\n"
        "import recipes, callbacks\n"
        "assert not {'keras', 'tensorflow', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(photos, tmp_path):
    output = tmp_path / "run"
    command = [sys.executable, "-m", "recipes.cli", "fit", str(photos), "--output", str(output)]
    command += ["--strategy", "head_only", "--image-size", "32", "--epochs", "300"]

    def hear():
        """A shell's background job would ignore Ctrl-C, as would its children."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear) as process:
        state = tmp_path / "run.partial" / "state.safetensors"
        deadline = time.monotonic() + 120
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    assert state.exists()
    assert not output.exists()
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    assert not state.parent.exists()
    assert Run.load(output).history["epoch"].is_monotonic_increasing
