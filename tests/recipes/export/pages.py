"""What the tests of pages share: ONNX Runtime Web, a browser, and how a page is asked."""

import base64
import json
import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from recipes.export.web import runtime_in
from tests.recipes.export.browser import Browser, find_chromium

PLACES = (
    os.environ.get("ONNXRUNTIME_WEB"),
    Path(__file__).parents[3] / "build" / "node_modules" / "onnxruntime-web",
)
# An answer as values: what the page shows, and how exact it is inside.
ANSWER = """(() => {
  const bars = [...document.querySelectorAll("#answer li")].map((item) => [
    item.querySelector(".name").textContent, Number(item.querySelector("data").value)]);
  return {
    label: at("label").textContent, bars, novelty: Number(at("novelty").value),
    unlike: !at("unlike").hidden, note: at("note").textContent, status: at("status").textContent,
  };
})()"""
PIXELS = """(async (content, target, reading, how) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  try {
    const { picture, jpeg, turn, note } =
      await opened(new File([bytes], "x"), reading, how.background);
    const { data } = fitted(picture, target, reading, how, jpeg, turn);
    return [btoa(Array.from(data, (value) => String.fromCharCode(value)).join("")), note];
  } catch (error) {
    return [null, error.message];
  }
})"""


def need_package() -> Path:
    """The npm package's folder; the test is skipped where there is none."""
    for place in filter(None, PLACES):
        if Path(place).is_dir():
            runtime_in(place)
            return Path(place)
    pytest.skip("no onnxruntime-web: `npm install --prefix build onnxruntime-web`, or name its "
                "folder by ONNXRUNTIME_WEB")  # fmt: skip


def need_browser(profile: Path, **options) -> Browser:
    """A browser; the test is skipped where there is none."""
    if not find_chromium():
        pytest.skip("no Chromium: install it, or name it by CHROMIUM")
    return Browser(profile, **options)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing."""

    def log_message(self, *_):
        pass


class Served:
    """A folder on loopback, while in its `with` block; its value is the address."""

    def __init__(self, folder: Path):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ready(browser: Browser, address: str) -> None:
    """Open a page, and wait for its model."""
    browser.open(address)
    browser.until("at('status').textContent.startsWith('Ready') || at('problem').textContent")
    assert browser.run("at('problem').textContent") == ""


def ask(browser: Browser, file: Path) -> dict:
    """Choose a file, and what the page says of it: an answer, or `problem`."""
    browser.run("at('answer').hidden = true; at('problem').textContent = ''")
    browser.choose("#file", file)
    browser.until("!at('answer').hidden || at('problem').textContent")
    problem = browser.run("at('problem').textContent")
    return {"problem": problem} if problem else browser.run(ANSWER)


def pixels(browser: Browser, content: bytes, size, reading, background) -> tuple:
    """A file's pixels as the page sees them, (H, W, 3), or None; and its note or refusal."""
    given = (
        base64.b64encode(content).decode(),
        [size[1], size[0]],
        reading.to_dict(),
        {"background": background, "tallFirst": browser.run("about.tallFirst")},
    )
    found, note = browser.run(f"{PIXELS}({', '.join(map(json.dumps, given))})")
    if found is None:
        return None, note
    return np.frombuffer(base64.b64decode(found), "uint8").reshape(*size, 3).astype(int), note
