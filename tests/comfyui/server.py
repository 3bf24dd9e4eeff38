"""A real ComfyUI as a subprocess on loopback, driven like its front end: HTTP and one web socket."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from installed import HANGS, HERE, PACK, find_python
from PIL import Image

ENDS = ("execution_success", "execution_error", "execution_interrupted")


def cache_dir() -> Path:
    """Where random checkpoints are kept between runs: SEAL_TEST_CACHE or ~/.cache/seal-tests."""
    return Path(os.environ.get("SEAL_TEST_CACHE") or Path.home() / ".cache/seal-tests")


def forget_old_recipes(keep: int) -> None:
    """Remove all but the newest folders of random checkpoints: each holds up to 6.5 GB."""
    folders = [folder for folder in cache_dir().iterdir() if re.fullmatch("[0-9a-f]{8}", folder.name)]
    for folder in sorted(folders, key=lambda f: f.stat().st_mtime)[:-keep]:
        for file in folder.glob("*.safetensors*"):
            file.unlink()
        with contextlib.suppress(OSError):  # something else is in there
            folder.rmdir()


class PromptRejected(Exception):
    """ComfyUI refused the graph; `node_errors` is its answer, node id -> details."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(json.dumps(answer)[:4000])
        self.node_errors: dict[str, Any] = answer.get("node_errors") or {}


@dataclass
class Result:
    """One executed prompt, from /history and /ws."""

    prompt_id: str
    status: str  # success, error or interrupted
    outputs: dict[str, Any]
    messages: list[dict[str, Any]] = field(repr=False)
    error: dict[str, Any]

    def text(self, node: str) -> str:
        """The first text that this node shows."""
        return self.outputs[node]["text"][0]

    def json(self, node: str) -> Any:
        return json.loads(self.text(node))

    def progress(self, node: str) -> list[tuple[int, int]]:
        """(value, total) of this node's progress bar, one per update."""
        return [
            (message["data"]["value"], message["data"]["max"])
            for message in self.messages
            if message["type"] == "progress" and message["data"].get("node") == node
        ]

    @property
    def executed(self) -> set[str]:
        """Nodes that really ran (the others came from ComfyUI's cache)."""
        return {m["data"]["node"] for m in self.messages if m["type"] == "executing" and m["data"].get("node")}

    def ok(self) -> Result:
        assert self.status == "success", f"{self.status}: {self.message}\n{''.join(self.error.get('traceback', []))}"
        return self

    @property
    def message(self) -> str:
        return self.error.get("exception_message", "").strip()


