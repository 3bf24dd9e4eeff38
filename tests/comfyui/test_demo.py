"""SEALDemoModel in ComfyUI's interpreter, and ComfyHost against DiffusersHost on the same model file.

The file is the shipped one, or has random weights if there is none yet.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[dev]")

import torch
from demo_measure import measure
from installed import HANGS, HERE, find_python
from safetensors.torch import load_file
from torch import Tensor

from seal_core.demo.model import build, host, load_model, save_model
from seal_core.demo.model_file import MODEL_FILE
from seal_core.hosts.base import Prompt
from seal_core.method.sampling import sample

TOLERANCE = 1e-4
"""The contract says 1e-3 (issue 3); in float32 on the CPU it is a few 1e-6."""
DECODED = 1e-3
"""Of pictures: a trained decoder enlarges rounding; a quarter of an 8-bit step."""


def random_model(path: Path) -> Path:
    """A model file with random weights of usual sizes; transformers' own initial text encoders give no difference."""
    model = build(1)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.text_encoder.parameters():
            if parameter.ndim == 2:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5 * parameter.shape[1] ** -0.5)
    model.vae.register_to_config(scaling_factor=0.8)
    return save_model(model, path, {})


@pytest.fixture(scope="module", params=["shipped", "random"])
def out(request: pytest.FixtureRequest, comfyui: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(model file, folder with what ComfyUI's half wrote); that half's own checks have passed."""
    folder = tmp_path_factory.mktemp("demo")
    file = MODEL_FILE if request.param == "shipped" else random_model(folder / "random.safetensors")
    script = [find_python(comfyui), str(HERE / "inprocess_demo.py"), str(comfyui), "", str(file), str(folder)]
    run = subprocess.run(script, capture_output=True, text=True, timeout=HANGS)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("ok   check_") >= 10
    return file, folder


@pytest.fixture(scope="module")
def both(out: tuple[Path, Path]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What ComfyHost and DiffusersHost computed."""
    file, folder = out
    return load_file(folder / "comfy.safetensors"), measure(host(load_model(file)), Prompt, sample)


def test_hosts_agree(both: tuple[dict[str, Tensor], dict[str, Tensor]]):
    comfy, diffusers = both
    assert comfy.keys() == diffusers.keys()
    assert torch.equal(comfy["words"], diffusers["words"]), "one tokenizer"
    apart = {name: (comfy[name] - diffusers[name]).abs().max().item() for name in comfy}
    print({name: f"{value:.1e}" for name, value in apart.items()})
    for name, value in apart.items():
        size = comfy[name].float().abs().max().item()
        tolerance = DECODED if name == "decoded" else TOLERANCE
        assert value <= tolerance * max(size, 1.0), (name, value, size)


def test_the_measurement_sees_differences(both: tuple[dict[str, Tensor], dict[str, Tensor]]):
    """Words change the context, and contexts change the denoised result: the agreement above is not trivial."""
    _, found = both
    rows = found["context"]
    assert all((rows[0] - row).abs().max() > 0.1 for row in rows[1:])
    assert found["denoised"].std() > 0.1 and found["sampled"].std() > 0.1 and found["decoded"].std() > 0.01
