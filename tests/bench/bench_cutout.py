"""Quality of cut-outs.

    python tests/bench/bench_cutout.py [count] [glyphs | world | both] [side] [first seed] [method]

By default 60 glyphs and 200 StickerWorld test renders on each kind of ground. count may be a range: 40:60 takes the
last 20 glyphs; we saw the first 40 while choosing thresholds.

IoU: with the exact mask, at 0.5.
Alpha error: mean |alpha - supersampled truth| over the pixels with a soft truth and their neighbours.
Old ground: we lay the cut-out over a contrasting ground and take the share of the old ground's colour in edge pixels,
beyond what the same opacity gives with clean colours. For glyphs the clean colours are known. For renders, a white rim
looks like white ground, so we cut the same sticker from a second ground: whatever colour differs is old ground.
Shown: the same, but with each cut-out's own opacity, so that errors of the opacity count too.
Exact: old ground left with the exact alpha and the colours of the nearest opaque pixels. Not 0 where a style blends the
ground into the figure.
"""

from __future__ import annotations

import functools
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

import glyphs  # noqa: E402

from seal_core.messages import SealError  # noqa: E402
from seal_core.stickers.cutout import cutout  # noqa: E402

GROUNDS = {"glyphs": ("plain", "gradient", "shadow", "patterned"), "world": ("plain", "patterned", "scenic")}
DEFAULTS = {"glyphs": (60, 160, 1000), "world": (200, 128, 30_000_000)}
"""Count, side and first seed; StickerWorld's are TEST characters."""


@dataclass(frozen=True)
class Case:
    """A picture (H, W, 3) to cut, its exact alpha (H, W), the old ground's colour everywhere (H, W, 3), and either the
    subject's colours (H, W, 3) or a twin: the same on another ground, and that ground."""

    name: str
    image: np.ndarray
    alpha: np.ndarray
    ground: np.ndarray
    colours: np.ndarray | None = None
    twin: tuple[np.ndarray, np.ndarray] | None = None