class ComfyServer:
    """ComfyUI with its own base directory (models, custom_nodes, input, output, user) under `base`."""

    def __init__(self, comfyui: Path, base: Path, flags: tuple[str, ...] = (), *, cpu: bool = True) -> None:
        self.comfyui, self.base = comfyui, base
        self.flags = ("--cpu", *flags) if cpu else flags
        self.python = find_python(comfyui)
        self.log_file = base / "comfyui.log"
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("input", "output", "user", "temp", "custom_nodes", "models/checkpoints", "models/embeddings"):
            (base / name).mkdir(parents=True, exist_ok=True)
        for name in ("models/loras", "models/controlnet", "models/diffusion_models"):
            (base / name).mkdir(parents=True, exist_ok=True)
        self._link(PACK, "custom_nodes/seal-stickers")
        self._link(HERE / "probe", "custom_nodes/seal-probe")

    def _link(self, target: Path, name: str) -> None:
        link = self.base / name
        if not link.is_symlink():
            link.symlink_to(target)

    def ensure(self, *names: str) -> None:
        """Make the random files of checkpoints.py that are not in the cache yet, and link them into models."""
        # The folder's name holds a hash of the recipe, so a changed recipe never uses old files.
        recipe = f"{zlib.crc32((HERE / 'checkpoints.py').read_bytes()):08x}"
        folder = cache_dir() / recipe
        missing = [name for name in names if not (folder / f"{name}.safetensors").exists()]
        if missing:
            command = [self.python, str(HERE / "checkpoints.py"), str(self.comfyui), str(folder), *missing]
            made = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
            assert made.returncode == 0, made.stderr[-3000:]
            forget_old_recipes(keep=2)
        homes = {"lora": "loras", "controlnet": "controlnet", "sd3": "diffusion_models"}
        for name in names:
            self._link(folder / f"{name}.safetensors", f"models/{homes.get(name, 'checkpoints')}/{name}.safetensors")

    # Life

    def start(self, timeout: float = HANGS) -> ComfyServer:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        fixed = ["--listen", "127.0.0.1", "--port", str(self.port), "--base-directory", str(self.base)]
        quiet = ["--disable-auto-launch", "--disable-api-nodes", "--database-url", "sqlite:///:memory:"]
        command = [self.python, str(HERE / "launch.py"), str(self.comfyui), *fixed, *quiet, *self.flags]
        # Waiting threads must not spin: on two busy cores that makes everything six times slower.
        calm = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        environment = {**calm, **os.environ}
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.base)
        deadline = time.time() + timeout
        while True:
            assert self.process.poll() is None, f"ComfyUI ended while starting:\n{self.log[-4000:]}"
            assert time.time() < deadline, f"ComfyUI not ready after {timeout} s:\n{self.log[-4000:]}"
            with contextlib.suppress(OSError):
                self.get("/system_stats")
                break
            time.sleep(0.2)
        import websocket

        self.client_id = uuid.uuid4().hex
        address = f"ws://127.0.0.1:{self.port}/ws?clientId={self.client_id}"
        self.socket = websocket.create_connection(address, timeout=30)
        self.socket.settimeout(None)
        self._messages: list[dict[str, Any]] = []
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # the socket closes when ComfyUI stops
            while True:
                data = self.socket.recv()
                if data and isinstance(data, str):  # binary messages are previews
                    with self._news:
                        self._messages.append(json.loads(data))
                        self._news.notify_all()
                elif not data:
                    break

    def stop(self) -> None:
        if self.process is not None:
            with contextlib.suppress(Exception):
                self.socket.close()
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
            self.process = None

    def restart(self) -> ComfyServer:
        self.stop()
        return self.start()

    # Talk

    def _open(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers or {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def get(self, path: str) -> Any:
        return json.loads(self._open(path))

    def post(self, path: str, value: Any = None) -> bytes:
        return self._open(path, json.dumps(value or {}).encode(), {"Content-Type": "application/json"})

    def object_info(self) -> dict[str, Any]:
        return self.get("/object_info")

    def queue(self, prompt: dict[str, Any]) -> str:
        """Send a graph in API format. Returns its prompt id; raises PromptRejected with the node errors."""
        try:
            return json.loads(self.post("/prompt", {"prompt": prompt, "client_id": self.client_id}))["prompt_id"]
        except urllib.error.HTTPError as error:
            raise PromptRejected(json.loads(error.read())) from None

    def wait(self, prompt_id: str, timeout: float = HANGS) -> Result:
        """Wait until ComfyUI has finished this prompt."""
        deadline = time.time() + timeout
        with self._news:
            while True:
                mine = [m for m in self._messages if m["data"].get("prompt_id") == prompt_id]
                ends = [m for m in mine if m["type"] in ENDS]
                if ends:
                    break
                alive = self.process is not None and self.process.poll() is None
                assert alive, f"ComfyUI died:\n{self.log[-4000:]}"
                assert time.time() < deadline, f"nothing after {timeout} s; last: {mine[-1:]}\n{self.log[-2000:]}"
                self._news.wait(1)
        while prompt_id not in (history := self.history(prompt_id)):
            assert time.time() < deadline, f"{prompt_id} ended, but is not in the history"
            time.sleep(0.05)
        status = ends[0]["type"].removeprefix("execution_")
        error = ends[0]["data"] if status == "error" else {}
        return Result(prompt_id, status, history[prompt_id]["outputs"], mine, error)

    def run(self, prompt: dict[str, Any], timeout: float = HANGS) -> Result:
        return self.wait(self.queue(prompt), timeout)

    def until_step(self, prompt_id: str, node: str, step: int, timeout: float = HANGS) -> None:
        """Wait for this node's progress bar to reach `step`."""
        deadline = time.time() + timeout
        with self._news:
            while self._step(prompt_id, node) < step:
                assert time.time() < deadline, f"step {step} of {node} not reached in {timeout} s"
                self._news.wait(1)

    def _step(self, prompt_id: str, node: str) -> int:
        """The value of this node's progress bar, 0 at first. The prompt must still run."""
        step = 0
        for message in self._messages:
            if message["data"].get("prompt_id") == prompt_id:
                assert message["type"] not in ENDS, f"prompt ended at step {step}: {message}"
                if message["type"] == "progress" and message["data"]["node"] == node:
                    step = message["data"]["value"]
        return step

    def interrupt(self) -> None:
        self.post("/interrupt")

    def free(self) -> None:
        """Forget all node results and unload the models, as the front end's button does."""
        self.post("/free", {"unload_models": True, "free_memory": True})
        time.sleep(0.3)

    def history(self, prompt_id: str = "") -> dict[str, Any]:
        return self.get(f"/history/{prompt_id}" if prompt_id else "/history")

    def upload_image(self, name: str, image: Image.Image) -> str:
        """Upload a PNG to the input folder; the name for LoadImage."""
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        edge = uuid.uuid4().hex
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n',
            f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n',
            "Content-Type: image/png\r\n\r\n",
        ]
        body = "".join(parts).encode() + buffer.getvalue() + f"\r\n--{edge}--\r\n".encode()
        answer = self._open("/upload/image", body, {"Content-Type": f"multipart/form-data; boundary={edge}"})
        return json.loads(answer)["name"]

    def view(self, image: dict[str, str]) -> Image.Image:
        """A picture that an output node reported, with all its frames."""
        keys = {key: image[key] for key in ("filename", "subfolder", "type")}
        picture = Image.open(io.BytesIO(self._open(f"/view?{urllib.parse.urlencode(keys)}")))
        picture.load()
        return picture

    def pixels(self, result: Result, node: str) -> list[bytes]:
        """The raw pixels of all pictures of a SaveImage or PreviewImage node."""
        return [self.view(image).tobytes() for image in result.outputs[node]["images"]]

    # Look

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def embeddings(self) -> Path:
        return self.base / "models/embeddings"

    def files(self) -> set[str]:
        """All files under models/embeddings and models/seal_tails, temporary ones too."""
        folders = (self.embeddings, self.base / "models/seal_tails")
        return {str(p.relative_to(self.base)) for f in folders if f.exists() for p in f.rglob("*") if p.is_file()}
