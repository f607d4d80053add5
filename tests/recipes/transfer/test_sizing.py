from functools import partial

import keras
import pytest

import recipes
from recipes import strategies
from recipes.batches import BatchSizeAdvice
from recipes.strategies import FineTuneStrategy, Phase
from recipes.transfer import sizing
from tests.recipes.images import pictures
from tests.recipes.transfer.tiny import build_tiny, digits_part, training_data

MANY = {"train": digits_part("train", 0, 170), "validation": digits_part("validation", 170, 5)}
STEPS = FineTuneStrategy(
    "steps",
    "initial",
    (Phase("everything", 0.0, 2, 1e-3, update_batch_norm=True),),
    "everything from its start",
)


@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
def test_sizes_are_measured_on_the_part_that_is_trained(start):
    phase = Phase("one", start, 1, 1e-3)
    found = sizing.measure(build_tiny(), phase, training_data(MANY), 16, 64)
    assert found.table["batch_size"].tolist() in ([16, 32], [16, 32, 64])  # as time has it
    assert found.batch_size in found.table["batch_size"].tolist()


def test_a_pass_keeps_steps_enough_and_devices_share_a_batch(monkeypatch):
    asked = []

    def measured(transfer, phase, data, smallest, largest):
        asked.append((phase.name, smallest, largest))
        return BatchSizeAdvice(largest, None, "as measured.")

    monkeypatch.setattr(sizing, "measure", measured)
    data = training_data(MANY)  # 510 pictures
    find = partial(sizing.sized, build_tiny, data=data)
    found = find(STEPS)
    assert (found.batch_size, found.rates) == (32, pytest.approx(2**0.5))
    assert find(None, devices=3).batch_size == 48
    assert asked == [("everything", 16, 32)]  # of 48 there is no twofold
    few = training_data({**MANY, "train": MANY["validation"]})
    assert "too few" in sizing.sized(build_tiny, STEPS, few).reason
    solved = find(strategies.get("small_similar"))
    assert (solved.batch_size, solved.rates) == (16, 1)
    assert "nothing is trained by steps" in solved.reason


class _Stopped(Exception):
    pass


def test_the_size_is_said_and_kept_through_a_stop_and_a_rerun(tmp_path, tiny, monkeypatch, capsys):
    photos = pictures.make_classes(tmp_path / "photos", 20, ("a", "b", "c"))
    sizes = iter([32, 16])  # a second measurement would say otherwise

    def sized(*arguments):
        return sizing._sized(next(sizes), "as measured.")

    monkeypatch.setattr(sizing, "sized", sized)
    options = {"backbone": tiny, "strategy": STEPS, "batch_size": "auto"}

    class Stopping(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise _Stopped

    with pytest.raises(_Stopped):
        recipes.fit(photos, output=tmp_path / "run", callbacks=[Stopping()], **options)
    run = recipes.fit(photos, output=tmp_path / "run", **options)
    assert "32 pictures a step, rates times 1.4: as measured." in capsys.readouterr().err
    assert run.info["config"]["batch_size"] == 32
    assert run.info["batch_size"]["batch_size"] == 32
    assert run.scan["batch_size"].startswith("32 pictures a step")
    assert run.info["strategy"]["phases"][0]["learning_rate"] == pytest.approx(1e-3 * 2**0.5)
    assert not (run.folder / "batch_size.json").exists()
    again = recipes.rerun(run.folder, output=tmp_path / "again", backbone=tiny, verbose=False)
    assert again.same
    assert again.run.info["config"]["batch_size"] == 32
    assert again.run.info["batch_size"] is None


def test_it_works_without_being_told_anything(tmp_path, tiny):
    photos = pictures.make_classes(tmp_path / "photos", 110, ("a", "b", "c"))
    shares = {"validation": 0.1, "test": 0.1}
    options = {
        "backbone": tiny,
        "strategy": STEPS,
        "batch_size": "auto",
        "verbose": False,
        **shares,
    }
    run = recipes.fit(photos, output=tmp_path / "run", **options)
    assert run.info["config"]["batch_size"] in (16, 32)
    assert "throughput" in run.info["batch_size"]["reason"]
