"""When a train node must train again though its inputs are the same: its file was deleted, or it was stopped early.

ComfyUI asks before it runs a graph and keeps the answer with the outputs. So the answer must be the same before and
after a training, and change once the file has gone or is not all of it: it is a count of both, which only grows.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from .api import io

_answered: dict[Path, str] = {}
_gone: Counter[str] = Counter()


def watch_file(path: Path, name: str) -> None:
    """Note that the train node whose `name` input is `name` answers with this file."""
    _answered[path] = name


def forget_answer(name: str) -> None:
    """Note that what the node answers now is not what its inputs ask for, so that the next run trains again."""
    _gone[name] += 1


def times_to_train_again(name: str | None) -> int:
    """How many answers under this name have gone; under any name where that input is wired (None)."""
    for path in [path for path in _answered if not path.exists()]:
        forget_answer(_answered.pop(path))
    return _gone.total() if name is None else _gone[name]


class TrainingNode(io.ComfyNode):
    """A node that trains once, then answers with the file; its input `name` is what that is called."""

    @classmethod
    def fingerprint_inputs(cls, name: str | list[str] | None = None, **_: Any) -> int:
        """Changes once a trained file was deleted: otherwise ComfyUI's cache would answer instead of training."""
        return times_to_train_again(name[0] if isinstance(name, list) else name)
