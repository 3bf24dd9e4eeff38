"""Names of embedding files: whatever comes in, what comes out is safe and free."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seal_core.files.safe_names import TAKEN_BY, is_windows_device, safe_stem, unique_stem
from seal_core.messages import SealError

SAFE = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
ODD = st.sampled_from(["1e", "CON", "nan", "1" * 61 + "exy", "lpt1", "-", "0x", "a" * 64, "a-2"])


def is_safe(name: str) -> bool:
    """The rule in other words: ComfyUI reads `(embedding:NAME)` as NAME, and no disk refuses it."""
    try:
        float(name)
    except ValueError:
        return bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)) and not is_windows_device(name)
    return False


@settings(deadline=None)
@given(st.text(max_size=70) | SAFE | ODD)
def test_a_name_passes_unchanged_or_is_refused(name):
    if is_safe(name):
        assert safe_stem(name) == name == safe_stem(safe_stem(name))
    else:
        with pytest.raises(SealError, match=r"^name: "):
            safe_stem(name)


@settings(deadline=None)
@given((SAFE | ODD).filter(is_safe), st.integers(0, 12), st.sampled_from(TAKEN_BY), st.booleans())
@example("1e", 1, ".pt", False)  # 1e-2 would be a weight
@example("1" * 61 + "exy", 1, "", True)
def test_a_free_name_is_safe_too_and_stays(stem, taken, suffix, upper):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for _ in range(taken):
            free = unique_stem(folder, stem)
            (folder / ((free.upper() if upper else free) + suffix)).write_text("somebody's")
        free = unique_stem(folder, stem)
        assert safe_stem(free) == free == unique_stem(folder, free)
        assert (free == stem) == (taken == 0)
        there = {path.name.lower() for path in folder.iterdir()}
        assert len(there) == taken and not there & {(free + ending).lower() for ending in TAKEN_BY}
