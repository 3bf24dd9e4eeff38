"""Memory of learning a motion on a GPU, counted on none: `PYTHON bench_motion_memory.py COMFY_DIR [--layouts ...]`.

As bench_memory.py, for a step of SEALTrainMotion: 8 frames, layers of each kind and width after all transformers.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from bench_memory import RESOLUTION, as_flash_attention, on_meta
from inprocess_start import start

FRAMES = 8


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comfyui", help="ComfyUI's folder")
    parser.add_argument("--layouts", nargs="*", default=list(RESOLUTION))
    parser.add_argument("--kinds", nargs="*", default=["attention", "sti", "conv3d"])
    parser.add_argument("--widths", nargs="*", type=int, default=[64, 0])
    parser.add_argument("--resolution", type=int, default=0, help="pixels (default: the model's own)")
    return parser.parse_args()


class Learning:
    """One step of learning a motion, on shapes alone."""

    def __init__(self, host: Any, kind: str, width: int, resolution: int, mode: str) -> None:
        import torch
        from seal_pack.seal_core.hosts.base import Context
        from seal_pack.seal_core.method.checkpointing import Checkpointing
        from seal_pack.seal_core.method.config import TrainConfig
        from seal_pack.seal_core.motion.temporal.clip_loss import ClipBatch
        from seal_pack.seal_core.motion.temporal.motion_layers import LayerShape, MotionLayers

        def empty(*shape: int) -> Any:
            return torch.zeros(*shape, device=host.device)

        self.host, sites = host, host.sites()
        self.layers = MotionLayers.of_sites(kind, sites, shape=LayerShape(width, centred=True)).to(host.device)
        self.checkpointing = Checkpointing(host, sites, TrainConfig(checkpointing=mode))
        side, xl = resolution // 8, len(host.family.widths) > 1
        latents = empty(1, FRAMES, 4, side, side)
        text = sum(width for _, width in host.family.widths)
        context = Context(empty(FRAMES, 77, text), empty(FRAMES, 1280) if xl else None)
        known = torch.zeros(1, FRAMES, dtype=torch.bool, device=host.device)
        self.batch = ClipBatch(latents, context, empty(1) + 1, latents, known, None, empty(1, FRAMES, side, side))

    def loss(self) -> Any:
        from seal_pack.seal_core.motion.temporal.clip_loss import clip_loss

        with self.checkpointing.of_tail(self.batch.latents[0], None, lambda site: contextlib.nullcontext()):
            return clip_loss(self.host, self.layers, self.batch)


def figures(case: Learning) -> int:
    """Bytes alive at most in one step, weights of the model left out."""
    import torch
    from activation_memory import Alive

    moved = list(case.layers.parameters())
    frozen = [*case.host.unet.parameters(), *case.host.clip.cond_stage_model.parameters(), *moved]
    optimizer = torch.optim.AdamW(moved)
    with Alive(frozen) as alive:
        case.loss().backward()
        optimizer.step()
    return alive.most


def main() -> None:
    options = arguments()
    start(options.comfyui)
    import torch

    torch.set_num_threads(1)
    as_flash_attention()
    print(f"torch {torch.__version__}, {os.path.basename(os.path.abspath(options.comfyui))}; GB = 1e9 bytes\n")
    print("| model | pixels | layer | width | weights, M | peak, GB | checkpointed |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with torch.inference_mode(False):
        for layout in options.layouts:
            host, side = on_meta(layout), options.resolution or RESOLUTION[layout]
            for kind in options.kinds:
                for width in options.widths:
                    cases = [Learning(host, kind, width, side, mode) for mode in ("off", "on")]
                    count = sum(p.numel() for p in cases[0].layers.parameters()) / 1e6
                    peaks = " | ".join(f"{figures(case) / 1e9:.2f}" for case in cases)
                    print(f"| {layout} | {side} | {kind} | {width or 'own'} | {count:.1f} | {peaks} |", flush=True)


if __name__ == "__main__":
    main()
