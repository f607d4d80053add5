import subprocess
import sys
import warnings

import numpy as np
import pytest

from recipes.files import DamagedFileError, write_arrays, write_json
from recipes.run import FORMAT, WEIGHTS, Run
from recipes.work_folder import WorkFolder, check_output

INFO = {
    "format": FORMAT,
    "classes": ["a", "b"],
    "model": {},
    "decision": {"strategy": "small_similar", "measurements": {}, "reason": "because"},
    "metrics": {"accuracy": 1.0},
    "config": {"seed": 0},
}
SETTINGS = {"seed": 0, "backbone": "x"}


def write_run(folder):
    folder.mkdir(exist_ok=True)
    write_json(folder / "run.json", INFO)
    write_arrays(folder / WEIGHTS, {"0000 w": np.arange(3.0)})
    (folder / "model.keras").write_bytes(b"")
    (folder / "history.csv").write_text("phase,epoch\nclassifier,1\n")
    (folder / "dataset.csv").write_text("path,class\nNA.png,NA\n")
    (folder / "predictions.csv").write_text("file,truth\nNA.png,NA\n")
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "runs" / "photos"


def state_of(work):
    arrays, info = work.load_state()
    return {name: array.tolist() for name, array in arrays.items()}, info


def test_a_finished_run_is_read(output):
    with WorkFolder.open(output, SETTINGS) as work:
        work.save_state({"w": np.zeros(2)}, {"epoch": 1})
        (work.folder / "cache").mkdir()
        write_run(work.folder)
        assert not output.exists()
        run = Run.load(work.finish())
    assert run.metrics == {"accuracy": 1.0}
    assert run.decision.reason == "because"
    assert run.weights()["0000 w"].tolist() == [0, 1, 2]
    assert run.history["phase"].tolist() == ["classifier"]
    # "NA" is a file's and a class' name here, not a missing value.
    assert run.dataset.iloc[0].tolist() == run.predictions.iloc[0].tolist() == ["NA.png", "NA"]
    kept = {"run.json", WEIGHTS, "model.keras", "history.csv", "dataset.csv", "predictions.csv"}
    assert {path.name for path in output.iterdir()} == kept
    assert [path.name for path in output.parent.iterdir()] == ["photos"]


@pytest.mark.parametrize("name", ["model.keras", WEIGHTS, "history.csv", "dataset.csv"])
def test_an_incomplete_run_names_what_is_missing(tmp_path, name):
    write_run(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"incomplete: {name} missing"):
        Run.load(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a run folder"):
        Run.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no run folder"):
        Run.load(tmp_path / "none")


@pytest.mark.parametrize("change", [{"format": 99}, {"classes": None}])
def test_a_run_of_another_format_or_with_gaps_is_refused(tmp_path, change):
    write_run(tmp_path)
    info = {**INFO, **change}
    write_json(tmp_path / "run.json", {k: v for k, v in info.items() if v is not None})
    with pytest.raises(ValueError, match=r"format is 99|'classes' is missing"):
        Run.load(tmp_path)


def test_changed_weights_are_noticed(tmp_path):
    path = write_run(tmp_path) / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="checksum"):
        Run.load(tmp_path).weights()


def test_the_same_settings_go_on_and_others_are_named(output):
    with WorkFolder.open(output, SETTINGS) as work:
        work.save_state({"w": np.ones(1)}, {"epoch": 4})
    with WorkFolder.open(output, SETTINGS) as again:
        assert state_of(again) == ({"w": [1.0]}, {"epoch": 4})
    with pytest.raises(FileExistsError, match="seed: 0, now 1"):
        WorkFolder.open(output, {**SETTINGS, "seed": 1})
    with WorkFolder.open(output, {**SETTINGS, "seed": 1}, overwrite=True) as anew:
        assert anew.load_state() is None


def test_nothing_is_overwritten_unasked(output):
    output.mkdir(parents=True)
    check_output(output)  # an empty folder is as good as none
    (output / "diary.txt").write_text("dear diary")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="not a run folder"):
            WorkFolder.open(output, SETTINGS, overwrite=overwrite)
    (output / "diary.txt").unlink()
    write_run(output)
    with pytest.raises(FileExistsError, match="finished run"):
        WorkFolder.open(output, SETTINGS)
    with WorkFolder.open(output, SETTINGS, overwrite=True) as work:
        write_run(work.folder)
        (work.folder / "new").write_text("")
        assert Run.load(output)  # the old one stands until the new one is whole
        work.finish()
    assert (output / "new").exists()
    assert [path.name for path in output.parent.iterdir()] == ["photos"]


