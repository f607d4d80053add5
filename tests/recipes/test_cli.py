import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

import recipes
from recipes.cli import main
from recipes.rules import TRUTH, WEIGHTS
from recipes.run import Run
from recipes.settings import options_of
from tests.recipes.images import pictures
from tests.recipes.odd import SPOILT

GOOD = pictures.GOOD["plain.png"]
BAD_ARGUMENTS = {
    "no such folder": (["fit", "nowhere", "--output", "{out}"], "nowhere does not exist"),
    "a file": (["fit", "{file}", "--output", "{out}"], "is a file"),
    "empty folder": (["fit", "{empty}", "--output", "{out}"], "is empty"),
    "one class": (["fit", "{one}", "--output", "{out}"], "one class only, 'only'"),
    "no picture": (["fit", "{none}", "--output", "{out}"], "no file can be used of the class 'a'"),
    "a class of HEIC": (
        ["fit", "{heic}", "--output", "{out}"],
        "no file can be used of the class 'fox' (3: 3 damaged",
    ),
    "a class of films": (
        ["fit", "{film}", "--output", "{out}"],
        "class 'fox' (3: 3 a film (MP4, MOV) is not read ('fox/0.heic', 'fox/1.heic', "
        "'fox/2.heic')). Put that right, or go on without: allow_empty_classes",
    ),
    "parts in disguise": (["fit", "{parts}", "--output", "{out}"], "looks divided into"),
    "flat": (["fit", "{flat}", "--output", "{out}"], "2 pictures, such as 'a.png', and no class"),
    "empty data": (["fit", "", "--output", "{out}"], "the path is empty"),
    "empty output": (["fit", "{ok}", "--output", ""], "output: the path is empty"),
    "empty groups": (["fit", "{ok}", "--output", "{out}", "--groups", ""], "groups: ''"),
    "empty pictures": (["fit", "{ok}", "--output", "{out}", "--pictures", ""], "pictures: ''"),
    "empty run": (["predict", "", "{file}"], "run: the path is empty"),
    "empty export": (["export", ""], "run: the path is empty"),
    "empty rerun": (["rerun", "", "--output", "{out}"], "run: the path is empty"),
    "empty scan": (["scan", " "], "the path is empty"),
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
    "batch in words": (
        ["fit", "{ok}", "--output", "{out}", "--batch-size", "many"],
        "batch_size: 'many' is not a whole number from 1 up or \"auto\"",
    ),
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
    "predict an empty path": (["predict", "efficientnet_lite0", ""], "the path is empty"),
    "no labels": (["predict", "efficientnet_lite0", "{file}", "--top-k", "0"], "top_k: 0"),
}


def _with_fox(folder, content):
    pictures.make_classes(folder, 5)
    pictures.write(folder / "fox", {f"{k}.heic": content for k in range(3)})
    return folder


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
        "heic": _with_fox(root / "heic", pictures.BAD["photo.heic"]),
        "film": _with_fox(root / "film", b"\0\0\0\x18ftypisom" + bytes(99)),
        "parts": pictures.make_classes(root / "parts", 5, ("cats_train", "cats_test")),
        "flat": pictures.write(root / "flat", dict.fromkeys(("a.png", "b.png"), GOOD)),
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


