"""Loading diffusers folders, and what DiffusersHost refuses."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, LCMScheduler
from tiny import KINDS, tiny_pipe, tiny_unet

from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.hosts.diffusers.load_folder import _variant
from seal_core.messages import SealError


@pytest.mark.parametrize("kind", KINDS)
def test_folder_round_trip(tmp_path, kind):
    pipe = tiny_pipe(kind)
    host = DiffusersHost(pipe)
    pipe.save_pretrained(tmp_path)
    loaded = DiffusersHost.from_folder(tmp_path, device="cpu")
    assert loaded.fingerprint() == host.fingerprint() and loaded.dtype == torch.float32
    half = DiffusersHost.from_folder(tmp_path, device="cpu", dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16 and half.pipe.text_encoder.dtype == half.pipe.vae.dtype == torch.float32


def test_folder_errors(tmp_path):
    with pytest.raises(SealError, match=r"model: .*is not there"):
        DiffusersHost.from_folder(tmp_path / "nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SealError, match="a file"):
        DiffusersHost.from_folder(tmp_path / "file")
    with pytest.raises(SealError, match=r"no model_index\.json"):
        DiffusersHost.from_folder(tmp_path)
    index = tmp_path / "model_index.json"
    for text in ("{", "[]", "[" * 100_000):
        index.write_text(text)
        with pytest.raises(SealError, match="cannot be read"):
            DiffusersHost.from_folder(tmp_path)
    flux = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "FluxTransformer2DModel"]}
    index.write_text(json.dumps(flux))
    with pytest.raises(SealError, match=r"FluxPipeline is a diffusion transformer.*U-Net"):
        DiffusersHost.from_folder(tmp_path)
    index.write_text(json.dumps({"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}))
    with pytest.raises(SealError, match="without vae"):
        DiffusersHost.from_folder(tmp_path)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_damaged_folder(tmp_path, damage):
    tiny_pipe("sd1").save_pretrained(tmp_path)
    file = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        shutil.rmtree(tmp_path / "unet")
    with pytest.raises(SealError, match=r"model: .*cannot be loaded"):
        DiffusersHost.from_folder(tmp_path, device="cpu")


def test_variant_only_where_there_is_no_plain_file(tmp_path):
    assert _variant(tmp_path) is None
    (tmp_path / "diffusion_pytorch_model.fp16.safetensors").touch()
    assert _variant(tmp_path) == "fp16"
    (tmp_path / "diffusion_pytorch_model.safetensors").touch()
    assert _variant(tmp_path) is None


def changed(**parts):
    pipe = tiny_pipe("sd1")
    return SimpleNamespace(**{**pipe.components, **parts})


def test_refusals():
    dit = SimpleNamespace(transformer=torch.nn.Linear(1, 1))
    inpainting = tiny_unet("sd1", 32)
    inpainting.register_to_config(in_channels=9)
    adapted = tiny_unet("sd1", 32)
    adapted.register_to_config(encoder_hid_dim_type="ip_image_proj")
    fused = tiny_unet("sd1", 32)
    fused.fuse_qkv_projections()
    cases = [
        (dit, "diffusion transformer"),
        (changed(unet=torch.nn.Linear(1, 1)), "no UNet2DConditionModel"),
        (changed(unet=inpainting), "9 channels"),
        (changed(unet=adapted), "IP-Adapter"),
        (changed(unet=fused), "unfuse_qkv_projections"),
        (changed(unet=tiny_unet("sd1", 40)), "32 values a token.*reads 40"),
        (changed(text_encoder=torch.nn.Linear(1, 1)), "Linear, not CLIP"),
        (changed(text_encoder=None, text_encoder_2=tiny_pipe("sdxl").text_encoder_2), "refiner"),
        (changed(scheduler=FlowMatchEulerDiscreteScheduler()), "noise schedule"),
        (changed(scheduler=DPMSolverMultistepScheduler(use_flow_sigmas=True)), "noise schedule"),
        (changed(scheduler=LCMScheduler()), "distilled"),
    ]
    for pipe, message in cases:
        with pytest.raises(SealError, match=f"model: .*{message}"):
            DiffusersHost(pipe)
