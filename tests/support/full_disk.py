"""A full disk, for tests that files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from seal_core.files import whole_file


def full_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, writing into `folder` fails as on a full disk."""
    own = whole_file._hidden

    def hidden(where, name, data):
        if where == folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        return own(where, name, data)

    monkeypatch.setattr(whole_file, "_hidden", hidden)
