"""Shared by all tests."""

from pathlib import Path

import pytest
import torch
from server import find_comfyuis, found_comfyuis, version_of

# Tiny models lose more to threads waiting for each other than they win.
torch.set_num_threads(1)


def pytest_report_header() -> str:
    return found_comfyuis()


@pytest.fixture(scope="session", params=find_comfyuis() or [None], ids=lambda c: version_of(c) if c else "no-comfyui")
def comfyui(request: pytest.FixtureRequest) -> Path:
    """Every ComfyUI found, one after the other; its version is the test's id, so `-k 0.33` chooses one."""
    if request.param is None:
        pytest.skip("no ComfyUI found: set COMFYUI_PATH, or put it in ~/comfy/ComfyUI* or ../ComfyUI")
    return request.param
