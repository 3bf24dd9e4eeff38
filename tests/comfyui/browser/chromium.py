"""A headless Chromium driven over its DevTools protocol: one tab, no downloads, nothing left behind."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--no-default-browser-check", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


def find_chromium() -> str | None:
    """CHROMIUM, else the first usual name on the path."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Chromium:
    """One tab of a browser with a profile of its own; a context manager.

    console: (level, text) of all that the page logged or threw, and of failed requests.
    """

    def __init__(self, width: int = 1600, height: int = 1000) -> None:
        self.size = (width, height)
        self.console: list[tuple[str, str]] = []
        self._last = 0

    def __enter__(self) -> Chromium:
        import websocket

        program = find_chromium()
        assert program, "no Chromium found: install it or set CHROMIUM"
        self.profile = Path(tempfile.mkdtemp(prefix="seal-chromium-"))
        window = f"--window-size={self.size[0]},{self.size[1]}"
        command = [program, *FLAGS, window, f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = self._port()
            self.socket = websocket.create_connection(self._tab(port), timeout=120, suppress_origin=True)
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
            self.resize(*self.size)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(Exception):
            self.send("Browser.close")
        with contextlib.suppress(Exception):
            self.socket.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _port(self, timeout: float = 60) -> int:
        deadline, file = time.time() + timeout, self.profile / "DevToolsActivePort"
        while True:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return int(file.read_text().splitlines()[0])
            assert self.process.poll() is None, "Chromium ended while starting"
            assert time.time() < deadline, f"Chromium not ready after {timeout} s"
            time.sleep(0.1)

    def _tab(self, port: int) -> str:
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
            return next(t["webSocketDebuggerUrl"] for t in json.load(answer) if t["type"] == "page")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; events that arrive meanwhile are noted."""
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self._last:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self._note(message.get("method"), message.get("params", {}))

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Runtime.consoleAPICalled":
            text = " ".join(str(a.get("value", a.get("description", ""))) for a in params["args"])
            where = [f"{c['url'].rsplit('/', 1)[-1]}:{c['lineNumber']}" for c in _frames(params)[:3]]
            self.console.append((params["type"], f"{text} [{' < '.join(where)}]"))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.console.append(("error", details.get("exception", {}).get("description", details["text"])))
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self.console.append((entry["level"], f"{entry['text']} [{entry.get('url', '')}]"))

    def evaluate(self, expression: str, *arguments: Any) -> Any:
        """Value of a JavaScript expression, or of a function applied to JSON arguments; promises are awaited."""
        if arguments:
            expression = f"({expression})({', '.join(map(json.dumps, arguments))})"
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout: float = 90) -> Any:
        """Until a JavaScript expression is true."""
        deadline = time.time() + timeout
        while not (value := self.evaluate(expression)):
            assert time.time() < deadline, f"not true after {timeout} s: {expression}"
            time.sleep(0.2)
        return value

    def open(self, url: str) -> None:
        self.send("Page.navigate", url=url)

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Size of the page in CSS pixels, and how many device pixels there are to one of these."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def screenshot(self, clip: dict[str, float] | None = None) -> bytes:
        """The page as PNG; clip: x, y, width and height in CSS pixels."""
        part = {"clip": {**clip, "scale": 1}} if clip else {}
        return base64.b64decode(self.send("Page.captureScreenshot", format="png", **part)["data"])


def _frames(params: dict[str, Any]) -> list[dict[str, Any]]:
    return params.get("stackTrace", {}).get("callFrames", [])