@pytest.mark.parametrize("name", SPOILT)
def test_a_damaged_run_is_one_clear_line(name, run, photos, tmp_path, capsys):
    spoil, text = SPOILT[name]
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    spoil(copy)
    assert main(["predict", str(copy), str(photos / "NA" / "000.png")]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("recipes: error: ")
    assert captured.count("\n") == 1
    assert " ".join(text.split()) in captured


# Where no table can be written, and a part of the text that says so.
NO_PLACES = {
    "{empty}/no/such/o.csv": "there is no folder",
    "{file}/o.csv": "there is no folder",
    "{empty}": "is a folder",
    "": "the path is empty",
    "{empty}/" + 300 * "x": "too long",
    "/proc/o.csv": "cannot be written",
}


@pytest.mark.parametrize("place", NO_PLACES)
@pytest.mark.parametrize("command", ["predict", "scan"])
def test_a_place_for_the_table_is_looked_at_before_the_work(
    command, place, places, capsys, monkeypatch
):
    for work in ("recipes.prediction.predict", "recipes.images.inspection.scan"):
        monkeypatch.setattr(work, None)
    words = {"predict": ["predict", "efficientnet_lite0", "{file}"], "scan": ["scan", "{ok}"]}
    arguments = [*words[command], "--csv", place]
    assert main([word.format(**places) for word in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("recipes: error: ")
    assert captured.err.count("\n") == 1
    assert NO_PLACES[place] in captured.err
    assert captured.out == ""
    assert not any(places["empty"].iterdir())


def _table(output: str) -> list[dict]:
    """What JSON by the standard allows: no NaN."""

    def refuse(name):
        raise ValueError(name)

    return json.loads(output, parse_constant=refuse)


def test_predictions_in_json_are_those_of_the_table(run, photos, tmp_path, capsys):
    given = [str(photos / "NA"), str(photos / "007" / "000.png")]
    csv = tmp_path / "o.csv"
    assert main(["predict", str(run.folder), *given, "--json", "--csv", str(csv)]) == 0
    captured = capsys.readouterr()
    rows, expected = _table(captured.out), recipes.predict(run, given, verbose=False)
    assert "Predicting" not in captured.out
    assert [list(row) for row in rows] == [list(expected)] * len(expected)
    assert [row["file"] for row in rows] == expected["file"].tolist()
    assert [row["error"] for row in rows] == expected["error"].tolist()
    for row, label, chance in zip(rows, expected["label"], expected["probability"], strict=True):
        if row["error"]:
            assert row["label"] is row["probability"] is row["novelty"] is None
        else:
            assert row["label"] == label
            assert row["probability"] == pytest.approx(chance, abs=1e-6)
    assert any(row["error"] for row in rows)
    assert pd.read_csv(csv, keep_default_na=False)["file"].tolist() == expected["file"].tolist()


# A shell's background job would ignore Ctrl-C, as would its children.
HEARING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from recipes.cli import main
sys.exit(main(sys.argv[1:]))
"""
# One command after another, with "then" between them; behind what each prints, a form feed.
COMMANDS = """
import sys
from itertools import groupby
from recipes.cli import main
for between, words in groupby(sys.argv[1:], "then".__eq__):
    if not between:
        assert main(list(words)) == 0
        print(end="\\f")
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_encoding_that_lacks_a_letter_loses_nothing(encoding, run, tmp_path):
    folder = pictures.write(
        tmp_path / "תמונות",
        dict.fromkeys(("חתול.png", "🐱.png", "é.png"), pictures.GOOD["plain.png"]),
    )
    odd = os.fsdecode(bytes(folder) + b"/\xff.png")
    shutil.copy(folder / "é.png", odd)
    names = [*sorted(map(str, folder.glob("[!\udcff]*"))), odd]
    copy = _called(run.folder, tmp_path / "run", ("חתול", "🐱", "café"))
    classes = pictures.make_classes(tmp_path / "data", 3, ("חתול", "🐱"))
    tables = [str(tmp_path / name) for name in ("plain.csv", "json.csv", "scan.csv")]
    finished = subprocess.run(
        [
            *[sys.executable, "-c", COMMANDS],
            *["predict", str(copy), *names, "--csv", tables[0], "then"],
            *["predict", str(copy), *names, "--csv", tables[1], "--json", "then"],
            *["scan", str(classes), "--csv", tables[2]],
        ],
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "400"},
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode(errors="replace")
    plain, rows, scanned, _ = finished.stdout.decode(encoding).split("\f")
    for output, path in ((plain, tables[0]), (rows, tables[1])):
        assert output.count(".png") == len(names)
        read = pd.read_csv(path)
        assert set(read["label"]) <= {"חתול", "🐱", "café"}
        assert read["file"].tolist() == [
            name.encode("utf-8", "backslashreplace").decode() for name in names
        ]
    assert [row["file"] for row in _table(rows)] == names
    assert "🐱".encode(encoding, "backslashreplace").decode(encoding) in scanned
    assert set(pd.read_csv(tables[2])["class"]) == {"חתול", "🐱"}


def _called(folder, copy, classes):
    """A run's copy whose classes have other names."""
    shutil.copytree(folder, copy)
    info = json.loads((copy / "run.json").read_text("utf-8"))
    info["classes"] = info["task"]["classes"] = list(classes)
    (copy / "run.json").write_text(json.dumps(info), "utf-8")
    return copy


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
    command = [sys.executable, "-c", HEARING, "fit", str(photos), "--output", str(output)]
    command += ["--strategy", "head_only", "--image-size", "32", "--epochs", "100"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
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


def test_an_output_that_nobody_reads_to_its_end_loses_nothing(tmp_path):
    photos = pictures.make_classes(tmp_path / "photos", 3)
    table = tmp_path / "scan.csv"
    command = [sys.executable, "-m", "recipes.cli", "scan", str(photos), "--csv", str(table)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
        assert process.wait() == 0
    assert "rror" not in errors
    assert len(pd.read_csv(table)) == 6


def test_what_is_true_or_false_is_a_flag(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for group, one in options_of():
        flag = f"--{one.name.replace('_', '-')}"
        is_flag = one.metadata["rule"] in (TRUTH, WEIGHTS)
        assert (f"{flag}, --no-{flag[2:]}" in text) == is_flag, (group, flag)


def test_flags_reach_the_data(tmp_path, capsys):
    photos = _with_fox(tmp_path / "photos", b"x")
    words = ["--output", str(tmp_path / "run"), "--test", "2"]
    assert main(["fit", str(photos), "--allow-empty-classes", "--no-near-copies", *words]) == 2
    assert "test: 2.0" in capsys.readouterr().err  # the flags were taken, the share was not
    assert main(["scan", str(photos), "--no-near-copies"]) == 0
