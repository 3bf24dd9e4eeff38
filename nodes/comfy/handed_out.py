"""Which trained files this process has handed out, so that one that was deleted since is trained again.

ComfyUI asks before it runs a graph and keeps the answer with the outputs. So the answer must be the same before
and after a training, and another one once the file has gone: a number of losses, which only grows.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

_handed_out: dict[Path, str] = {}
_losses: Counter[str] = Counter()


def hand_out(path: Path, name: str) -> None:
    """Note that the node called `name` answers with this file."""
    _handed_out[path] = name


def losses(name: str | None) -> int:
    """How many files of this name were deleted after they were handed out; of any name where that is wired (None)."""
    for path in [path for path in _handed_out if not path.exists()]:
        _losses[_handed_out.pop(path)] += 1
    return _losses.total() if name is None else _losses[name]
