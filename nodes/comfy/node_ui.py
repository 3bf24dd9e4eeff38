"""What a node shows while it works and afterwards: Cancel, the progress bar, notes and a preview."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import comfy.model_management
import comfy.utils
from torch import Tensor

from ...seal_core.callbacks import OnProgress, StopCheck
from ...seal_core.messages import collected_notices, escaped_surrogates, log_warning
from .api import ui

stop_on_cancel = comfy.model_management.throw_exception_if_processing_interrupted
"""Raises once Cancel was pressed."""

_PARTS, _PAUSE = 200, 0.5  # of one step on the bar; seconds between two moves within a step


def progress_bar() -> OnProgress:
    """A callback (done, all) for the core: moves the node's bar, and raises once Cancel was pressed."""
    bar = comfy.utils.ProgressBar(1)  # every call brings its own total

    def show(done: int, total: int) -> None:
        stop_on_cancel()
        bar.update_absolute(done, total)

    return show


def progress_within() -> tuple[OnProgress, StopCheck]:
    """As `progress_bar`, and a check for the many pieces of one step: the bar creeps on through a step that is long.

    How many pieces there will be is unknown (an encoder tries until a file is small enough), so each takes the bar a
    little less far towards the step's end.
    """
    move, at = progress_bar(), [0, 1, 0.0]  # steps done, of how many; share of the present one
    told = [time.monotonic()]

    def show(done: int, total: int) -> None:
        at[:] = done, total, 0.0
        move(_PARTS * done, _PARTS * total)

    def check() -> None:
        stop_on_cancel()
        at[2] += (1 - at[2]) / _PARTS
        if time.monotonic() - told[0] > _PAUSE:
            told[0] = time.monotonic()
            move(round(_PARTS * (at[0] + at[2])), _PARTS * at[1])

    return show, check


@contextlib.contextmanager
def notes_on_node() -> Iterator[dict[str, list[str]]]:
    """The node's `ui`, filled when the block ends: the core's notices go to the log and onto the node."""
    shown: dict[str, list[str]] = {"text": []}
    with collected_notices() as messages:
        yield shown
    for message in messages:
        log_warning("SEAL: %s", message)
    shown["text"] = _together(messages)


def _together(messages: list[str]) -> list[str]:
    """What is said of several pictures, said once: "pictures 1, 2, 7: ..."."""
    numbers: dict[tuple[str, bool], list[str]] = {}
    for message in messages:
        about = re.match(r"picture (\d+): ", message)
        text = message[about.end() :] if about else message
        numbers.setdefault((text, about is not None), []).extend([about[1]] if about else [])
    return [
        f"picture{'s' * (len(which) > 1)} {', '.join(which)}: {text}" if which else text
        for (text, _), which in numbers.items()
    ]


def picture_on_node(picture: Tensor, node: Any) -> tuple[dict[str, Any], str]:
    """(`ui` that shows a picture (1, H, W, 3) on a node, ""), or ({}, why it cannot be shown).

    Whatever goes wrong here must not cost the result that the node has worked for.
    """
    try:
        return ui.PreviewImage(picture, cls=node).as_dict(), ""
    except Exception as error:
        return {}, escaped_surrogates(f"is not shown here, since ComfyUI's temp folder does not take it ({error}).")
