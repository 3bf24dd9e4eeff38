"""Issue 4's claim at full size: 200 StickerWorld renders and 20 hard cases on every platform, re-read by pack_rules.

    python tests/bench/bench_sticker_packs.py [RENDERS]

Static stickers all; of the animated ones 8 renders that wobble and 8 hard cases. It takes minutes.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "support")]

from pack_rules import check_pack  # noqa: E402

from seal_core.stickers.pack.clip import Clip  # noqa: E402
from seal_core.stickers.pack.pack_request import PackRequest, Sticker, with_emoji  # noqa: E402
from seal_core.stickers.pack.save_pack import save_pack  # noqa: E402
from seal_core.world.renderer.characters import character  # noqa: E402
from seal_core.world.renderer.render import render  # noqa: E402
from seal_core.world.renderer.scenes import random_scene  # noqa: E402

CHAT = ("telegram", "whatsapp", "signal", "discord", "line", "imessage")


def world(seed: int) -> np.ndarray:
    made = render(character(90_000 + seed), random_scene(random.Random(seed)), seed)
    return np.dstack([made.image, made.mask])


def _filled(height: int, width: int, alpha: int = 255) -> np.ndarray:
    rng = np.random.default_rng(height * 7 + width)
    picture = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    picture[..., 3] = alpha
    return picture


def _lines(width: int) -> np.ndarray:
    image = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for i in range(40):
        draw.line((i * 13, 0, 512 - i * 9, 511), fill=(30, 30, 30, 255), width=width)
    return np.asarray(image)


def hard() -> list[np.ndarray]:
    """Twenty: lines, frames touched, gradients, noise, tiny, huge, thin, opaque, faint."""
    y, x = np.mgrid[0:512, 0:512]
    gradient = np.dstack([x // 2, y // 2, (x + y) // 4, np.full_like(x, 255)]).astype(np.uint8)
    soft = np.dstack([x // 2, y // 2, x * 0 + 90, np.clip(255 - np.hypot(x - 256, y - 256), 0, 255)]).astype(np.uint8)
    speckled = _filled(512, 512)
    speckled[..., 3] = np.where(_filled(512, 511, 255)[:, :1, 0] > 128, 255, 0)
    huge = np.zeros((4096, 4096, 4), np.uint8)
    huge[1000:3000, 500:3900] = (200, 30, 60, 255)
    noisy_alpha = _filled(400, 400)
    noisy_alpha[..., 3] = noisy_alpha[..., 0]
    return [
        _lines(1), _lines(2), gradient, soft, speckled, huge, noisy_alpha, _filled(1, 1), _filled(2, 2),
        _filled(1, 700), _filled(700, 1), _filled(3, 2000), _filled(512, 512), _filled(512, 512, 9),
        _filled(513, 511), _filled(96, 1024),
        np.full((300, 300, 4), 255, np.uint8), np.zeros((64, 64, 4), np.uint8) + np.uint8([0, 0, 0, 255]),
        _filled(370, 320), np.tile(np.uint8([[[255, 0, 0, 255], [0, 0, 255, 128]]]), (256, 128, 1)),
    ]  # fmt: skip


def wobble(picture: np.ndarray, frames: int, fps: float) -> Clip:
    """The picture swaying: what an animation of a sticker does at least."""
    image = Image.fromarray(picture)
    turned = [image.rotate(8 * np.sin(2 * np.pi * i / frames), Image.Resampling.BICUBIC) for i in range(frames)]
    moved = [np.asarray(t).copy() for t in turned]
    for i, frame in enumerate(moved):  # what is too small to turn changes its colour
        frame[..., :3] = np.clip(frame[..., :3].astype(int) - i % 5 * 12, 0, 255)
        if not frame[..., 3].any():
            frame[..., 3] = picture[..., 3]
    return Clip.at_rate(np.stack(moved), fps)


def pack_all(name: str, clips: list[Clip], each: int = 8) -> None:
    for platform in CHAT:
        started, sizes, reduced = time.process_time(), [], 0
        with tempfile.TemporaryDirectory() as folder:
            for start in range(0, len(clips), each):
                part = clips[start : start + each]
                part += clips[: each - len(part)]
                stickers = [Sticker("", c.animated, (lambda c=c: c)) for c in part]
                request = PackRequest(platform, f"Pack {start}", "Bench")
                made = save_pack(with_emoji(stickers, ["😀"], platform), request, Path(folder))
                check_pack(made.folder)
                sizes += [s["bytes"] / s["limit"] for s in made.report["stickers"]]
                reduced += sum("to fit" in note for note in made.report["notes"])
        seconds = (time.process_time() - started) / len(sizes)
        print(
            f"{name:16s} {platform:9s} {len(sizes):4d} files pass; largest {max(sizes):.0%} of the limit, mean "
            f"{np.mean(sizes):.0%}; {reduced} with fewer frames or smaller; {seconds:.2f} s of processor time each",
            flush=True,
        )


def main() -> None:
    renders = [world(seed) for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 200)]
    pack_all("renders", [Clip.still(picture) for picture in renders])
    pack_all("hard", [Clip.still(picture) for picture in hard()])
    pack_all("renders, moving", [wobble(picture, 12, 8) for picture in renders[:8]])
    pack_all("hard, moving", [wobble(picture, 60, 20) for picture in (*hard()[:3], *hard()[6:11])])


if __name__ == "__main__":
    main()
