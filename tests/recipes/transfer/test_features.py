"""What lies before a frozen boundary is computed once, and the answers stay the whole model's."""

import keras
import numpy as np
import pytest

import recipes
from recipes.images import augment
from recipes.images.parts import ArrayCache, Part
from recipes.transfer import model as transfer_model, parallel
from recipes.transfer.features import features
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import SIDE, build_tiny, digits_part, training_data

RNG = np.random.default_rng(0)
DATA = {
    name: Part(RNG.integers(0, 256, (count, SIDE, SIDE, 3), "uint8"), np.arange(count) % 3, name)
    for name, count in (("train", 40), ("validation", 33))
}


@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["file", "memory"])
@pytest.mark.parametrize("first", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["train", "validation"])
def test_outputs_are_those_of_the_whole_model(first, name, limit, tmp_path):
    transfer = build_tiny()
    light = augment.get("light")
    cut = training_data(DATA, tmp_path, limit, views=2, augmentation=light).cut(transfer, first)
    pooled = transfer.boundary(transfer.num_stages)
    whole = keras.Model(transfer.model.input, [transfer.model.output, pooled])
    expected = whole.predict(DATA[name].pixels.astype("float32"), verbose=0)
    precise = {"rtol": 1e-5, "atol": 1e-6} if limit else {"rtol": 2e-2, "atol": 2e-3}
    for tensor, right in zip((transfer.model.output, pooled), expected, strict=True):
        np.testing.assert_allclose(cut.outputs(name, tensor, ""), right, **precise)
        some = np.array([1, 5, 32])
        np.testing.assert_allclose(cut.outputs(name, tensor, "", some), right[some], **precise)


def test_a_frozen_run_passes_each_picture_through_the_network_once(tmp_path, tiny, monkeypatch):
    pictures.make_classes(tmp_path / "photos", 60, ("a", "b", "c"))
    begun, passed = parallel.begun, []

    def counted(model, batch):
        if model.input_shape[1:] == (SIDE, SIDE, 3):
            passed.append(len(batch))
        return begun(model, batch)

    monkeypatch.setattr(parallel, "begun", counted)
    run = recipes.fit_folder(
        tmp_path / "photos",
        output=tmp_path / "run",
        backbone=tiny,
        strategy="small_similar",
        batch_size=4,
        verbose=False,
    )
    parts = run.dataset["part"].value_counts()
    batches = sum(-(-count // 32) for count in parts)  # filled up to 32
    mistakes = len(passed) - batches  # those that the report explains
    assert sum(passed[:batches]) == batches * 32
    assert 0 <= mistakes <= 1


def build_lite():
    return transfer_model.build("efficientnet_lite0", 3, image_size=SIDE, seed=1)


def test_features_are_cached_on_disk_above_the_limit_and_found_again(tmp_path):
    transfer = build_lite()
    frozen = transfer.frozen_part(9)
    memory = features(frozen, DATA["train"], ArrayCache(tmp_path / "a"), verbose=False)
    disk = features(frozen, DATA["train"], ArrayCache(tmp_path / "b", 0), verbose=False)
    assert isinstance(disk, np.memmap)
    assert disk.dtype == np.float16
    np.testing.assert_allclose(disk, memory, atol=5e-3, rtol=2e-3)
    files = sorted((tmp_path / "b").iterdir())
    stamps = [file.stat().st_mtime_ns for file in files]
    features(frozen, DATA["train"], ArrayCache(tmp_path / "b", 0), verbose=False)
    assert [file.stat().st_mtime_ns for file in files] == stamps
    kernel = transfer.model.get_layer("top_conv").kernel
    kernel.assign(kernel * 2)
    features(transfer.frozen_part(9), DATA["train"], ArrayCache(tmp_path / "b", 0), verbose=False)
    assert len(list((tmp_path / "b").iterdir())) == 2 * len(files)


def test_further_views_are_augmented(tmp_path):
    frozen, digits = build_lite().frozen_part(9), digits_part("digits", 32, 8)
    views = features(
        frozen,
        digits,
        ArrayCache(tmp_path),
        views=3,
        augmentation=augment.get("strong"),
        verbose=False,
    )
    assert views.shape == (3, 24, 1280)
    plain = frozen.predict_on_batch(digits.pixels)
    np.testing.assert_allclose(views[0], plain, atol=1e-4)
    assert np.abs(views[1] - views[0]).mean() > 0.01
    assert np.abs(views[2] - views[1]).mean() > 0.01
