"""The folder of a page, as far as it can be tested without a browser."""

import base64
import gzip
import hashlib
import json
import re

import numpy as np
import pytest

from recipes.cli import main
from recipes.export import export_run
from recipes.export.web import RUNTIME, VERSION, Web, runtime_in
from recipes.images.decode import Reading
from recipes.transfer import novelty
from tests.recipes.export.conftest import CLASSES
from tests.recipes.export.pages import need_package

READING = Reading(background="#ff8000").to_dict()
LABELS = {"task": "multiclass", "classes": ["a", "</script><b>", "日本"], "reading": READING}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder like that of the npm package."""
    place = tmp_path_factory.mktemp("package")
    (place / "dist").mkdir()
    for name in RUNTIME:
        (place / "dist" / name).write_bytes(name.encode() * 100)
    return place


@pytest.fixture(scope="module")
def folder(run, package, tmp_path_factory):
    pytest.importorskip("tf2onnx")
    path = tmp_path_factory.mktemp("pages") / "page"
    return export_run(run.folder, "web", output=path, runtime=package)


def packed(path):
    """What a script gives the page."""
    found = re.findall(r'^packed\["(\w+)"\]="([\w+/=]+)";$', path.read_text(), re.MULTILINE)
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in found}


def test_the_page_has_the_checked_model_and_the_kept_features(run, folder, package):
    names = ["index.html", "model.js", "model.onnx", "runtime.js"]
    assert sorted(path.name for path in folder.iterdir()) == names
    given = packed(folder / "model.js")
    assert given.pop("model") == (folder / "model.onnx").read_bytes()
    known = novelty.read(run.folder)
    assert {name: array.tobytes() for name, array in known.items()} == given
    assert known["features"].dtype == np.float16
    assert list(packed(folder / "runtime.js").values()) == [
        (package / "dist" / name).read_bytes() for name in RUNTIME
    ]
    assert (folder / "runtime.js").read_text().startswith("/* ONNX Runtime Web. Copyright")


def test_its_model_gives_the_pooled_features_too(run, folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    probabilities, features = session.run(
        None, {session.get_inputs()[0].name: np.zeros((2, 32, 32, 3), "float32")}
    )
    assert probabilities.shape == (2, len(CLASSES))
    assert features.shape == (2, novelty.read(run.folder)["features"].shape[1])


def about(text):
    (found,) = re.findall(r'<script type="application/json" id="about">(.*)</script>', text)
    return json.loads(found)


def test_class_names_are_no_markup():
    text = Web().page((8, 16), LABELS)
    assert text.count("</script>") == 2
    assert "<b>" not in text
    assert about(text)["labels"]["classes"] == LABELS["classes"]
    assert (about(text)["size"], about(text)["background"]) == ([16, 8], [255, 128, 0])


@pytest.mark.parametrize("local", [True, False])
def test_only_the_page_s_own_code_may_run(local, package):
    text = Web(runtime=runtime_in(package) if local else None).page((8, 8), LABELS)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)">', text)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for rule, tag in (("script-src", "script"), ("style-src", "style")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules[rule].split()
        assert "unsafe-inline" not in rules[rule]
    addresses = [
        f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{VERSION}/dist/{n}" for n in RUNTIME
    ]
    assert rules["connect-src"] == ("'none'" if local else " ".join(addresses))


def test_what_is_loaded_from_the_public_address_is_the_release():
    place = need_package()
    if json.loads((place / "package.json").read_text())["version"] != VERSION:
        pytest.skip(f"onnxruntime-web is not {VERSION}")
    for name, expected in RUNTIME.items():
        found = hashlib.sha256((runtime_in(place) / name).read_bytes()).digest()
        assert expected == "sha256-" + base64.b64encode(found).decode()


def test_the_runtime_is_found_in_the_package_or_its_dist(package, tmp_path):
    expected = (package / "dist").resolve()
    assert runtime_in(package) == runtime_in(str(package / "dist")) == expected
    (tmp_path / "ort.wasm.bundle.min.mjs").touch()
    with pytest.raises(ValueError, match=r"^runtime: .*does not hold .*onnxruntime-web"):
        runtime_in(tmp_path)


@pytest.mark.parametrize(
    ("format", "runtime", "text"),
    [
        ("web", "no/such/folder", "runtime: no/such/folder does not hold"),
        ("web", "", "runtime: the path is empty"),
        ("onnx", ".", "runtime: only the format 'web' takes one"),
    ],
)
def test_a_runtime_that_is_none_is_refused(run, tmp_path, format, runtime, text, capsys):
    words = [str(run.folder), "--format", format, "--output", str(tmp_path / "m")]
    assert main(["export", *words, "--runtime", runtime]) == 2
    assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_without_novelty_has_a_page_without(run, tmp_path, capsys):
    pytest.importorskip("tf2onnx")
    copy = tmp_path / "run"
    copy.mkdir()
    for path in run.folder.iterdir():
        if path.is_file() and path.name != novelty.FILE:
            (copy / path.name).write_bytes(path.read_bytes())
    page = copy / "web"
    assert main(["export", str(copy), "--format", "web"]) == 0
    assert f"python -m http.server -d {page}" in capsys.readouterr().out
    assert list(packed(page / "model.js")) == ["model"]
    assert not (page / "runtime.js").exists()
    assert about((page / "index.html").read_text())["novelty"] is None
