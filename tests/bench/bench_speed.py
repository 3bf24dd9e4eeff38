"""Seconds of processor time for work that users wait for: `python tests/bench/bench_speed.py [part of a name]`

No test asserts a time: on a busy machine any limit fails. Compare two runs on the same quiet machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

from sticker_clips import picture  # noqa: E402

from seal_core.masks.methods import semantic_mask  # noqa: E402
from seal_core.method.fit_references import fit_references  # noqa: E402
from seal_core.plots.training_figures import loss_plot  # noqa: E402
from seal_core.stickers.border import Border, add_border  # noqa: E402
from seal_core.stickers.pack import animation_encoder  # noqa: E402
from seal_core.stickers.pack.clip import Clip  # noqa: E402
from seal_core.stickers.platforms import PLATFORMS  # noqa: E402


def disc(side: int) -> torch.Tensor:
    """(side, side) float32: 1 inside a disc of a third of the side."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 3) ** 2).float()


def painted(side: int) -> torch.Tensor:
    """(side, side, 3) in [0, 1]: a red disc on a light ground."""
    return torch.lerp(torch.tensor([0.9, 0.9, 0.8]), torch.tensor([0.8, 0.1, 0.1]), disc(side)[..., None])


def whatsapp() -> None:
    base, rng = picture(512, 512).astype(np.int16), np.random.default_rng(0)
    base[..., :3] += rng.normal(0, 8, (512, 512, 3)).astype(np.int16)  # as diffusion models leave it
    frames = np.stack([np.roll(base, (5 * i % 40, 3 * i), (0, 1)) for i in range(30)])
    clip = Clip.at_rate(np.clip(frames, 0, 255).astype(np.uint8), 15)
    animation_encoder.encode_animation(clip, PLATFORMS["whatsapp"].motion, "webp")


def border() -> None:
    add_border(torch.cat([painted(128), disc(128)[..., None]], -1)[None], border=Border(width=512))


CASES: dict[str, Callable[[], object]] = {
    "reference of 8 megapixels": lambda: fit_references(painted(2828), disc(2828), 512),
    "border mask of 8 megapixels": lambda: semantic_mask(painted(2828)[None], method="border"),
    "learned mask at 1500 px": lambda: semantic_mask(painted(1500)[None], method="learned"),
    "loss plot of 100,000 steps": lambda: loss_plot(np.random.default_rng(0).random(100_000).tolist()),
    "30 frames of 512 px for WhatsApp": whatsapp,
    "border of 512 px": border,
}


def main() -> None:
    torch.set_num_threads(1)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, work in CASES.items():
        if wanted in name:
            started = time.process_time()
            work()
            print(f"{time.process_time() - started:7.2f} s  {name}", flush=True)


if __name__ == "__main__":
    main()
