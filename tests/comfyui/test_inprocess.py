"""Checks that run inside ComfyUI's interpreter, on its own classes, without a server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from installed import HANGS, HERE, find_python

SCRIPTS = [
    "inprocess_routing.py",
    "inprocess_compat.py",
    "inprocess_patches.py",
    "inprocess_core_nodes.py",
    "inprocess_text.py",
    "inprocess_private_members.py",
    "inprocess_embedding_files.py",
    "inprocess_train.py",
    "inprocess_weights.py",
    "inprocess_style.py",
    "inprocess_checkpointing.py",
    "inprocess_trained_files.py",
    "inprocess_pinned.py",
    "inprocess_noise.py",
    "inprocess_loading.py",
    "inprocess_refused_models.py",
    "inprocess_identity.py",
    "inprocess_stickers_pack.py",
    "inprocess_pictures.py",
    "inprocess_fuzz.py",
    "inprocess_motion.py",
    "inprocess_combined.py",
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_inside_comfyui(comfyui: Path, script: str) -> None:
    command = [find_python(comfyui), str(HERE / script), str(comfyui)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    lines = [line for line in run.stdout.splitlines() if line.startswith(("ok ", "FAIL "))]
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(lines) >= 3
