"""Disks that are full, for tests of what is written whole."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from seal_core.files import whole_file


def full_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte more can be written into `folder`."""
    own = whole_file._hidden

    def hidden(where, name, data):
        if where == folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        return own(where, name, data)

    monkeypatch.setattr(whole_file, "_hidden", hidden)
