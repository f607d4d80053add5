"""Chromium without a window, driven by its DevTools protocol over a pair of pipes."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SWITCHES = (
    *("--remote-debugging-pipe", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-dev-shm-usage", "--disable-extensions", "--disable-component-update"),
    *("--disable-background-networking", "--use-fake-device-for-media-stream"),
    "--use-fake-ui-for-media-stream",
    "--hide-scrollbars",
)
# The protocol's pipes have to be the descriptors 3 and 4.
_START = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, pipe in enumerate(pipes, 3):
    os.dup2(pipe, number)
os.execvp(sys.argv[3], sys.argv[3:])
"""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """The program that `CHROMIUM` names, or one of the usual names; None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser; leave its `with` block to end it.

    Attributes:
        requests: the addresses that were asked for, in order.
        errors: what was logged as an error, exceptions and violations of the policy among them.
        network: address to (type, content, of what comes instead of the network); others fail.
    """

    def __init__(self, profile: Path, network: dict | None = None):
        self.requests, self.errors, self.network = [], [], network
        self._sent, self._buffer = 0, b""
        there, self._out = os.pipe()
        self._in, back = os.pipe()
        command = (find_chromium(), *SWITCHES, f"--user-data-dir={profile}", "about:blank")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(there), str(back), *command],
            pass_fds=(there, back),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(back)
        self._session = None
        try:
            self._attach()
        except RuntimeError:
            self.__exit__()
            raise

    def _attach(self) -> None:
        """Make a page, and hear of what happens in it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")
        if self.network is not None:
            self.call("Fetch.enable", patterns=[{"urlPattern": "https://*"}])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **parameters):
        """What the browser answers to a command."""
        number = self._send(method, parameters)
        while True:
            message = self._receive()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def run(self, code: str):
        """The value of an expression in the page, awaited."""
        how = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        found = self.call("Runtime.evaluate", expression=code, **how)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", code))
        return found["result"].get("value")

    def open(self, address: str) -> None:
        """Go to a page."""
        self.requests.clear()
        self.errors.clear()
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def until(self, condition: str, seconds: float = 60):
        """Wait until an expression is true, and give its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.run(condition)
            if found:
                return found
            time.sleep(0.05)
        raise TimeoutError(f"{condition}; {self.errors}")

    def choose(self, selector: str, *files: Path) -> None:
        """Files for an input, as if they were chosen in the dialog."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node)

    def press(self, key: str) -> None:
        """A key, down and up."""
        text = {"Enter": "\r", " ": " "}.get(key)
        for kind in ("keyDown", "keyUp"):
            also = {"text": text} if text and kind == "keyDown" else {}
            code = {"Tab": 9, "Enter": 13, " ": 32}[key]
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **also
            )

    def screenshot(self, path: Path) -> None:
        """The window as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _send(self, method: str, parameters: dict) -> int:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        content = json.dumps(message).encode() + b"\0"
        while content:
            content = content[os.write(self._out, content) :]
        return self._sent

    def _receive(self) -> dict:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("the browser ended")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, message: dict) -> None:
        """Keep what an event says that tests ask for."""
        told, method = message.get("params", {}), message.get("method")
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])
        elif method == "Fetch.requestPaused":
            self._answer(told["requestId"], told["request"]["url"])

    def _answer(self, request: str, address: str) -> None:
        if address not in (self.network or {}):
            self._send("Fetch.failRequest", {"requestId": request, "errorReason": "Failed"})
            return
        kind, content = self.network[address]
        headers = {"Content-Type": kind, "Access-Control-Allow-Origin": "*"}
        answer = {
            "requestId": request,
            "responseCode": 200,
            "responseHeaders": [{"name": k, "value": v} for k, v in headers.items()],
            "body": base64.b64encode(content).decode(),
        }
        self._send("Fetch.fulfillRequest", answer)