def edge_of(cut: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Pixels near the true outline where either alpha is soft, or they differ."""
    near = ndimage.binary_dilation(alpha > 0.5, iterations=3) & ~ndimage.binary_erosion(alpha > 0.5, iterations=3)
    soft = (alpha > 0.02) & (alpha < 0.98) | (cut > 0.02) & (cut < 0.98)
    return near & (soft | (np.abs(cut - alpha) > 0.5))


def left_over(shown: np.ndarray, wanted: np.ndarray, line: np.ndarray, where: np.ndarray) -> float:
    """Mean share of `line` (from what should be there to the ground) in shown - wanted, where it says anything."""
    length = (line * line).sum(-1)
    told = where & (length > 0.04)
    share = ((shown - wanted) * line).sum(-1) / np.maximum(length, 1e-6)
    return float(share[told].clip(0, 1).mean()) if told.any() else 0.0


def over(rgba: np.ndarray, ground: np.ndarray) -> np.ndarray:
    return rgba[..., :3] * rgba[..., 3:] + (1 - rgba[..., 3:]) * ground


def old_ground(case: Case, rgba: np.ndarray, cut: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Shares of the old ground in the cut-out's edge: in its colours alone, and as it shows, opacity included.

    cut: makes the twin's cut-out.
    """
    contrasting = np.where(case.ground > 0.5, 0.0, 1.0)
    where = edge_of(rgba[..., 3], case.alpha) & (rgba[..., 3] > 0.02)
    if case.twin is None:
        line = case.ground - case.colours
        clean = [np.dstack([case.colours, alpha]) for alpha in (rgba[..., 3], case.alpha)]
        return tuple(left_over(over(rgba, contrasting), over(c, contrasting), line, where) for c in clean)
    picture, ground = case.twin
    other = cut(picture)
    where |= edge_of(other[..., 3], case.alpha) & (other[..., 3] > 0.02)
    mean = (rgba[..., 3:] + other[..., 3:]) / 2
    pairs = [[np.dstack([c[..., :3], mean]) for c in (rgba, other)], [rgba, other]]
    return tuple(
        left_over(over(one, contrasting), over(two, contrasting), case.ground - ground, where) for one, two in pairs
    )


def scores(case: Case, cut: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float, float]:
    """IoU, alpha error and both shares of old ground of what `cut` makes of a case: (H, W, 3) -> (H, W, 4)."""
    rgba = cut(case.image)
    edge = ndimage.binary_dilation((case.alpha > 0.02) & (case.alpha < 0.98), np.ones((3, 3)))
    off = float(np.abs(rgba[..., 3] - case.alpha)[edge].mean()) if edge.any() else 0.0
    return glyphs.iou(rgba[..., 3], case.alpha), off, *old_ground(case, rgba, cut)


def exactly(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([carried(image, alpha > 0.97), alpha])


def carried(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Each pixel's nearest known colour."""
    return values[tuple(ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True))]


def glyph_case(glyph: str, ground: str, seed: int, side: int) -> Case:
    sticker = glyphs.render(glyph, side).copy()
    # The font's bitmaps have a dark fringe of their own: the colours of the opaque pixels are carried over it.
    sticker[..., :3] = carried(sticker[..., :3], sticker[..., 3] > 0.97)
    image, alpha = glyphs.over(sticker, ground, seed)
    return Case(glyph, image, alpha, carried(image, alpha < 0.004), sticker[..., :3])


def world_cases(ground: str, count: int | range, side: int, first: int) -> Iterator[Case]:
    from seal_core.demo.attribute_values import VALUES
    from seal_core.world.mask_networks.train_segmenter import background_kind
    from seal_core.world.renderer.characters import character
    from seal_core.world.renderer.render import render
    from seal_core.world.renderer.scenes import random_scene

    def drawn(who, scene, seed):
        sticker = render(who, scene, seed, side)
        image, alpha = sticker.image.astype(np.float32) / 255, sticker.mask.astype(np.float32) / 255
        return image, alpha, carried(image, alpha < 0.004) if (alpha < 0.004).any() else image

    values = [v for v in VALUES["background"] if background_kind(v) == ground]
    for seed in (first + i for i in _numbers(count)):
        rng = random.Random(seed)
        who, (one, other) = character(seed), rng.sample(values, 2)
        scene = random_scene(rng, background=one)
        image, alpha, back = drawn(who, scene, seed)
        twin, _, ground_ = drawn(who, scene.but(background=other), seed)
        yield Case(f"{seed} {scene.style}", image, alpha, back, twin=(twin, ground_))


def _numbers(count: int | range) -> range:
    return range(count) if isinstance(count, int) else count


def cases(source: str, ground: str, count: int | range, side: int, first: int) -> Iterator[Case]:
    if source == "world":
        yield from world_cases(ground, count, side, first)
        return
    for i in _numbers(count):
        yield glyph_case(glyphs.REPORTED[i % len(glyphs.REPORTED)], ground, first + i, side)


def bench(source: str, ground: str, count: range, side: int, first: int, method: str) -> None:
    """Cut all cases of a kind and print their line."""
    rows, failed, spent = [], [], 0.0

    def cut(image: np.ndarray) -> np.ndarray:
        return cutout(torch.from_numpy(image)[None], method=method)[0][0].numpy()

    for case in cases(source, ground, count, side, first):
        exact = scores(case, functools.partial(exactly, alpha=case.alpha))[2]
        started = time.perf_counter()
        try:
            found = scores(case, cut)
        except SealError as error:
            failed.append(f"{case.name}: {error}")
            found = (0.0, 1.0, 1.0, 1.0)
        spent += (time.perf_counter() - started) / (1 if case.twin is None else 2)
        rows.append((*found, exact, case.name))
    ious, alphas, olds, shown, exacts = (np.array([r[i] for r in rows]) for i in range(5))
    worst = " ".join(f"{r[5]} {r[0]:.2f}/{r[2]:.2f}" for r in sorted(rows, key=lambda r: r[0])[:4])
    quality = f"{ious.mean():8.4f} {ious.min():7.3f} {alphas.mean():9.4f} {olds.mean():10.4f} {np.median(olds):6.4f}"
    quality += f" {shown.mean():6.4f} {exacts.mean():6.4f} {(olds > 0.03).sum():5}"
    print(f"{ground:<10} {quality} {1000 * spent / len(rows):5.0f}  {worst}", flush=True)
    for style in sorted({r[5].split(" ", 1)[-1] for r in rows}) if source == "world" else ():
        some = np.array([r[:5] for r in rows if r[5].endswith(style)])
        iou, error, old, show, exact = some.mean(0)
        print(f"  {style:<16}{len(some):4} {iou:7.4f} {error:9.4f} {old:10.4f} {show:6.4f} {exact:6.4f}")
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
        asked, *numbers = (given[i] if len(given) > i else str(d) for i, d in zip((0, 2, 3), DEFAULTS[source]))
        count = range(*map(int, asked.split(":")))
        side, first = map(int, numbers)
        print(f"{len(count)} of {source} at {side} px, seeds from {first}, method {method}")
        print("ground     mean IoU  lowest alpha err old ground median  shown  exact > 3 %    ms  worst")
        for ground in GROUNDS[source]:
            bench(source, ground, count, side, first, method)


if __name__ == "__main__":
    main()
