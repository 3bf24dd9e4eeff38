"""ComfyHost and DiffusersHost compute the same: one set of weights, the same draws, the same gradients.

ComfyUI's half is `parity_comfy.py`, run by ComfyUI's interpreter; here its weights go into diffusers' modules.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install .[dev]")

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from installed import HANGS, HERE, find_python
from parity_measure import batches, single_pass, site_table
from safetensors.torch import load_file
from server import ComfyServer
from tiny import tiny_vae
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from seal_core.concept.settings import Layers, LowRankSpec, Tokens
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.attention import tap
from seal_core.method.config import TrainConfig
from seal_core.method.references import Reference
from seal_core.method.training import Training

TOLERANCE = 1e-4
TEXT = {
    "clip_l": "sd1_clip_config.json",
    "clip_h": "text_encoders/sd2_clip_config.json",
    "clip_g": "clip_config_bigg.json",
}
TEXT_KEYS = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "hidden_act")
TEXT_KEYS += ("layer_norm_eps", "projection_dim", "vocab_size", "max_position_embeddings", "eos_token_id")
LARGE_CASES = ("textual_inversion", "paper")


@dataclass(frozen=True)
class Pair:
    """One checkpoint on both sides: what ComfyHost computed (in `folder`), and a DiffusersHost of the same weights."""

    folder: Path
    notes: dict[str, Any]
    host: DiffusersHost

    def case(self, name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return self.notes["cases"][name], load_file(self.folder / f"{name}.safetensors")

    def training(self, name: str) -> tuple[Training, dict[str, Any], dict[str, Tensor]]:
        """The same training on DiffusersHost, with ComfyHost's latents."""
        note, theirs = self.case(name)
        run = Training(self.host, [Reference(**load_file(self.folder / "reference.safetensors"))], config(note))
        run.examples.latents = [theirs[f"latents.{i}"] for i in range(len(run.examples.latents))]
        return run, note, theirs


def config(note: dict[str, Any]) -> TrainConfig:
    values = dict(note["config"])
    values |= {"tokens": Tokens(**values["tokens"]), "layers": Layers(**values["layers"])}
    values |= {"templates": tuple(values["templates"]), "attributes": tuple(map(tuple, values["attributes"]))}
    values["weights"] = LowRankSpec(**values["weights"])
    return TrainConfig(**values)


def filled(make: Any, state: dict[str, Tensor]) -> Any:
    """A module with exactly these weights in float32; made on the meta device to skip initialisation."""
    with torch.device("meta"):
        module: nn.Module = make()
    missing, unexpected = module.load_state_dict({k: v.float() for k, v in state.items()}, strict=False, assign=True)
    assert not missing and not unexpected, (missing[:5], unexpected[:5])
    for part in module.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_meta:
                assert name == "position_ids"
                part._buffers[name] = torch.arange(buffer.shape[-1])[None]
    return module.eval().requires_grad_(False)


