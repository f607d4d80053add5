"""What is said of the pictures before a training: each decision has a line, and no more."""

import sys

import numpy as np
import pytest
from PIL import Image

from recipes.images.inspection import scan
from recipes.images.parts import Collection
from recipes.images.summary import describe, refuse_lost_classes, summary
from recipes.settings import DataSettings
from tests.recipes.images import pictures


def collection(folder, **options):
    return Collection.open(folder, DataSettings(**options), verbose=False)


def test_classes_are_counted_in_natural_order(tmp_path):
    pictures.make_classes(tmp_path, 6, classes=[str(k) for k in range(1, 13)])
    assert summary(scan(tmp_path, verbose=False))["classes"].startswith("12: 1 6, 2 6, 3 6")


def test_many_classes_are_cut_short(tmp_path):
    pictures.make_classes(tmp_path, 1, classes=[f"c{k}" for k in range(40)])
    text = summary(scan(tmp_path, verbose=False))["classes"]
    assert text.endswith("c29 1 and 10 more, 1 to 1 each")


def test_three_hundred_loose_files_are_one_line(tmp_path):
    pictures.make_classes(tmp_path, 3)
    pictures.write(tmp_path, {f"{k}.png": b"x" for k in range(300)})
    text = describe(scan(tmp_path, verbose=False))
    assert len(text.splitlines()) < 8
    assert "300: 300 not in a class folder ('0.png', '1.png', '10.png', …)" in text


def test_a_training_s_decisions_are_told(tmp_path):
    pictures.make_classes(tmp_path, 12)
    for k in range(6):
        (tmp_path / "dog" / f"00{k}.png").unlink()
    copy = (tmp_path / "cat" / "000.png").read_bytes()
    pictures.write(tmp_path / "cat", {"copy.png": copy, "bad.jpg": pictures.BAD["truncated.jpg"]})
    Image.new("RGBA", (20, 20), (255, 255, 255, 0)).save(tmp_path / "dog" / "clear.png")
    deep = np.arange(400, dtype="uint16").reshape(20, 20) * 10
    Image.fromarray(deep).save(tmp_path / "dog" / "deep.png")
    found = collection(tmp_path, groups=r"cat/(00\d)", task="binary").summary()
    assert found["classes"] == "2: cat 13, dog 8"
    assert found["task"] == "binary: dog or cat"
    assert found["imbalance"] == "1.62 to 1: cat has 13 pictures, dog 8"
    assert found["groups"] == "10 with 10 of the 21 pictures; each stays in one part"
    assert found["copies"].startswith("1 exact copies")
    assert found["bits"].startswith("1 pictures have more than 8: their values 0 to 3,990")
    assert "another background" in found["plain"]
    assert found["skipped"] == "1: 1 damaged ('cat/bad.jpg')"
    assert found["parts"].endswith("test")


@pytest.mark.parametrize(
    ("names", "count"),
    [(("cat ", "cat"), 1), (("caf\u00e9", "cafe\u0301"), 1), (("a  b", "a b"), 1)],
)
def test_names_that_look_alike_are_one_class(tmp_path, names, count):
    pictures.make_classes(tmp_path, 3, classes=(*names, "dog"))
    frame = scan(tmp_path, verbose=False)
    assert frame["class"].nunique() == 2
    assert "count as one class" in summary(frame)["note"]


def test_names_that_differ_in_capitals_are_pointed_out(tmp_path):
    pictures.make_classes(tmp_path, 3, classes=("Cat", "cat", "dog"))
    frame = scan(tmp_path, verbose=False)
    assert frame["class"].nunique() == 3
    assert "'Cat', 'cat' differ in capitals only" in summary(frame)["note"]


