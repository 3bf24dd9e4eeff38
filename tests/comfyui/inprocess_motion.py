"""Temporal layers on ComfyUI's own U-Net: `PYTHON inprocess_motion.py COMFY_DIR`."""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import (
    CLIP,
    FOLDER,
    MODEL,
    apply,
    concept,
    learned,
    make_clip,
    make_model,
    plain,
    refused,
    run,
    sample,
)

# isort: split

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import folder_paths
import torch
from inprocess_kit import TEXT, cancelled
from inprocess_train import VAE, state
from PIL import Image
from seal_pack.nodes.apply_motion import SEALApplyMotion
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.comfy.motion_sampling import KEY
from seal_pack.nodes.save_sticker_pack import SEALSaveStickerPack
from seal_pack.nodes.train_motion import SEALTrainMotion
from seal_pack.seal_core.concept.settings import Layers
from seal_pack.seal_core.hosts.base import Prompt
from seal_pack.seal_core.motion.temporal.clip_host import clip_host, repeated
from seal_pack.seal_core.motion.temporal.clip_loss import ClipBatch, clip_loss
from seal_pack.seal_core.motion.temporal.motion_file import LearnedMotion
from seal_pack.seal_core.motion.temporal.motion_layers import MotionLayers
from seal_pack.seal_core.motion.temporal.temporal_layers import LAYERS

CLIPS, FRAMES, CELLS = 2, 3, 8
MOTIONS = FOLDER / "models" / "seal_motion"
folder_paths.set_output_directory(str(FOLDER / "output"))


@contextlib.contextmanager
def entered():
    with torch.inference_mode(False), torch.enable_grad():
        host = ComfyHost(MODEL, CLIP, VAE)
        host.plan(CLIPS * FRAMES, CELLS * 8)
        with host:
            yield host


def _noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def check_untrained_layers_change_no_bit():
    with entered() as host, torch.no_grad():
        context = repeated(host.encode([Prompt("a cat"), Prompt("a dog")], {}), FRAMES)
        x, sigma = 3 * _noise(CLIPS * FRAMES, 4, CELLS, CELLS), torch.full((CLIPS * FRAMES,), 3.0)
        alone = host.denoise(x, sigma, context)
        for kind in LAYERS:
            layers = MotionLayers.of_sites(kind, host.sites())
            assert layers.layers, kind
            assert torch.equal(clip_host(host, layers, FRAMES, CLIPS).denoise(x, sigma, context), alone), kind
        for layer in layers.layers.values():
            layer.out.weight.data = 0.3 * _noise(*layer.out.weight.shape)
        assert not torch.equal(clip_host(host, layers, FRAMES, CLIPS).denoise(x, sigma, context), alone)
        assert torch.equal(host.denoise(x, sigma, context), alone), "nothing stays behind"


def check_gradients_reach_the_layers_and_not_the_model():
    with entered() as host:
        with torch.no_grad():
            context = repeated(host.encode([Prompt("a cat"), Prompt("a dog")], {}), FRAMES)
        layers = MotionLayers.of_sites("conv3d", host.sites())
        known = torch.tensor([[True, False, False], [False, False, False]])
        latents, noise = (_noise(CLIPS, FRAMES, 4, CELLS, CELLS, seed=i) for i in (1, 2))
        batch = ClipBatch(latents, context, host.sigmas[[200, 700]], noise, known)
        clip_loss(host, layers, batch).backward()
        outs = [layer.out.weight.grad for layer in layers.layers.values()]
        assert all(g is not None and g.abs().sum() > 0 for g in outs)
        assert all(p.grad is None for site in host.sites() for p in site.block.parameters())


def check_given_frames_come_back():
    with entered() as host, torch.no_grad():
        context = repeated(host.encode([Prompt("a cat")], {}), FRAMES)
        known, given = torch.tensor([[False, True, False]]), _noise(FRAMES, 4, CELLS, CELLS, seed=4)
        layers = MotionLayers.of_sites("sti", host.sites())
        drawing = clip_host(host, layers, FRAMES, 1, known, given)
        drawn = drawing.denoise(3 * _noise(FRAMES, 4, CELLS, CELLS), torch.full((FRAMES,), 3.0), context)
        assert torch.equal(drawn[1], given[1]) and not torch.equal(drawn[0], given[0])