def unet(folder: Path, layout: dict[str, Any]) -> UNet2DConditionModel:
    """diffusers' U-Net for a U-Net configuration of ComfyUI."""
    levels, down, up = layout["channel_mult"], layout["transformer_depth"], layout["transformer_depth_output"]
    channels = tuple(layout["model_channels"] * m for m in levels)
    per_level = layout["num_res_blocks"][0]
    depths = [down[i * per_level] for i in range(len(levels))]
    up_depths = [up[-1 - i * (per_level + 1)] for i in range(len(levels))]
    fixed = layout["num_head_channels"]
    heads = tuple(c // fixed for c in channels) if fixed and fixed > 0 else layout["num_heads"]
    size = layout["adm_in_channels"]
    added: dict[str, Any] = {}
    if size:
        added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
        added["projection_class_embeddings_input_dim"] = size

    def make() -> UNet2DConditionModel:
        made = UNet2DConditionModel(
            sample_size=64,
            block_out_channels=channels,
            layers_per_block=per_level,
            down_block_types=tuple("CrossAttnDownBlock2D" if d else "DownBlock2D" for d in depths),
            up_block_types=tuple("CrossAttnUpBlock2D" if d else "UpBlock2D" for d in up_depths),
            transformer_layers_per_block=[d or 1 for d in depths],
            reverse_transformer_layers_per_block=[d or 1 for d in up_depths],
            cross_attention_dim=layout["context_dim"],
            attention_head_dim=heads,
            use_linear_projection=bool(layout["use_linear_in_transformer"]),
            **added,
        )
        # diffusers makes the middle as deep as the last level, though that may have no attention at all
        middle = made.mid_block.attentions[0]
        middle.transformer_blocks = middle.transformer_blocks[: layout["transformer_depth_middle"]]
        return made

    return filled(make, load_file(folder / "unet.safetensors"))


def text_model(folder: Path, comfyui: Path, name: str) -> Any:
    """CLIP-L without a projection, CLIP-H as SD 2.x folders have it (one layer less), CLIP-G with its projection."""
    values = json.loads((comfyui / "comfy" / TEXT[name]).read_text())
    settings = {key: values[key] for key in TEXT_KEYS}
    state = load_file(folder / f"{name}.safetensors")
    if name == "clip_h":
        settings["num_hidden_layers"] -= 1
        state = {k: v for k, v in state.items() if f".layers.{settings['num_hidden_layers']}." not in k}
    if name != "clip_g":
        state.pop("text_projection.weight", None)
    kind = CLIPTextModelWithProjection if name == "clip_g" else CLIPTextModel
    wanted = set(kind(CLIPTextConfig(**{**settings, "num_hidden_layers": 1})).state_dict())
    if not any(key.startswith("text_model.") for key in wanted):
        state = {key.removeprefix("text_model."): value for key, value in state.items()}
    return filled(lambda: kind(CLIPTextConfig(**settings, bos_token_id=49406)), state)


def pipe(folder: Path, comfyui: Path, notes: dict[str, Any]) -> Any:
    def tokenizer(pad: str) -> CLIPTokenizer:
        return CLIPTokenizer.from_pretrained(str(comfyui / "comfy/sd1_tokenizer"), pad_token=pad, local_files_only=True)

    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    schedule |= {"steps_offset": 1, "clip_sample": False}
    parts = {
        "unet": unet(folder, notes["unet"]),
        "vae": tiny_vae().eval(),
        "scheduler": DDIMScheduler(**schedule, prediction_type=notes["prediction"]),
    }
    end = "<|endoftext|>"
    if (folder / "clip_g.safetensors").exists():
        parts |= {"tokenizer": tokenizer(end), "tokenizer_2": tokenizer("!"), "add_watermarker": False}
        parts |= {"text_encoder": text_model(folder, comfyui, "clip_l")}
        return StableDiffusionXLPipeline(**parts, text_encoder_2=text_model(folder, comfyui, "clip_g"))
    name = "clip_h" if (folder / "clip_h.safetensors").exists() else "clip_l"
    parts |= {"tokenizer": tokenizer("!" if name == "clip_h" else end)}
    parts |= {"text_encoder": text_model(folder, comfyui, name), "safety_checker": None, "feature_extractor": None}
    return StableDiffusionPipeline(**parts, requires_safety_checker=False)


@pytest.fixture(scope="module", autouse=True)
def all_cores() -> Iterator[None]:
    """Unlike the other tests' tiny models, these gain from every core."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["sd15-small", "sd21v", "sdxl"])
def pair(request: pytest.FixtureRequest, comfyui: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param)
    server = ComfyServer(comfyui, folder / "base")  # never started: it makes and finds the checkpoint
    server.ensure(request.param)
    file = folder / f"base/models/checkpoints/{request.param}.safetensors"
    script = [find_python(comfyui), str(HERE / "parity_comfy.py"), str(comfyui), str(file), str(folder)]
    only = () if request.param == "sd15-small" else LARGE_CASES
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONDONTWRITEBYTECODE": "1", **os.environ}
    run = subprocess.run([*script, *only], capture_output=True, text=True, timeout=HANGS, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    notes = json.loads((folder / "notes.json").read_text())
    try:
        yield Pair(folder, notes, DiffusersHost(pipe(folder, comfyui, notes)))
    finally:
        for written in folder.glob("*.safetensors"):  # gigabytes: not left to pytest's own clearing
            written.unlink()


def apart(ours: Tensor, theirs: Tensor) -> float:
    """Relative distance of two tensors (L2)."""
    return float((ours - theirs).double().norm() / theirs.double().norm().clamp_min(1e-30))


def compare(ours: dict[str, Tensor], theirs: dict[str, Tensor], count: int) -> dict[str, float]:
    """Asserts that two runs of `count` batches agree; the largest distances by kind."""
    worst: dict[str, float] = {}
    compared = {name for name in theirs if name[0].isdigit() or name.startswith("mask.")}
    assert set(ours) == compared
    assert any(".grad." in name for name in compared) and f"{count - 1}.loss" in compared
    for name in sorted(compared):
        kind = name.split(".")[1] if name[0].isdigit() else "mask"
        if kind in ("noise", "timestep", "view", "mask"):
            assert torch.equal(ours[name], theirs[name]), f"{name}: not the same draws"
            continue
        assert theirs[name].isfinite().all()
        pairs = [(ours[name], theirs[name])]
        if kind == "grad":
            pairs += list(zip(ours[name], theirs[name]))  # also one by one, so that none hides behind a longer one
        for mine, other in pairs:
            worst[kind] = max(worst.get(kind, 0.0), apart(mine, other))
            assert apart(mine, other) < TOLERANCE, (name, apart(mine, other), float(other.norm()))
    return worst


def test_sites_and_noise_levels(pair: Pair) -> None:
    assert site_table(pair.host) == pair.notes["sites"]
    assert str(pair.host.family) == pair.notes["family"]
    assert pair.host.timestep(pair.host.sigmas).tolist() == pair.notes["timesteps"] == list(range(1000))


def test_contexts_and_denoised_latents(pair: Pair) -> None:
    run, note, theirs = pair.training("textual_inversion")
    ours, positions = single_pass(run, tap, theirs["latents.0"], note["timesteps"])
    theirs = {k.removeprefix("single."): v for k, v in theirs.items() if k.startswith("single.")}
    assert positions == note["positions"] and set(ours) == set(theirs)
    assert ("pooled" in ours) == ("clip_g" in pair.notes["family"])
    distance = {name: apart(ours[name], theirs[name]) for name in ours}
    print({k: f"{v:.1e}" for k, v in distance.items()})
    assert len(distance) >= 4 + len(pair.notes["sites"])
    for row in range(len(note["timesteps"])):
        assert apart(ours["denoised"][row], theirs["denoised"][row]) < 1e-3
    for name in distance:
        assert distance[name] < TOLERANCE, (name, distance[name])
        assert ours[name].shape == theirs[name].shape


@pytest.mark.parametrize("name", ["textual_inversion", "paper", "best", "hiper", "transport"])
def test_losses_and_gradients(pair: Pair, name: str) -> None:
    if name not in pair.notes["cases"]:
        pytest.skip("measured on sd15-small only, to save time")
    run, note, theirs = pair.training(name)
    ours, prompts = batches(run, len(note["prompts"]), note["merge_after"])
    assert prompts == note["prompts"]
    assert (run.step.prefix.bytes if run.step.prefix else None) == note["pool"]
    assert note["pool"] is None or note["pool"] > 0
    print({k: f"{v:.1e}" for k, v in compare(ours, theirs, len(prompts)).items()})


@pytest.mark.parametrize("name", ["paper", "best"])
def test_replaying_the_prefix_changes_nothing_in_comfyui(pair: Pair, name: str) -> None:
    _, theirs = pair.case(name) if name in pair.notes["cases"] else ({}, {})
    if "whole.0.loss" not in theirs:
        pytest.skip("measured on sd15-small only, to save time")
    replayed = {k: v for k, v in theirs.items() if k[0].isdigit() or k.startswith("mask.")}
    whole = {k.removeprefix("whole."): v for k, v in theirs.items() if k.startswith("whole.")}
    print({k: f"{v:.1e}" for k, v in compare(replayed, whole, 3).items()})


def test_layer_restriction_is_real_in_comfyui(pair: Pair) -> None:
    last, *first = pair.notes["restriction"]
    assert last["site"] == pair.notes["sites"][-1][0]
    for found in (last, *first):  # every layer computed before the site's keys is bit-equal
        assert found["first"] == f"{found['module']}.to_k", found
    assert last["before"] > 0.8 * last["layers"]
    for found in first:  # the measurement detects a change where there must be one
        assert found["site"] == "down.0" and 0 < found["before"] < 0.2 * found["layers"]