UNUSABLE = {
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "3 "),
    "psd": (b"8BPS" + bytes(100), "3 PSD is not read"),
    "text": (b"hello", "3 not a picture"),
    "empty": (b"", "3 the file is empty"),
    "damaged": (pictures.BAD["truncated.png"], "3 damaged"),
    "film": (b"\0\0\0\x18ftypisom" + bytes(100), "3 a film (MP4, MOV) is not read"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_class_of_which_nothing_is_left_is_refused_unless_allowed(tmp_path, kind):
    content, reason = UNUSABLE[kind]
    pictures.make_classes(tmp_path, 6)
    pictures.write(tmp_path / "fox", {f"{k}.heic": content for k in range(3)})
    with pytest.raises(ValueError, match=r"no file can be used of the class 'fox'") as caught:
        collection(tmp_path)
    assert reason in str(caught.value)
    found = collection(tmp_path, allow_empty_classes=True)
    assert found.task.classes == ("cat", "dog")
    assert reason in found.summary()["skipped"]


def test_a_class_lost_to_contradictions_is_refused(tmp_path):
    pictures.make_classes(tmp_path, 6)
    same = {f"{k}.png": (tmp_path / "cat" / f"00{k}.png").read_bytes() for k in range(2)}
    pictures.write(tmp_path / "fox", same)
    with pytest.raises(ValueError, match=r"no file can be used of the class 'fox'.*same picture"):
        collection(tmp_path)


def test_a_label_of_a_table_without_files_is_refused(tmp_path):
    folder = pictures.make_classes(tmp_path, 6)
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in folder.rglob("*.png")]
    table = folder / "labels.csv"
    table.write_text("\n".join(["file,label", *rows, "gone1.png,fox", "gone2.png,fox"]))
    with pytest.raises(ValueError, match=r"of the class 'fox' \(2: 2 no such file"):
        collection(table)


def test_a_lost_label_of_several_is_refused(tmp_path):
    frame = scan(pictures.make_classes(tmp_path, 3), verbose=False)
    frame.attrs["several_labels"] = True
    frame["class"] = ["a;b", "b", "c", "a", "b;d", "a"]
    frame.loc[[2, 4], ["status", "reason"]] = ["skipped", "damaged: x"]
    with pytest.raises(ValueError, match=r"of the classes 'c' .* 'd'"):
        refuse_lost_classes(frame, allowed=False)


@pytest.mark.parametrize("installed", [True, False])
def test_colours_of_sixteen_bits_are_kept_or_pointed_out(tmp_path, monkeypatch, installed):
    cv2 = pytest.importorskip("cv2")
    pictures.make_classes(tmp_path, 3)
    values = np.linspace(0, 4095, 30 * 30 * 3).astype("uint16").reshape(30, 30, 3)
    cv2.imwrite(str(tmp_path / "cat" / "deep.png"), values)
    if not installed:
        monkeypatch.setitem(sys.modules, "cv2", None)
    said = summary(scan(tmp_path, verbose=False))["bits"]
    if installed:
        assert said.startswith("1 pictures have more than 8: their values ")
    else:
        assert said.startswith("1 colour pictures of 16 bits are read as 8 (pip install")


def test_classes_that_a_part_lacks_are_named(tmp_path):
    pictures.make_classes(tmp_path / "train", 5, ("cat", "dog", "fox"))
    pictures.make_classes(tmp_path / "val", 3, ("cat", "dog"), side=20)
    pictures.make_classes(tmp_path / "test", 3, ("cat", "dog"), side=24)
    said = collection(tmp_path).summary()["missing"]
    assert said == "the validation part has no fox; the test part has no fox"


@pytest.mark.parametrize(
    ("sizes", "resize", "said"),
    [
        ([(20, 20), (21, 20)], "crop", None),
        ([(20, 20), (30, 20)], "crop", "crop: the middle of each picture is kept"),
        (
            [(40, 20), (20, 50), (20, 39)],
            "crop",
            "crop: the middle of each picture is kept; 2 lose half and more of theirs (pad and "
            "squash keep all)",
        ),
        ([(40, 20)], "pad", "pad"),
    ],
)
def test_how_pictures_become_square_is_said_where_they_are_not(tmp_path, sizes, resize, said):
    (tmp_path / "a").mkdir()
    for k, size in enumerate(sizes):
        Image.new("RGB", size, (k, 2, 3)).save(tmp_path / "a" / f"{k}.png")
    frame = scan(tmp_path, resize=resize, verbose=False)
    assert summary(frame).get("resize") == said
