"""The page in a browser: it answers as Python does, says what is wrong, and asks nobody."""

import io
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

import recipes
from recipes.export import export_run
from recipes.export.web import ADDRESS, RUNTIME, VERSION, runtime_in
from recipes.images.decode import RESIZE, Reading, decode_bytes, resized
from recipes.transfer import novelty
from tests.recipes.export.pages import (
    Served,
    ask,
    need_browser,
    need_package,
    pixels,
    ready,
)
from tests.recipes.images import pictures
from tests.recipes.images.pictures import encoded

OPTIONS = {"image_size": 96, "epochs": 2, "strategy": "head_only", "verbose": False}
TASKS = ("multiclass", "binary", "multilabel")
UNKNOWN = (".tiff", ".ppm", ".tga", ".jp2")  # of these formats a browser knows nothing
RED = Reading(background="red")


def photos():
    """Twenty pictures like photographs, PNG and JPEG, below twice the model's size or not JPEG."""
    china, flower = map(Image.fromarray, load_sample_images().images)
    rng, made = np.random.default_rng(0), {}
    for number in range(20):
        picture = (china, flower)[number % 2]
        left, upper, side = map(int, rng.integers((0, 0, 20), (400, 200, 64)))
        part = picture.crop((left, upper, left + side, upper + side - 5))
        if number % 4 < 2:
            made[f"{number}.png"] = encoded(part.resize((side * 9, side * 4)), "PNG")
        else:
            exif = Image.Exif()
            exif[0x0112] = number % 8 + 1
            how = {"quality": 60 + number, "subsampling": number % 3, "exif": exif}
            made[f"{number}.jpg"] = encoded(part, "JPEG", **how)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("files")
    return sorted(pictures.write(place, photos()).iterdir())


@pytest.fixture(scope="module")
def pages(run, tmp_path_factory):
    """A run and its page by task, each made once, and all served."""
    pytest.importorskip("tf2onnx")
    place, package, runs = tmp_path_factory.mktemp("pages"), need_package(), {"multiclass": run}

    def page(task):
        if task not in runs:
            folder = pictures.make_classes(tmp_path_factory.mktemp(task), 24, ("cat", "dog"))
            table = pd.DataFrame(
                {"file": sorted(p.relative_to(folder) for p in folder.glob("*/*"))}
            )
            table["label"] = [path.parent.name for path in table["file"]]
            if task == "multilabel":
                table.loc[::3, "label"] = "cat;dog"
            given = {"pictures": folder, "task": task, "output": place / f"{task} run", **OPTIONS}
            runs[task] = recipes.fit(table, **given)
        if not (place / task).exists():
            export_run(runs[task].folder, "web", output=place / task, runtime=package)
        return runs[task], place / task

    return page


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with need_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def served(pages):
    _, folder = pages("multiclass")
    with Served(folder.parent) as address:
        yield address


@pytest.fixture
def page(browser, served):
    ready(browser, f"{served}multiclass/")
    return browser


@pytest.mark.parametrize("task", TASKS)
def test_it_answers_as_python_does(browser, served, pages, files, task):
    run, _ = pages(task)
    expected = recipes.predict(run.folder, files, top_k=3, verbose=False)
    exact = 1 / len(novelty.read(run.folder)["distances"])
    ready(browser, f"{served}{task}/")
    for file, (_, row) in zip(files, expected.iterrows(), strict=True):
        found = ask(browser, file)
        shares = dict(found["bars"])
        if task == "multiclass":
            wanted = {row[f"label{k}"]: row[f"probability{k}"] for k in ("", "_2", "_3")}
            assert list(shares) == list(wanted)
        else:
            wanted = {k.removeprefix("probability of "): v for k, v in row.items() if " of " in k}
        for name, share in wanted.items():
            assert shares[name] == pytest.approx(share, abs=1e-4), file.name
        label = row["labels"].replace(";", "; ") if task == "multilabel" else row["label"]
        assert found["label"] == (label or "none of the labels")
        assert found["novelty"] == pytest.approx(row["novelty"], abs=1.001 * exact)
        assert found["unlike"] == (found["novelty"] >= novelty.UNLIKE_FROM)
        assert found["status"].startswith(f"{file.name}: {found['label']}")
    own = {f"{served}{task}/{name}" for name in ("", "model.js", "runtime.js")}
    assert {a for a in browser.requests if not a.startswith(("blob:", "data:"))} <= own | {
        f"{served}favicon.ico"
    }
    assert [e for e in browser.errors if "404" not in e] == []


