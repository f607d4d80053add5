"""Training and prediction read a file alike, whatever its bits and however it becomes square."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import recipes
from recipes.images.decode import Reading

OPTIONS = {"strategy": "head_only", "epochs": 30, "validation": 0.2, "test": 0.2, "verbose": False}
WHOLE = {**OPTIONS, "resize": "squash"}


def deep(folder, bits, offset=0):
    """Two classes of stripes, upright and lying, in values of so many bits."""
    rng = np.random.default_rng(0)
    top = (1 << bits) - 1 - offset
    for name in ("lying", "upright"):
        (folder / name).mkdir(parents=True)
        for k in range(15):
            wave = np.sin(np.arange(40) * 0.8 + rng.uniform(0, 6)) * 0.3 + 0.5
            values = np.tile(wave, (30, 1)) + rng.normal(0, 0.03, (30, 40))
            values = offset + np.clip(values, 0, 1) * top
            values = values if name == "upright" else values[:, :30].T
            Image.fromarray(values.astype("uint16" if bits > 8 else "uint8")).save(
                folder / name / f"{k}.png"
            )
    return folder


@pytest.fixture(scope="module")
def of_8_bits(tmp_path_factory, tiny):
    place = tmp_path_factory.mktemp("eight")
    run = recipes.fit(deep(place / "photos", 8), output=place / "run", backbone=tiny, **WHOLE)
    assert "bits" not in run.scan
    return run


@pytest.mark.parametrize(("bits", "offset"), [(10, 0), (12, 1000), (16, 64_000)])
def test_pictures_of_more_bits_are_learnt_as_well(tmp_path, tiny, of_8_bits, bits, offset):
    photos = deep(tmp_path / "photos", bits, offset)
    run = recipes.fit(photos, output=tmp_path / "run", backbone=tiny, **WHOLE)
    assert run.metrics["accuracy"] >= of_8_bits.metrics["accuracy"] > 0.8
    assert run.scan["bits"].startswith("30 pictures have more than 8")
    low, high = run.reading.levels
    assert high - low > 0.5 * ((1 << bits) - 1 - offset)


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize("bits", [8, 12])
def test_prediction_reads_as_training_did(tmp_path, tiny, resize, bits):
    photos = deep(tmp_path / "photos", bits)
    how = {"resize": resize, "background": "#ff0000", "backbone": tiny}
    run = recipes.fit(photos, output=tmp_path / "run", **how, **OPTIONS)
    assert run.reading.resize == resize
    assert run.reading == Reading(resize, "#ff0000", levels=run.reading.levels)
    files = [photos / file for file in run.predictions["file"]]
    options = {"top_k": 2, "backbone": tiny, "verbose": False}
    found = recipes.predict(run.folder, files, **options)
    truth = run.predictions
    chosen = [row[f"probability of {row['prediction']}"] for _, row in truth.iterrows()]
    assert found["label"].tolist() == truth["prediction"].tolist()
    np.testing.assert_allclose(found["probability"], chosen, atol=1e-6)
    again = pd.read_json(run.folder / "run.json", typ="series")["reading"]
    assert Reading.from_dict(again) == run.reading
