"""The line that says how far a batch is."""

from __future__ import annotations

import io
import time

import pytest

from seal_core.batch import status_line
from seal_core.batch.status_line import StatusLine, in_time


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_line, "EVERY_MOVING", 0.02)
    monkeypatch.setattr(status_line, "EVERY_LOGGED", 0.1)
    log = io.StringIO()
    with StatusLine(3, "pictures", log) as line:
        time.sleep(0.5)
        line.step()
        line.note("b.png: image: is bad.")
        line.step(failed=True)
    lines = log.getvalue().splitlines()
    assert lines[0].startswith("0 of 3 pictures") and "loading" in lines[0]
    assert 3 <= sum(one.startswith("0 of 3") for one in lines) <= 8, "not silent, not a flood"
    assert "b.png: image: is bad." in lines and lines[-1].startswith("2 of 3 pictures, 1 failed, ")
    assert "left" in lines[-1]


def test_a_terminal_gets_one_line_that_moves() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    with StatusLine(1, "pictures", screen) as line:
        line.step()
    assert screen.getvalue().count("\n") == 1 and screen.getvalue().endswith("1 of 1 pictures, 0 s\n")


def test_times_in_words() -> None:
    assert [in_time(s) for s in (8, 89, 100, 3600, 2 * 3600 + 300)] == ["8 s", "89 s", "2 min", "60 min", "2 h 5 min"]
