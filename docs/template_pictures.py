"""Draws the pictures that the templates start with: one sticker, six pictures to cut out, three animations,
and some in three looks that others take.

    python docs/template_pictures.py [--out DIR]

Ours, from the laboratory's renderer; js/examples.js puts them into ComfyUI's input folder when a template needs them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from seal_core.demo.sticker_files import BUILT_IN
from seal_core.world.renderer.characters import Character, character
from seal_core.world.renderer.render import render
from seal_core.world.renderer.scenes import Scene
from seal_core.world.renderer.seeds import EXAMPLES

OUT = Path(__file__).resolve().parents[1] / "js/examples"
CAT = EXAMPLES[1]
LOOKS = {
    "look.jpg": (8, ("happy", "standing", "comic book", "plain mint")),
    "pixels.png": (12, ("surprised", "waving", "pixel art", "plain mint")),
    "watercolor-rabbit.jpg": (9, ("happy", "standing", "watercolor", "plain white")),
    "watercolor-bear.jpg": (11, ("angry", "waving", "watercolor", "plain peach")),
    "watercolor-fox.jpg": (14, ("sleepy", "sitting", "watercolor", "plain lavender")),
    "watercolor-frog.jpg": (10, ("sad", "jumping", "watercolor", "beach")),
}
"""File -> which example character, and its emotion, action, style and background."""
STICKER = "orange cat, running on a beach"
SIDE, LOOK_SIDE, GIF_SIDE, FRAMES, MILLISECONDS = 512, 256, 256, 12, 80
COLOURS, HALF = 95, 128
GROUNDS = ("plain mint", "plain peach", "plain lavender", "plain mint", "plain peach", "plain lavender")


def rgba(who: Character, side: int, **scene: str) -> Image.Image:
    """A sticker with its ground in RGB and its exact outline in alpha."""
    made = render(who, Scene(**BUILT_IN[STICKER] | scene), CAT, side)
    return Image.fromarray(np.dstack([made.image, made.mask]))


def moved(picture: Image.Image, degrees: float = 0, up: float = 0, scale: float = 1) -> Image.Image:
    """Turned, lifted by a share of its height, and scaled; the ground is transparent."""
    clear = Image.new("RGBA", picture.size)
    clear.paste(picture, mask=picture.getchannel("A"))
    side = round(picture.width * scale)
    small = clear.resize((side, side), Image.Resampling.LANCZOS).rotate(degrees, Image.Resampling.BICUBIC)
    page = Image.new("RGBA", picture.size)
    at = (picture.width - side) // 2, (picture.height - side) // 2 - round(up * picture.height)
    page.paste(small, at, small)
    return page


def hard_edged(picture: Image.Image) -> Image.Image:
    """A frame as GIF knows it: 95 colours and one for what is transparent."""
    flat = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    outside = picture.getchannel("A").point(lambda a: 255 * (a < HALF))
    flat.paste(COLOURS, mask=outside)
    flat.info["transparency"] = COLOURS
    return flat


MOVES: dict[str, tuple[dict[str, str], Callable[[float], dict[str, float]]]] = {
    "wave": ({"emotion": "happy", "action": "waving"}, lambda t: {"degrees": 9 * math.sin(t)}),
    "hop": ({"emotion": "surprised", "action": "jumping"}, lambda t: {"up": 0.07 * abs(math.sin(t)) - 0.02}),
    "love": ({"emotion": "in love", "action": "sitting"}, lambda t: {"scale": 1 + 0.06 * math.sin(t)}),
}
"""File -> what the cat does, and how the picture moves at an angle of the cycle."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    who = character(CAT)
    rgba(who, SIDE, camera="wide shot").quantize(255, Image.Quantize.FASTOCTREE).save(
        out / "seal-orange-cat.png", optimize=True
    )
    emotions = ("happy", "sad", "angry", "surprised", "sleepy", "in love")
    for emotion, ground in zip(emotions, GROUNDS):
        picture = rgba(who, SIDE, emotion=emotion, action="standing", camera="wide shot", background=ground).convert(
            "RGB"
        )
        picture.save(out / f"seal-picture-{emotion.replace(' ', '-')}.jpg", quality=88)
    for name, (which, (emotion, action, style, ground)) in LOOKS.items():
        seed = EXAMPLES[which]
        scene = Scene(emotion, action, "full body", style, ground)
        picture = Image.fromarray(render(character(seed), scene, seed, LOOK_SIDE).image)
        if name.endswith(".png"):  # of few colours
            picture = picture.quantize(64, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        picture.save(out / f"seal-{name}", quality=56 if "watercolor" in name else 82, optimize=name != "look.jpg")
    for name, (scene, at) in MOVES.items():
        still = rgba(who, GIF_SIDE, **scene, camera="wide shot")
        frames = [moved(still, **at(2 * math.pi * i / FRAMES)) for i in range(FRAMES)]
        first, *others = [hard_edged(frame) for frame in frames]
        first.save(
            out / f"seal-{name}.gif", save_all=True, append_images=others, duration=MILLISECONDS, loop=0, disposal=2
        )
    print(f"{sum(file.stat().st_size for file in out.iterdir()) // 1000} kB: {out}")


if __name__ == "__main__":
    main()
