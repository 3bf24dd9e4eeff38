"""The server's side of the panel that js/training_panel.js shows on a training node.

What it shows goes to the client that queued the training, and to no other. Its buttons come back by a POST route.
Without that script nobody listens or answers, and the node shows a picture in place of the panel.
"""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
from PIL import Image

EVENT, ROUTE = "seal.training", "/seal/training"


@dataclass(frozen=True)
class LivePanel:
    """The panel of one running training. client: None where nobody waits for messages.

    stop: set once the user wants to keep what is learned so far. shown: set once a panel has answered.
    """

    prompt_id: str
    node: str
    client: str | None
    stop: threading.Event = field(default_factory=threading.Event)
    shown: threading.Event = field(default_factory=threading.Event)

    def send(self, **news: Any) -> None:
        """Plain JSON values for the panel; nothing where there is no client."""
        if self.client is not None:
            message = {"prompt_id": self.prompt_id, "node": self.node, **news}
            _server().send_sync(EVENT, message, self.client)


def _server() -> Any:
    """ComfyUI's web server, or None where nodes run without one, as in tests. Not imported: that would load much."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


_running: dict[tuple[str, str], LivePanel] = {}


@contextlib.contextmanager
def live_panel(steps: int) -> Iterator[LivePanel]:
    """The panel of the node that is running now; told when the training starts and how it ends."""
    server = _server()
    client = getattr(server, "client_id", None)
    panel = LivePanel(str(getattr(server, "last_prompt_id", "")), str(getattr(server, "last_node_id", "")), client)
    key, how = (panel.prompt_id, panel.node), "failed"
    _running[key] = panel
    panel.send(phase="start", steps=steps)
    try:
        yield panel
        how = "stopped" if panel.stop.is_set() else "done"
    except comfy.model_management.InterruptProcessingException:
        how = "cancelled"
        raise
    finally:
        del _running[key]
        panel.send(phase="end", how=how)


def pressed(request: Any) -> bool | None:
    """Do what a panel asks for, {"prompt_id", "node", "do": "stop" or "show"}.

    None where that is malformed, False where no such training is running.
    """
    names = ("prompt_id", "node", "do")
    if not isinstance(request, dict) or not all(isinstance(request.get(name), str) for name in names):
        return None
    if request["do"] not in ("stop", "show"):
        return None
    panel = _running.get((request["prompt_id"], request["node"]))
    if panel is not None:
        (panel.stop if request["do"] == "stop" else panel.shown).set()
    return panel is not None


def answer_panels() -> None:
    """Add the route for the buttons to ComfyUI's server. Call it once, while ComfyUI loads its nodes."""
    try:
        web = sys.modules["server"].web  # ComfyUI's own: the pack opens no connection

        async def answer(request: Any) -> Any:
            try:
                found = pressed(await request.json())
            except ValueError:
                found = None
            status = 400 if found is None else 200 if found else 404
            return web.json_response({"ok": status == 200}, status=status)

        _server().routes.post(ROUTE)(answer)
    except Exception as error:  # no server in this process, or a fork's own: the panel lacks its button
        logging.debug("SEAL: no route for the live panel (%s)", error)


def jpeg_url(picture: Image.Image) -> str:
    """A small picture as a data: URL for the panel."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
