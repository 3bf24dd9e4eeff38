"""How far a batch is, and for how long it will go on: one line that moves, in a log a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

EVERY_MOVING, EVERY_LOGGED = 0.5, 5.0
"""Seconds between two looks of the line: where it is drawn over, and where each stays."""


class StatusLine:
    """Says how many of `total` pieces of work are done, from a thread of its own, so that long work is not silent.

    `notes` of single pieces are printed above it. For a `with` block.
    """

    def __init__(self, total: int, what: str, stream: TextIO | None = None) -> None:
        self._total, self._what, self._stream = total, what, stream or sys.stderr
        self._moves = self._stream.isatty()
        self._done = self._failed = 0
        self._started, self._last = time.monotonic(), 0.0
        self._first = 0.0  # when the first result came: what is before it is loading
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> StatusLine:
        self._show()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self._show(last=True)

    def step(self, failed: bool = False) -> None:
        """One more piece is done."""
        with self._lock:
            self._done += 1
            self._failed += failed
            self._first = self._first or time.monotonic()

    def note(self, text: str) -> None:
        """Print a line that stays."""
        with self._lock:
            self._write(text, stays=True)

    def text(self) -> str:
        """The line as it is now."""
        now = time.monotonic()
        parts = [f"{self._done} of {self._total} {self._what}"]
        parts += [f"{self._failed} failed"] if self._failed else []
        parts.append(in_time(now - self._started))
        if left := self._left(now):
            parts.append(f"about {in_time(left)} left")
        elif not self._done:
            parts.append("loading, then the first one")
        return ", ".join(parts)

    def _left(self, now: float) -> float:
        """Seconds still to go, by the pace since the first result; 0 = not known, or none."""
        if not 0 < self._done < self._total:
            return 0.0
        pace = (now - self._first) / (self._done - 1) if self._done > 1 else now - self._started
        return pace * (self._total - self._done)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_MOVING):
            self._show()

    def _show(self, last: bool = False) -> None:
        with self._lock:
            if self._moves or last or time.monotonic() - self._last >= EVERY_LOGGED - EVERY_MOVING:
                self._write(self.text(), stays=last or not self._moves)

    def _write(self, text: str, stays: bool) -> None:
        self._last = time.monotonic()
        start, end = ("\r\x1b[2K", "\n" if stays else "") if self._moves else ("", "\n")
        self._stream.write(f"{start}{text}{end}")
        self._stream.flush()


def in_time(seconds: float) -> str:
    """Seconds in words: "8 s", "3 min", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
