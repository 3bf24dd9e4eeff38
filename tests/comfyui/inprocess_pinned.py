"""Four losses and the file of every preset, on ComfyUI's own classes: `PYTHON inprocess_pinned.py COMFY_DIR`."""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, MODEL, run

# isort: split

import pinned
from inprocess_train import VAE
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.seal_core.concept.concept_file import concept_bytes
from seal_pack.seal_core.method.configure import configure
from seal_pack.seal_core.method.presets import PRESETS
from seal_pack.seal_core.method.references import Reference
from seal_pack.seal_core.method.training import train


def _check(preset):
    import torch

    config = configure(preset, name="sticker", class_word="cat", steps=pinned.STEPS, resolution=64)

    def made():
        with torch.inference_mode(False), torch.enable_grad():
            host = ComfyHost(MODEL, CLIP, VAE)
            host.plan(config.batch_size, config.resolution)
            with host:
                result = train(host, [Reference(*pinned.sticker())], config)
        return pinned.figures(result.losses, concept_bytes(result.concept), result.concept.vectors)

    pinned.check("comfyui", preset, made)


def check_every_preset():
    for preset in PRESETS:
        _check(preset)


if __name__ == "__main__":
    run(globals())
