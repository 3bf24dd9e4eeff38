"""Prints how well StickerCutout cuts: python tests/bench_cutout.py [count] [glyphs | world | both] [side] [first seed]
[method]. Without arguments: 60 glyphs and 200 StickerWorld test renders of each kind of ground.

IoU with the exact mask at 0.5. Alpha error: mean |alpha - supersampled truth| where either is soft, or they differ.
Old ground: over edge pixels, the share of the old ground's colour in the cut-out laid over a contrasting ground,
beyond what the same alpha gives with the subject's true colours.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import glyphs  # noqa: E402

from seal_core.errors import SealError  # noqa: E402
from seal_core.stickers.cutout import cutout  # noqa: E402

GROUNDS = {"glyphs": ("plain", "gradient", "shadow", "patterned"), "world": ("plain", "patterned", "scenic")}
DEFAULTS = {"glyphs": (60, 160, 1000), "world": (200, 128, 30_000_000)}
"""Count, side and first seed; StickerWorld's are TEST characters."""


def edge_scores(rgba: np.ndarray, colours: np.ndarray, alpha: np.ndarray, ground: np.ndarray) -> tuple[float, float]:
    """Alpha error and old ground (means) of a cut-out (H, W, 4), given the subject's true colours (H, W, 3) and alpha,
    and the old ground's colour at each pixel (H, W, 3)."""
    cut = rgba[..., 3]
    near = ndimage.binary_dilation(alpha > 0.5, iterations=3) & ~ndimage.binary_erosion(alpha > 0.5, iterations=3)
    soft = (alpha > 0.02) & (alpha < 0.98) | (cut > 0.02) & (cut < 0.98)
    edge = near & (soft | (np.abs(cut - alpha) > 0.5))
    if not edge.any():
        return 0.0, 0.0
    contrasting = np.where(ground > 0.5, 0.0, 1.0)
    shown = rgba[..., :3] * cut[..., None] + (1 - cut[..., None]) * contrasting
    wanted = colours * cut[..., None] + (1 - cut[..., None]) * contrasting
    line = ground - colours
    length = (line * line).sum(-1)
    share = ((shown - wanted) * line).sum(-1) / np.maximum(length, 1e-6)
    told = edge & (cut > 0.02) & (length > 0.04)  # subject and ground must differ for this to mean anything
    old = float(share[told].clip(0, 1).mean()) if told.any() else 0.0
    return float(np.abs(cut - alpha)[edge].mean()), old


def carried(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Each pixel's nearest known colour."""
    return values[tuple(ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True))]


def glyph_case(glyph: str, ground: str, seed: int, side: int):
    """image, subject's colours everywhere, alpha, the ground's colour everywhere."""
    sticker = glyphs.render(glyph, side).copy()
    # The font's bitmaps have a dark fringe of their own: the colours of the opaque pixels are carried over it.
    sticker[..., :3] = carried(sticker[..., :3], sticker[..., 3] > 0.97)
    image, alpha = glyphs.over(sticker, ground, seed)
    return image, sticker[..., :3], alpha, carried(image, alpha < 0.004)


def world_cases(ground: str, count: int, side: int, first: int):
    """The same for StickerWorld: the true colours come from the same picture on two plain grounds."""
    from seal_core.world.characters import character
    from seal_core.world.contexts import PLAIN, VALUES, random_context
    from seal_core.world.render import render
    from seal_core.world.train_segmenter import ground_of

    values = [v for v in VALUES["background"] if ground_of(v) == ground]
    for seed in range(first, first + count):
        rng = random.Random(seed)
        who, context = character(seed), random_context(rng, background=rng.choice(values))
        sticker = render(who, context, seed, side)
        image, alpha = sticker.image.astype(np.float32) / 255, sticker.mask.astype(np.float32) / 255
        clear = [render(who, context.but(background=v), seed, side) for v in PLAIN[:2]]
        solved = []
        for s in clear:  # image = alpha * colour + (1 - alpha) * ground
            plain, a = s.image.astype(np.float32) / 255, s.mask.astype(np.float32)[..., None] / 255
            back = np.median(plain[s.mask == 0], axis=0) if (s.mask == 0).any() else np.zeros(3)
            solved.append((plain - (1 - a) * back) / np.maximum(a, 0.05))
        colours = carried(np.mean(solved, 0).clip(0, 1), alpha > 0.2)
        back = carried(image, alpha < 0.004) if (alpha < 0.004).any() else image
        yield f"{seed} {context.style}", (image, colours, alpha, back)


def cases(source: str, ground: str, count: int, side: int, first: int):
    if source == "world":
        yield from world_cases(ground, count, side, first)
        return
    for i in range(count):
        glyph = glyphs.REPORTED[i % len(glyphs.REPORTED)]
        yield glyph, glyph_case(glyph, ground, first + i, side)


def bench(source: str, ground: str, count: int, side: int, first: int, method: str) -> None:
    """Cut all cases of a kind and print their line."""
    rows, failed, spent = [], [], 0.0
    for name, (image, colours, alpha, back) in cases(source, ground, count, side, first):
        started = time.perf_counter()
        try:
            rgba = cutout(torch.from_numpy(image)[None], method=method)[0][0].numpy()
        except SealError as error:
            failed.append(f"{name}: {error}")
            rows.append((0.0, 1.0, 1.0, name))
            continue
        spent += time.perf_counter() - started
        rows.append((glyphs.iou(rgba[..., 3], alpha), *edge_scores(rgba, colours, alpha, back), name))
    ious, alphas, olds = (np.array([r[i] for r in rows]) for i in range(3))
    worst = " ".join(f"{r[3]} {r[0]:.2f}/{r[2]:.2f}" for r in sorted(rows, key=lambda r: r[0])[:4])
    quality = f"{ious.mean():8.4f} {ious.min():7.3f} {alphas.mean():9.4f} {olds.mean():10.4f}"
    print(f"{ground:<10} {quality} {(olds > 0.03).sum():5} {1000 * spent / len(rows):5.0f}  {worst}", flush=True)
    for style in sorted({r[3].split(" ", 1)[-1] for r in rows}) if source == "world" else ():
        some = np.array([r[:3] for r in rows if r[3].endswith(style)])
        iou, error, old = some.mean(0)
        print(f"  {style:<16}{len(some):4} {iou:7.4f} {error:9.4f} {old:10.4f}")
    print(*failed, sep="\n", end="\n" * bool(failed), flush=True)


def main() -> None:
    given = sys.argv[1:]
    chosen = given[1] if len(given) > 1 else "both"
    method = given[4] if len(given) > 4 else "auto"
    torch.set_num_threads(1)
    for source in GROUNDS if chosen == "both" else (chosen,):
        if source == "glyphs" and not glyphs.available():
            print(glyphs.MISSING)
            continue
        count, side, first = (int(given[i]) if len(given) > i else d for i, d in zip((0, 2, 3), DEFAULTS[source]))
        print(f"{count} of {source} at {side} px, seeds from {first}, method {method}")
        print("ground     mean IoU  lowest alpha err old ground > 3 %    ms  worst")
        for ground in GROUNDS[source]:
            bench(source, ground, count, side, first, method)


if __name__ == "__main__":
    main()
