import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import recipes
from recipes.images import augment
from tests.recipes.images import pictures
from tests.recipes.odd import ODD, SPOILT


def test_both_model_files_and_the_stored_predictions_agree(run, photos):
    files = [photos / file for file in run.predictions["file"]]
    ours = recipes.predict(run.folder, files, verbose=False)
    assert ours["label"].tolist() == run.predictions["prediction"].tolist()
    np.testing.assert_allclose(ours["probability"], run.predictions["probability"], atol=1e-5)
    plain = keras.models.load_model(run.folder / "model.keras")
    with Image.open(files[0]) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((32, 32)))[None]
    rebuilt, classes = recipes.load_classifier(run.folder)
    assert classes == run.classes
    np.testing.assert_allclose(plain.predict_on_batch(pixels), rebuilt.predict_on_batch(pixels))
    assert not plain.compiled


def test_predict_averages_over_views(run, photos):
    files = sorted((photos / "NA").glob("0*.png"))[:4]
    one = recipes.predict(run.folder, files, verbose=False)
    five = recipes.predict(run.folder, files, views=5, top_k=len(run.classes), verbose=False)
    model, _ = recipes.load_classifier(run.folder)
    pixels = np.stack([np.asarray(Image.open(f).convert("RGB").resize((32, 32))) for f in files])
    keys = [[(view, row) for row in range(len(files))] for view in range(1, 5)]
    versions = [pixels, *(augment.batch(pixels, key, augment.get("light")) for key in keys)]
    expected = np.mean([model.predict_on_batch(version) for version in versions], axis=0)
    for row, found in five.iterrows():
        for k, place in enumerate(np.argsort(-expected[row]), start=1):
            end = "" if k == 1 else f"_{k}"
            assert found[f"label{end}"] == run.classes[place]
            assert found[f"probability{end}"] == pytest.approx(expected[row, place], abs=1e-5)
    assert not np.allclose(one["probability"], five["probability"], atol=1e-6)
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


@pytest.mark.parametrize("name", SPOILT)
def test_a_damaged_run_is_refused_by_name(name, run, photos, tmp_path):
    spoil, text = SPOILT[name]
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    spoil(copy)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        recipes.predict(copy, photos / "NA" / "000.png", verbose=False)
    assert text in str(caught.value)
