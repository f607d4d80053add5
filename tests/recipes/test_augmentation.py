import json
from dataclasses import fields, replace

import keras
import numpy as np
import pytest

import recipes
from recipes import augmentation
from recipes.augmentation import PRESETS, Augmentation
from recipes.strategies import FineTuneStrategy, Phase
from tests.recipes.images import pictures

MINE = Augmentation(rotation=5, mixup=0.3, randaugment=1)
EVERYTHING = FineTuneStrategy(
    "everything", "initial", (Phase("everything", 0.0, 2, 1e-3, update_batch_norm=True),), "all"
)


BAD = {
    "flip": [1, "yes"],
    "randaugment": [-1, 1.0, True],
    "zoom": [1, -0.1, float("nan")],
    "magnitude": [1.5, "0.3"],
    "erasing": [1.1],
    "mixup": [-1, None],
    "cutmix": [float("inf"), True],
    "rotation": [-5],
    "shift": [-0.1],
    "brightness": [1.2],
    "contrast": [-1],
}


def test_the_table_covers_every_field():
    assert set(BAD) == {one.name for one in fields(Augmentation)}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"augmentation: {name} is ") as error:
        Augmentation(**{name: value})
    assert repr(value) in str(error.value)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'strong'"):
        augmentation.get("stong")
    with pytest.raises(ValueError, match="Did you mean 'cutmix'"):
        Augmentation.from_dict({"cutmx": 1.0})


@pytest.mark.parametrize("name", [*PRESETS, "mine"])
def test_a_preset_comes_back_from_json(name):
    value = {**PRESETS, "mine": MINE}[name]
    if value is not None:
        written = json.loads(json.dumps(value.to_dict()))
        assert augmentation.checked(written) == value
        assert augmentation.get(value) is value
        assert not value.alone().mixes
        assert replace(value, mixup=0.0, cutmix=0.0) == value.alone()


class _Stopped(Exception):
    pass


def test_an_augmentation_of_one_s_own_is_kept_through_a_stop_and_a_rerun(tmp_path, tiny):
    photos = pictures.make_classes(tmp_path / "photos", 20, ("a", "b", "c"))
    options = {"backbone": tiny, "strategy": EVERYTHING, "augmentation": MINE, "verbose": False}
    run = recipes.fit(photos, output=tmp_path / "whole", **options)
    assert run.info["config"]["augmentation"] == MINE.to_dict()

    class Stopping(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise _Stopped

    output = tmp_path / "stopped"
    with pytest.raises(_Stopped):
        recipes.fit(photos, output=output, callbacks=[Stopping()], **options)
    with pytest.raises(FileExistsError, match="augmentation"):
        recipes.fit(photos, output=output, **{**options, "augmentation": "light"})
    resumed = recipes.fit(photos, output=output, **options)
    for name, array in run.weights().items():
        np.testing.assert_array_equal(array, resumed.weights()[name])
    again = recipes.rerun(run.folder, output=tmp_path / "again", backbone=tiny, verbose=False)
    assert again.same
    assert "augmentation" not in run.scan


def test_where_nothing_can_be_mixed_a_line_says_so(tmp_path, tiny, capsys):
    photos = pictures.make_classes(tmp_path / "photos", 20, ("a", "b", "c"))
    options = {"backbone": tiny, "strategy": "small_similar", "augmentation": "mixup"}
    run = recipes.fit(photos, output=tmp_path / "run", **options)
    said = "mixup and CutMix need trainable inputs: they have no part in small_similar"
    assert run.scan["augmentation"] == said
    assert said in capsys.readouterr().err
