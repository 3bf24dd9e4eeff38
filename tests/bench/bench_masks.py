"""Mask quality and time over the reported glyphs: `python tests/bench/bench_masks.py [side] [first seed]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

import glyphs  # noqa: E402

from seal_core.masks.methods import border_mask  # noqa: E402


def main() -> None:
    if not glyphs.available():
        sys.exit(glyphs.MISSING)
    side, first = (int(a) for a in (sys.argv[1:3] + ["160", "1000"][len(sys.argv) - 1 :]))
    torch.set_num_threads(1)
    print(f"{len(glyphs.REPORTED)} glyphs at {side} px, seeds from {first}")
    print(f"{'ground':<10} {'mean IoU':>8} {'median':>7} {'lowest':>7} {'< 0.9':>5} {'ms':>5}  worst glyphs")
    for ground in (*glyphs.GROUNDS, *glyphs.PATTERNS):
        scores, started = [], time.perf_counter()
        for i, glyph in enumerate(glyphs.REPORTED):
            image, alpha = glyphs.compose(glyph, ground, first + i, side)
            scores.append(glyphs.iou(border_mask(torch.from_numpy(image)).numpy(), alpha))
        each = 1000 * (time.perf_counter() - started) / len(scores)
        worst = " ".join(f"{g} {s:.2f}" for s, g in sorted(zip(scores, glyphs.REPORTED))[:3])
        low = sum(s < 0.9 for s in scores)
        numbers = f"{np.mean(scores):8.4f} {np.median(scores):7.4f} {min(scores):7.3f} {low:5} {each:5.0f}"
        print(f"{ground:<10} {numbers}  {worst}", flush=True)


if __name__ == "__main__":
    main()
