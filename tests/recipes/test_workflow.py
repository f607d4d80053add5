import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn import metrics

import recipes
from recipes.choosing.expected import SHARES
from recipes.strategies import STRATEGIES
from recipes.transfer.fine_tune import fine_tune
from tests.recipes.images import pictures
from tests.recipes.odd import CLASSES, OPTIONS


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


def test_a_second_run_is_the_same_and_overwrites_only_when_asked(photos, run, tiny, tmp_path):
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
    options |= {"epochs": 1, "backbone": tiny, "overwrite": True}
    other = recipes.fit_folder(photos, output=output, **options)
    assert len(other.history) == 1


def test_auto_prints_what_it_measured(photos, tiny, tmp_path):
    options = {**OPTIONS, "epochs": 1, "backbone": tiny}
    run = recipes.fit_folder(photos, output=tmp_path / "auto", **options)
    assert run.decision.strategy in SHARES
    assert f"divergence of {run.decision.measurements['divergence']:.3f}" in run.decision.reason
    assert run.decision.reason.split(":")[0] in (run.folder / "report.html").read_text()


def test_the_four_race_and_the_winner_is_trained(photos, tiny, tmp_path, monkeypatch):
    trained = []

    def counting(transfer, plan, *arguments, **options):
        trained.append(plan.name)
        return fine_tune(transfer, plan, *arguments, **options)

    monkeypatch.setattr("recipes.choosing.race.fine_tune", counting)
    options = {**OPTIONS, "epochs": 2, "strategy": "race", "backbone": tiny}
    run = recipes.fit_folder(photos, output=tmp_path / "race", **options)
    assert trained[:4] == list(STRATEGIES)
    assert len(trained) == 6
    assert run.info["strategy"]["name"] == run.decision.strategy
    heats = {name for name in run.decision.measurements if name.startswith("heat 2 ")}
    assert f"heat 2 {run.decision.strategy}" in heats
    assert len(heats) == 2
    assert "The four raced" in (run.folder / "report.html").read_text()
    assert not list(run.folder.glob("*race*"))


def test_a_time_limit_leaves_out_what_does_not_fit(photos, tiny, tmp_path, capsys):
    options = {**OPTIONS, "backbone": tiny, "strategy": "large_similar", "verbose": True}
    run = recipes.fit_folder(photos, output=tmp_path / "run", time_limit="1s", **options)
    assert [audit["phase"] for audit in run.info["audit"]] == ["classifier"]
    assert run.info["time"]["limit"] == 1.0
    assert run.info["config"]["strategy"] == "large_similar"
    assert "there is time for epochs at the most classifier 1" in capsys.readouterr().err
    assert "classifier 1" in run.info["scan"]["time_limit"]
    assert run.metrics["pictures"] > 0
    long = recipes.fit_folder(photos, output=tmp_path / "long", time_limit="1h", **options)
    assert [audit["phase"] for audit in long.info["audit"]] == ["classifier", "everything"]
    assert long.info["refit"]
    assert long.info["time"]["expected"] > 0


def test_without_a_test_part_nothing_is_learned_from_what_the_figures_are_of(
    photos, tiny, tmp_path
):
    options = {**OPTIONS, "backbone": tiny, "strategy": "head_only", "test": 0}
    run = recipes.fit(photos, output=tmp_path / "run", refit=True, **options)
    assert run.metrics["part"] == "validation"
    assert not run.info["refit"]


def test_a_race_takes_no_time_limit(photos, tiny, tmp_path):
    options = {**OPTIONS, "backbone": tiny, "strategy": "race"}
    with pytest.raises(ValueError, match="time_limit: a race"):
        recipes.fit_folder(photos, output=tmp_path / "run", time_limit="1h", **options)


def test_rare_classes_weigh_more(tiny, tmp_path):
    folder = pictures.make_classes(tmp_path / "photos", 24, ("few", "many"))
    for number in range(8, 24):
        (folder / "few" / f"{number:03d}.png").unlink()
    options = {"strategy": "head_only", "backbone": tiny, **OPTIONS}
    run = recipes.fit_folder(folder, output=tmp_path / "run", **options)
    assert run.info["class_weights"]["used"]
    assert run.info["class_weights"]["imbalance"] > 1.5
