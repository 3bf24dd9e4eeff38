"""Which trained files were deleted after the train node answered with them, so that it trains again.

ComfyUI asks before it runs a graph and keeps the answer with the outputs. So the answer must be the same before and
after a training, and change once the file has gone: it is a count of deletions, which only grows.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

_answered: dict[Path, str] = {}
_deleted: Counter[str] = Counter()


def watch_file(path: Path, name: str) -> None:
    """Note that the train node whose `name` input is `name` answers with this file."""
    _answered[path] = name


def times_deleted(name: str | None) -> int:
    """How many files of this name were deleted since; of any name where that input is wired (None)."""
    for path in [path for path in _answered if not path.exists()]:
        _deleted[_answered.pop(path)] += 1
    return _deleted.total() if name is None else _deleted[name]