def test_unlike_pictures_are_pointed_out(page, tmp_path):
    """Whatever the picture: the limit decides."""
    (tmp_path / "plain.png").write_bytes(pictures.GOOD["plain.png"])
    for limit, unlike in ((0.0, True), (1.1, False)):
        page.run(f"about.novelty.unlikeFrom = {limit}")
        found = ask(page, tmp_path / "plain.png")
        assert found["unlike"] == unlike
        assert ("unlike those of the training" in found["status"]) == unlike


@pytest.mark.parametrize("resize", RESIZE)
def test_it_reads_pixels_as_training_does(page, resize):
    reading = Reading(resize, "red")
    for name, content in pictures.GOOD.items():
        for size in ((40, 40), (7, 50), (40, 10), (24, 32)):
            found, note = pixels(page, content, size, reading, [255, 0, 0])
            if name.endswith(UNKNOWN):
                assert found is None
                assert "cannot read the file" in note
                continue
            expected = decode_bytes(content, size, reading).astype(int)
            draft = name.lower().endswith((".jpg", "jfif")) and size in ((7, 50), (40, 10))
            allowed = 1 if "gray16" in name else 40 if draft else 0
            assert abs(found - expected).max() <= allowed, (name, size)
            assert ("16 bits" in note) == ("gray16" in name)
            assert ("CMYK" in note) == ("cmyk" in name)