def frames(count=8, side=64):
    """A light square that goes from left to right."""
    shown = torch.full((count, side, side, 3), 0.2)
    for i in range(count):
        left = 8 + i * (side - 32) // count
        shown[i, 16:48, left : left + 16] = 0.9
    return shown


def train(model=MODEL, clip=CLIP, **settings):
    given = {"image": frames(), "caption": "a sticker of a square, moving", "name": "slide", "steps": 3}
    given |= {"layer": "attention", "learning_rate": 0.02, "width": 8, "first_frame_share": 0.0, "frames": 8}
    given |= {"resolution": 64, "seed": 0, **settings}
    return SEALTrainMotion.execute(model, clip, VAE, **given).result


def moving(motion=None, model=MODEL, **settings):
    given = {"file": "(the wired motion)", "strength": 1.0, "frames": 8, "shared_noise": 0.9, "motion": motion}
    return SEALApplyMotion.execute(model, **{**given, **settings}).result[0]


def kept():
    return sorted(p.name for p in MOTIONS.glob("*")) if MOTIONS.exists() else []


def check_a_motion_is_learned_applied_and_packed_and_the_models_stay_as_they_were():
    roots = MODEL.model, CLIP.cond_stage_model, VAE.first_stage_model
    before, weights = state(*roots), {k: v.clone() for k, v in MODEL.model.state_dict().items()}
    with torch.inference_mode():
        motion, name, shown, _, told = train()
    report = json.loads(told)
    assert name == "slide.safetensors" and kept() == [name] and (MOTIONS / name).stat().st_size < 200_000
    assert len(report["losses"]) == 3 and report["config"]["layer"] == "attention" and shown.shape == (8, 64, 64, 3)
    assert any(layer.out.weight.abs().sum() > 0 for layer in motion.layers.layers.values())
    alone = sample(MODEL, plain("a cat"), batch=8)
    with torch.inference_mode():
        model = moving(motion)
        clip = sample(model, plain("a cat"), batch=8)
    still = sample(moving(motion, strength=0.0), plain("a cat"), batch=8)
    assert clip.shape == alone.shape and torch.isfinite(clip).all() and not torch.allclose(clip, still)
    spread = [float((c - c.mean(0)).abs().mean()) for c in (still, alone)]
    assert spread[0] < spread[1], "frames share their noise"
    loaded = moving(file=name)
    assert torch.allclose(sample(loaded, plain("a cat"), batch=8), clip, atol=1e-2), (
        "the file holds it in half precision"
    )
    assert torch.equal(sample(MODEL, plain("a cat"), batch=8), alone)
    assert state(*roots) == before and all(torch.equal(v, weights[k]) for k, v in MODEL.model.state_dict().items())
    with torch.inference_mode():
        pictures = VAE.decode(clip).clone()
    for kind, pillow in (("webp", "WEBP"), ("apng", "PNG"), ("webm", "")):
        found = _packed(pictures, kind)
        assert found, kind
        if pillow:
            with Image.open(io.BytesIO(found)) as picture:
                assert picture.format == pillow and picture.n_frames > 1, kind
        else:
            assert found[:4] == bytes.fromhex("1a45dfa3")


def _packed(pictures, kind):
    given = {"images": [pictures], "platform": ["plain"], "animated": [True], "fps": [8.0], "title": ["t"]}
    given |= {"author": ["a"], "emoji": ["😀"], "name": [kind], "format": [kind], "embed_workflow": [False]}
    path = SEALSaveStickerPack.execute(**given).result[0]
    files = sorted(Path(path).rglob("*"))
    return next((f.read_bytes() for f in files if f.suffix in (".webp", ".png", ".webm")), b"")


