"""Shared by all tests: the ComfyUIs found, the markers, and hypothesis without a clock."""

from pathlib import Path

import hypothesis
import pytest
import torch
from installed import find_comfyuis, found_comfyuis, version_of
from quick import FEW_WORDS

# Tiny models lose more to threads waiting for each other than they win.
torch.set_num_threads(1)

# By default hypothesis fails an example that takes over 200 ms, as any may on a busy machine.
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")


def pytest_report_header() -> str:
    return found_comfyuis()


@pytest.fixture(scope="session", params=find_comfyuis() or [None], ids=lambda c: version_of(c) if c else "no-comfyui")
def comfyui(request: pytest.FixtureRequest) -> Path:
    """Every ComfyUI found, one after the other; its version is the test's id, so `-k 0.33` chooses one."""
    if request.param is None:
        pytest.skip("no ComfyUI found: set COMFYUI_PATH, or put it in ~/comfy/ComfyUI* or ../ComfyUI")
    return request.param


@pytest.fixture
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search for words to start from choose among a few. With all of them it takes most of a short training."""
    monkeypatch.setattr("seal_core.method.initial_words.grammar", lambda: FEW_WORDS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Markers that follow from where a test lives and what it asks for: nobody can forget them.

    slow: all of tests/comfyui, and what says so itself. comfy: whatever asks for a ComfyUI. world: tests/world.
    """
    here = Path(__file__).parent
    for item in items:
        room = item.path.relative_to(here).parts[0]
        if room == "comfyui":
            item.add_marker(pytest.mark.slow)
        if "comfyui" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.comfy)
        if room == "world":
            item.add_marker(pytest.mark.world)
