"""Temporal layers on ComfyUI's own U-Net: `PYTHON inprocess_motion.py COMFY_DIR`."""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, MODEL, run

# isort: split

import contextlib

import torch
from inprocess_train import VAE
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.seal_core.hosts.base import Prompt
from seal_pack.seal_core.motion.temporal.clip_host import clip_host, repeated
from seal_pack.seal_core.motion.temporal.clip_loss import ClipBatch, clip_loss
from seal_pack.seal_core.motion.temporal.motion_layers import MotionLayers
from seal_pack.seal_core.motion.temporal.temporal_layers import LAYERS

CLIPS, FRAMES, CELLS = 2, 3, 8


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


if __name__ == "__main__":
    run(globals())
