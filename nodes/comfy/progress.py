"""What the nodes that go through pictures share: Cancel and progress at every picture, and notes on the node."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import comfy.model_management
import comfy.utils

from ...seal_core.callbacks import OnProgress
from ...seal_core.messages import collected_notices, log_warning

stop_on_cancel = comfy.model_management.throw_exception_if_processing_interrupted
"""Raises once Cancel was pressed."""


def progress_of() -> OnProgress:
    """What the core calls as (done, all) at each picture: moves the node's bar, and raises if Cancel was pressed."""
    bar = comfy.utils.ProgressBar(1)  # each call tells of how many

    def show(done: int, total: int) -> None:
        stop_on_cancel()
        bar.update_absolute(done, total)

    return show


@contextlib.contextmanager
def noted() -> Iterator[dict[str, list[str]]]:
    """The node's `ui`, complete when the block ends: what the core tells within it is logged and shown on the node."""
    ui: dict[str, list[str]] = {"text": []}
    with collected_notices() as messages:
        yield ui
    for message in messages:
        log_warning("SEAL: %s", message)
    ui["text"] = messages