def test_a_second_process_is_kept_out(output):
    code = "from recipes.work_folder import WorkFolder; "
    code += f"WorkFolder.open({str(output)!r}, {SETTINGS!r})"
    with WorkFolder.open(output, SETTINGS):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "BlockingIOError" in second.stderr
        assert "another process" in second.stderr
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


DAMAGE = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "foreign": lambda content: b"something else",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_state_falls_back_to_the_one_before_and_never_to_none(output, kind):
    with WorkFolder.open(output, SETTINGS) as work:
        for epoch in (1, 2, 3):
            work.save_state({"w": np.full(5, epoch)}, {"epoch": epoch})
        newest = work.folder / "state.safetensors"
        previous = work.folder / "state.previous.safetensors"
        newest.write_bytes(DAMAGE[kind](newest.read_bytes()))
        with pytest.warns(UserWarning, match="The state before it is used"):
            assert work.load_state()[1] == {"epoch": 2}
        previous.write_bytes(DAMAGE[kind](previous.read_bytes()))
        with pytest.raises(DamagedFileError, match="No other state is whole"):
            work.load_state()


def test_the_state_before_serves_where_the_newest_was_never_written(output):
    with WorkFolder.open(output, SETTINGS) as work, warnings.catch_warnings():
        work.save_state({"w": np.zeros(1)}, {"epoch": 1})
        (work.folder / "state.safetensors").rename(work.folder / "state.previous.safetensors")
        warnings.simplefilter("error")
        assert work.load_state()[1] == {"epoch": 1}


def test_a_state_of_another_run_is_refused(output, tmp_path):
    other = tmp_path / "other"
    with WorkFolder.open(other, {**SETTINGS, "seed": 1}) as work:
        work.save_state({"w": np.ones(5)}, {"epoch": 7})
        foreign = (work.folder / "state.safetensors").read_bytes()
    with WorkFolder.open(output, SETTINGS) as work:
        work.save_state({"w": np.zeros(5)}, {"epoch": 1})
        work.save_state({"w": np.zeros(5)}, {"epoch": 2})
        (work.folder / "state.safetensors").write_bytes(foreign)
        with pytest.warns(UserWarning, match="of a run with other settings"):
            assert work.load_state()[1] == {"epoch": 1}
        (work.folder / "state.previous.safetensors").write_bytes(foreign)
        with pytest.raises(DamagedFileError, match="other settings"):
            work.load_state()


def test_states_that_are_gone_are_missed(output):
    with WorkFolder.open(output, SETTINGS) as work:
        assert work.load_state() is None
        work.save_state({"w": np.zeros(5)}, {"epoch": 1})
        (work.folder / "state.safetensors").unlink()
        with pytest.raises(DamagedFileError, match=r"state\.safetensors is missing"):
            work.load_state()
    with WorkFolder.open(output, SETTINGS) as work, pytest.raises(DamagedFileError):
        work.load_state()


def test_names_that_look_like_numbers_stay_names(output):
    write_run(output.parent)
    (output.parent / "predictions.csv").write_text("file,truth,prediction\n01/1.png,01,7\n")
    (output.parent / "dataset.csv").write_text("path,class,width\n01/1.png,01,32\n")
    run = Run.load(output.parent)
    assert run.predictions.iloc[0].tolist() == ["01/1.png", "01", "7"]
    assert run.dataset.iloc[0].tolist() == ["01/1.png", "01", 32]


def test_what_came_to_no_state_is_not_of_use_to_other_settings(output):
    with WorkFolder.open(output, SETTINGS) as work:
        (work.folder / "cache").mkdir()
        (work.folder / "plan.json").write_text("{}")
    with WorkFolder.open(output, SETTINGS) as again:
        assert (again.folder / "plan.json").exists()
    with WorkFolder.open(output, {**SETTINGS, "seed": 1}) as other:
        assert not (other.folder / "plan.json").exists()
        assert (other.folder / "cache").exists()