def check_the_same_motion_is_reused_and_another_is_not():
    first = kept()
    _, name, *_, told = train()
    assert json.loads(told)["reused"] == name == "slide.safetensors" and kept() == first
    for changes in ({"run_id": 1}, {"image": frames().flip(0)}, {"layer": "sti"}, {"layers": Layers("up", 0.0, 0.5)}):
        motion, name, *_, told = train(**changes)
        assert "reused" not in json.loads(told) and name not in first, changes
    assert all(site.startswith("up.") for site, _ in motion.layers.widths)
    resumed, name, *_ = train(resume=train()[0], steps=1)
    assert name != "slide.safetensors" and resumed.layers.kind == "attention"


def check_cancel_writes_nothing_and_leaves_the_models_alone():
    before, files = state(MODEL.model, CLIP.cond_stage_model), kept()
    with cancelled():
        train(run_id=77)
    assert state(MODEL.model, CLIP.cond_stage_model) == before and kept() == files


def check_motions_go_with_concepts_first_frames_several_clips_and_no_guidance():
    motion = train()[0]
    routed = moving(motion, apply())
    prompt = learned(TEXT, concept())
    clip = sample(routed, prompt, batch=8)
    assert torch.isfinite(clip).all() and not torch.allclose(clip, sample(apply(), prompt, batch=8))
    assert torch.allclose(clip, sample(apply(moving(motion)), prompt, batch=8))
    assert sample(moving(motion), plain("a cat"), batch=16, cfg=1.0).shape[0] == 16
    first = {"samples": _noise(1, 4, 8, 8, seed=9)}
    with_first = sample(moving(motion, first_frame=first), plain("a cat"), batch=8)
    assert torch.allclose(with_first[0], first["samples"][0], atol=1e-4)
    assert not torch.allclose(with_first[1], first["samples"][0], atol=1e-2)
    twice = moving(motion, moving(motion))
    assert torch.equal(sample(twice, plain("a cat"), batch=8), sample(moving(motion), plain("a cat"), batch=8))
    assert not any(m._forward_hooks for m in MODEL.model.modules()) and KEY not in MODEL.wrappers.get("apply_model", {})


def check_sdxl_and_half_precision():
    xl, xl_clip = make_model(xl=True), make_clip("", xl=True)
    motion, *_ = train(xl, xl_clip, name="xl")
    found = sample(moving(motion, xl), plain("a cat", xl_clip), plain("bad", xl_clip), batch=8)
    assert torch.isfinite(found).all()
    half = make_model(dtype=torch.float16)
    motion, *_, told = train(half, name="half", learning_rate=0.005)
    assert json.loads(told)["dtype"] == "float16"
    assert torch.isfinite(sample(moving(motion, half), plain("a cat"), batch=8)).all()


def check_bad_input_is_refused_with_a_remedy():
    motion, files = train()[0], kept()
    elsewhere = LearnedMotion(MotionLayers("attention", [("up.3", 640)]), 8, Layers())
    other = SimpleNamespace(model=SimpleNamespace(diffusion_model=torch.nn.Linear(1, 1)))
    for what, wrong in (
        ("model: Linear is not a cross-attention U-Net", lambda: train(other)),
        ("model: Linear is not a cross-attention U-Net", lambda: moving(motion, other)),
        ("motion: it was learned on another kind", lambda: moving(elsewhere)),
        ("image: one picture", lambda: train(image=frames()[:1])),
        ("image: its frames are all alike", lambda: train(image=frames()[:1].repeat(8, 1, 1, 1))),
        ("mask of image", lambda: train(mask=torch.stack([torch.eye(64)] + [torch.zeros(64, 64)] * 7))),
        ("name: ", lambda: train(name="a b")),
        ("image_captions: ", lambda: train(caption="a {cat}")),
        ("resume: ", lambda: train(resume=motion, width=4)),
        ("latent: 3 pictures", lambda: sample(moving(motion), plain("a cat"), batch=3)),
        ("motion: nothing is wired", lambda: moving()),
        ("file: ", lambda: moving(file="gone.safetensors")),
        ("first_frame: ", lambda: sample(
            moving(motion, first_frame={"samples": _noise(1, 4, 4, 4)}), plain("a cat"), batch=8)),
    ):  # fmt: skip
        with refused(what):
            wrong()
    assert kept() == files
    many, *_ = train(image=frames(500), name="many")
    assert many.frames == 8


if __name__ == "__main__":
    run(globals())