@pytest.mark.parametrize("resize", RESIZE)
def test_it_averages_and_resizes_large_pictures_as_training_does(page, resize):
    content = encoded(Image.fromarray(load_sample_images().images[0]), "PNG")
    for size in ((224, 224), (64, 64), (90, 31), (17, 300)):
        expected = decode_bytes(content, size, Reading(resize, "red"))
        found, _ = pixels(page, content, size, Reading(resize, "red"), [255, 0, 0])
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_large_jpegs_differ_little(page, factor):
    """Training decodes them at a half, a quarter, an eighth; the page comes near to that."""
    for image, subsampling in itertools.product(load_sample_images().images, (0, 2)):
        picture = Image.fromarray(image)
        content = encoded(picture, "JPEG", subsampling=subsampling, quality=90)
        size = (picture.height // factor, picture.width // factor)
        expected = decode_bytes(content, size, RED).astype(int)
        found, _ = pixels(page, content, size, RED, [255, 0, 0])
        whole = np.asarray(resized(Image.open(io.BytesIO(content)), size)).astype(int)
        # Of one resolution for light and colour only the rounding differs; with colours at half
        # of it, it is still nearer than resizing the whole picture.
        limit = 0.5 if subsampling == 0 else 0.8 * abs(whole - expected).mean()
        assert abs(found - expected).mean() < limit, subsampling


def test_levels_need_more_bits_than_a_browser_has(page):
    reading = Reading(levels=(100, 4000))
    found, note = pixels(page, pictures.GOOD["gray16.png"], (8, 8), reading, [255, 255, 255])
    assert found is None
    assert "levels" in note


def test_too_many_pixels_are_refused(page):
    found, note = pixels(
        page, pictures.GOOD["plain.png"], (8, 8), Reading(max_pixels=700), [0, 0, 0]
    )
    assert (found, note) == (None, "The picture has more pixels than 700.")


BROKEN = [name for name in pictures.BAD if not name.endswith((".ico", ".hidden.png"))]


def test_a_broken_file_gives_a_message(page, tmp_path):
    for number, name in enumerate(BROKEN):
        file = tmp_path / f"{number} <b>{name.split('.')[-1]}"
        file.write_bytes(pictures.BAD[name])
        problem = ask(page, file).get("problem", "")
        assert problem.startswith(f"{file.name}: "), name
    assert page.run("document.querySelector('main b')") is None
    (tmp_path / "good.png").write_bytes(pictures.GOOD["plain.png"])
    assert ask(page, tmp_path / "good.png")["label"]
    assert page.run("at('problem').textContent") == ""


def test_class_names_are_shown_as_they_are(page, files):
    assert {name for name, _ in ask(page, files[0])["bars"]} == {"a b", "<script>", "日本"}
    assert "One of: <script>, a b, 日本." in page.run("document.querySelector('header').innerText")


def test_a_double_click_opens_it(browser, pages, files):
    run, folder = pages("multiclass")
    ready(browser, (folder / "index.html").as_uri())
    found = ask(browser, files[0])
    expected = recipes.predict(run.folder, files[:1], verbose=False)
    assert found["label"] == expected["label"][0]
    assert found["bars"][0][1] == pytest.approx(expected["probability"][0], abs=1e-4)
    assert browser.errors == []


def test_the_page_can_ask_nobody(page, served):
    asked = "fetch({}).then(() => 'answered', () => 'blocked')"
    for address in (f"{served}multiclass/model.onnx", "https://example.org/"):
        assert page.run(asked.format(json.dumps(address))) == "blocked"
    assert any("Content Security Policy" in error for error in page.errors)


@pytest.fixture(scope="module")
def release():
    """The files at the public address."""
    package = need_package()
    if json.loads((package / "package.json").read_text())["version"] != VERSION:
        pytest.skip(f"onnxruntime-web is not {VERSION}")
    kinds = ("text/javascript", "application/wasm")
    return {
        ADDRESS + name: (kind, (runtime_in(package) / name).read_bytes())
        for name, kind in zip(RUNTIME, kinds, strict=True)
    }


def test_without_a_copy_the_release_is_loaded_and_its_bytes_are_checked(
    run, release, files, tmp_path
):
    page = export_run(run.folder, "web", output=tmp_path / "page")
    with (
        need_browser(tmp_path / "profile", network=dict(release)) as browser,
        Served(page) as place,
    ):
        for address in ((page / "index.html").as_uri(), place):
            ready(browser, address)
            assert {a for a in browser.requests if a.startswith("https:")} == set(release)
            assert ask(browser, files[0])["label"]
        kind, content = release[ADDRESS + next(iter(RUNTIME))]
        for network in ({ADDRESS + next(iter(RUNTIME)): (kind, content + b"\n")}, {}):
            browser.network = {**release, **network} if network else {}
            browser.call("Network.clearBrowserCache")
            browser.open(place)
            browser.until("at('problem').textContent")
            said = browser.run("at('problem').textContent")
            assert said.startswith("The model could not be loaded: https://cdn.jsdelivr.net")


def test_the_keyboard_reaches_everything(page, files):
    page.call("Page.setInterceptFileChooserDialog", enabled=True)
    reached = []
    for _ in range(2):
        page.press("Tab")
        reached.append(page.run("document.activeElement.id"))
        assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["choose", "camera"]
    page.run("at('choose').focus(); window.opened = 0; at('file').onclick = () => window.opened++")
    page.press("Enter")
    page.until("window.opened === 1")
    page.call("Page.setInterceptFileChooserDialog", enabled=False)


def test_everything_has_a_name_and_news_are_read_out(page, files):
    ask(page, files[0])
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"]
    ]
    wanted = ("button", "image", "list", "region", "dialog")
    assert [role for role, name in named if role in wanted and not name] == []
    assert {role for role, _ in named} >= {"status", "alert", "heading", "image", "main"}
    assert page.run("at('status').getAttribute('aria-live')") == "polite"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_a_phone(page, files, width):
    metrics = {"height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    page.call("Emulation.setDeviceMetricsOverride", width=width, **metrics)
    ask(page, files[0])
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("Math.min(...[...document.querySelectorAll('#place button')]"
                    ".map((one) => one.getBoundingClientRect().height))") >= 44  # fmt: skip
    page.call("Emulation.clearDeviceMetricsOverride")


def test_the_camera_takes_a_picture(page):
    page.run("at('camera').click()")
    page.until("at('finder').open && at('live').videoWidth")
    page.run("at('take').click()")
    page.until("!at('answer').hidden")
    assert page.run("at('status').textContent").startswith("camera.png: ")
    assert page.run("at('finder').open") is False
    page.until("at('live').srcObject.getTracks().every((one) => one.readyState === 'ended')")


def test_a_picture_can_be_dropped(page):
    content = json.dumps(list(pictures.GOOD["plain.png"]))
    page.run(f"""(() => {{
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array({content})], "dropped.png"));
      document.body.dispatchEvent(new DragEvent("drop", {{ dataTransfer: data, bubbles: true }}));
    }})()""")
    page.until("!at('answer').hidden")
    assert page.run("at('status').textContent").startswith("dropped.png: ")


@pytest.mark.parametrize(("train", "validation"), [(300, 120), (20, 7), (2, 1)])
def test_novelty_is_that_of_python(page, train, validation):
    rng = np.random.default_rng(train)
    known = novelty.fit(rng.random((train, 24)), rng.random((validation, 24)))
    asked = np.concatenate([rng.random((40, 24)), rng.normal(size=(10, 24))]).astype("float32")
    given = {name: list(array.tobytes()) for name, array in known.items()}
    found = page.run(f"""(() => {{
      const given = Object.fromEntries(Object.entries({json.dumps(given)})
        .map(([name, bytes]) => [name, new Uint8Array(bytes)]));
      const known = knownFrom(given, 24);
      return {json.dumps(asked.tolist())}.map((row) => {{
        const found = novelty(row, known, {novelty.NEIGHBOURS});
        return Number.isNaN(found) ? null : found;
      }});
    }})()""")
    np.testing.assert_allclose(np.array(found, float), novelty.score(asked, known), atol=1e-9)
