"""Mask quality and time over the reported glyphs.

    python tests/bench/bench_masks.py [side] [first seed] [method] [unseen]

unseen: only glyphs whose code points are on the test side of `real_art`: the networks were trained on Noto's others.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

import glyphs  # noqa: E402

from seal_core.masks.methods import semantic_mask  # noqa: E402
from seal_core.world.mask_networks.real_art import split_of  # noqa: E402


def main() -> None:
    if not glyphs.available():
        sys.exit(glyphs.MISSING)
    given = sys.argv[1:] + ["160", "1000", "auto", ""][len(sys.argv) - 1 :]
    side, first, method = int(given[0]), int(given[1]), given[2]
    chosen = [g for g in glyphs.REPORTED if given[3] != "unseen" or split_of(f"{ord(g[0]):x}") == "test"]
    torch.set_num_threads(1)
    print(f"{method}: {len(chosen)} glyphs at {side} px, seeds from {first}")
    print(f"{'ground':<10} {'mean IoU':>8} {'median':>7} {'lowest':>7} {'< 0.9':>5} {'ms':>5}  worst glyphs")
    for ground in (*glyphs.GROUNDS, *glyphs.PATTERNS):
        scores, started = [], time.perf_counter()
        for i, glyph in enumerate(chosen):
            image, alpha = glyphs.compose(glyph, ground, first + i, side)
            found = semantic_mask(torch.from_numpy(image)[None], method=method)[0]
            scores.append(glyphs.iou(found.numpy(), alpha))
        each = 1000 * (time.perf_counter() - started) / len(scores)
        worst = " ".join(f"{g} {s:.2f}" for s, g in sorted(zip(scores, chosen))[:3])
        low = sum(s < 0.9 for s in scores)
        numbers = f"{np.mean(scores):8.4f} {np.median(scores):7.4f} {min(scores):7.3f} {low:5} {each:5.0f}"
        print(f"{ground:<10} {numbers}  {worst}", flush=True)


if __name__ == "__main__":
    main()
