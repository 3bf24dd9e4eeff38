"""Stickers that we did not draw: Noto Color Emoji glyphs with exact alpha, over many backgrounds.

The glyphs come from Debian's fonts-noto-color-emoji (SIL OFL). We looked at TUNING while writing the mask methods
(seeds below 1000 and 20000 to 20999). REPORTED shares no glyph with it; we measure on it and never tune on it. We did
not look at its pictures, only at the names of glyphs that failed (seeds from 1000).
"""

from __future__ import annotations

import functools
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

FONT = os.environ.get("NOTO_COLOR_EMOJI", "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
MISSING = f"{FONT} is not installed (Debian: fonts-noto-color-emoji; or set NOTO_COLOR_EMOJI)"
GROUNDS = ("plain", "gradient", "shadow", "patterned")
PATTERNS = ("stripes", "checks", "dots", "noise", "gingham", "clouds", "confetti")

TUNING = tuple("🐱🐶🐵🦁🐻🐼🐸🐔🦉🐌🐛🦋🐢🐍🐬🦑🦒🐘🐇🦔😀😎😡🤖👻🎃🍎🍌🍩🍵🔑🚗🚂🎸📷🎧🧸🌵🌻👑🚲\u2693\u2602")
REPORTED = tuple(
    "🐯🐮🐷🐭🐹🐰🦊🐨🦝🐧🦆🦅🐝🐞🐙🦀🐠🐳🦈🐊🦓🦍🐫🐄🐎🐏🐩🐈🐓🦃🐿🦇😂🥰🥶🤡👽💀👾🍕🍓🍉🥑🍔🧁🥨🍺🫖🔒🔗🚀🎈🎁🏆💍🧲🪴🧢🔔\u2615"
)

_TO_LMS = np.array(
    [[0.4122214708, 0.2119034982, 0.0883024619], [0.5363325363, 0.6806995451, 0.2817188376],
     [0.0514459929, 0.1073969566, 0.6299787005]], np.float32
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 1.9779984951, 0.0259040371], [0.7936177850, -2.4285922050, 0.7827717662],
     [-0.0040720468, 0.4505937099, -0.8086757660]], np.float32
)  # fmt: skip


def oklab(rgb: np.ndarray) -> np.ndarray:
    """OKLab (Ottosson 2020) of sRGB values (..., 3) in [0, 1]; L in [0, 1], a and b about +-0.4."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    lms = np.cbrt(linear @ _TO_LMS)
    return (lms @ _TO_LAB).astype(np.float32)


def available() -> bool:
    """Whether the font is there."""
    return os.path.exists(FONT)


@functools.lru_cache(maxsize=512)
def render(glyph: str, size: int = 192, fill: float = 0.8) -> np.ndarray:
    """A glyph in the middle of a transparent square: (size, size, 4) float32 in [0, 1], straight alpha."""
    font = ImageFont.truetype(FONT, 109)
    canvas = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((12, 12), glyph, font=font, embedded_color=True)
    box = canvas.getbbox()
    if box is None:
        raise ValueError(f"the font has no picture for {glyph!r}")
    picture = canvas.crop(box)
    scale = size * fill / max(picture.size)
    width, height = (max(1, round(s * scale)) for s in picture.size)
    straight = np.asarray(picture, np.float32) / 255
    premultiplied = np.concatenate([straight[..., :3] * straight[..., 3:], straight[..., 3:]], -1)
    planes = [Image.fromarray(np.ascontiguousarray(premultiplied[..., i])) for i in range(4)]
    small = np.stack([np.asarray(p.resize((width, height), Image.Resampling.BICUBIC)) for p in planes], -1).clip(0, 1)
    out = np.zeros((size, size, 4), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    alpha = small[..., 3:]
    out[top : top + height, left : left + width] = np.concatenate(
        [np.where(alpha > 0, small[..., :3] / np.maximum(alpha, 1e-6), 0).clip(0, 1), alpha], -1
    )
    return out


def compose(glyph: str, ground: str, seed: int, size: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """A glyph over a random ground: image (size, size, 3) and its exact alpha (size, size), float32 in [0, 1].

    ground: one of GROUNDS or PATTERNS ("patterned" draws one of the latter).
    """
    return over(render(glyph, size), ground, seed)


def over(sticker: np.ndarray, ground: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for any (H, W, 4) sticker; the ground's colours are plausible and never equal the sticker's."""
    rng = np.random.default_rng([seed, *ground.encode()])
    alpha = sticker[..., 3]
    own = sticker[alpha > 0.9][:, :3]
    own = own[:: max(1, len(own) // 500)]
    pattern = PATTERNS[rng.integers(len(PATTERNS))] if ground == "patterned" else ground
    colours = [_ground_colour(rng, own) for _ in range(3)]
    back = _paint(pattern, alpha, colours, _drift_to(rng, own, colours[0]), rng)
    image = sticker[..., :3] * alpha[..., None] + back * (1 - alpha[..., None])
    return (np.round(image.clip(0, 1) * 255) / 255).astype(np.float32), alpha


def _ground_colour(rng: np.random.Generator, own: np.ndarray) -> np.ndarray:
    """White, pastel, dark or vivid, or near one of the sticker's own colours, but visibly not one of them."""
    colour = np.zeros(3)
    for _ in range(2000):
        kind = rng.integers(5)
        if kind == 0:
            colour = np.full(3, rng.uniform(0.85, 1.0))
        elif kind == 1:
            colour = rng.uniform(0.65, 1.0, 3)
        elif kind == 2:
            colour = rng.uniform(0.0, 0.35, 3)
        elif kind == 3:
            colour = rng.uniform(0.0, 1.0, 3)
        else:
            colour = (own[rng.integers(len(own))] + rng.normal(0, 0.13, 3)).clip(0, 1)
        if _differs(colour, own):
            break
    return colour.astype(np.float32)


def _drift_to(rng: np.random.Generator, own: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The far end of a gradient, none of whose colours is one of the sticker's."""
    for spread in np.linspace(0.25, 0.02, 200):
        far = (start + rng.uniform(-spread, spread, 3)).clip(0, 1)
        if all(_differs(start + (far - start) * t, own) for t in (0.25, 0.5, 0.75, 1.0)):
            break
    return far.astype(np.float32)


def _differs(colour: np.ndarray, own: np.ndarray) -> bool:
    """At least 0.16 in sRGB and 0.06 in OKLab (about 3 just-noticeable differences) from 99 % of a sticker."""
    close = np.linalg.norm(own - colour, axis=1) < 0.16
    close |= np.linalg.norm(oklab(own) - oklab(np.asarray(colour, np.float32)), axis=1) < 0.06
    return bool(close.mean() < 0.01)


def _paint(
    pattern: str, alpha: np.ndarray, colours: list[np.ndarray], far: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    one, two, three = colours
    side = min(height, width)
    period = side * rng.uniform(0.06, 0.2)
    turn = rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)

    def mix(share: np.ndarray, a: np.ndarray = one, b: np.ndarray = two) -> np.ndarray:
        return a + (b - a) * share.clip(0, 1)[..., None]

    if pattern == "plain":
        return np.broadcast_to(one, (height, width, 3)).copy()
    if pattern == "gradient":
        if rng.random() < 0.5:
            return mix((u - u.min()) / np.ptp(u), one, far)
        cy, cx = rng.uniform(0.3, 0.7, 2) * (height, width)
        return mix(np.hypot(y - cy, x - cx) / (0.75 * np.hypot(height, width)), one, far)
    if pattern == "shadow":
        shift = rng.uniform(0.02, 0.06, 2) * side * rng.choice([-1, 1], 2)
        dark = ndimage.gaussian_filter(ndimage.shift(alpha, shift, order=1), side * rng.uniform(0.02, 0.04))
        return mix(dark * rng.uniform(0.25, 0.6), one, np.zeros(3, np.float32))
    if pattern == "stripes":
        return mix(_square(u, period))
    if pattern == "checks":
        a, b = _square(u, period), _square(v, period)
        return mix(a * b + (1 - a) * (1 - b))
    if pattern == "gingham":
        return mix((_square(u, period) + _square(v, period)) / 2)
    if pattern == "dots":
        r = np.hypot((u + period / 2) % period - period / 2, (v + period / 2) % period - period / 2)
        return mix(period * rng.uniform(0.2, 0.35) - r + 0.5)
    if pattern == "noise":
        return (one + rng.normal(0, rng.uniform(0.02, 0.06), (height, width, 3))).clip(0, 1)
    if pattern == "clouds":
        field = ndimage.gaussian_filter(rng.normal(size=(height, width)), side * rng.uniform(0.03, 0.08), mode="wrap")
        field = (field - field.min()) / np.ptp(field)
        return mix(field, one, far)
    if pattern == "confetti":
        back = mix(np.zeros_like(alpha))
        for i in range(60):
            cy, cx = rng.uniform(0, 1, 2) * (height, width)
            blob = side * rng.uniform(0.01, 0.035) - np.hypot(y - cy, x - cx) + 0.5
            back = back + ((two, three)[i % 2] - back) * blob.clip(0, 1)[..., None]
        return back
    raise ValueError(f"no ground called {pattern!r}")


def _square(u: np.ndarray, period: float) -> np.ndarray:
    """A square wave with equal halves, its edges antialiased over a pixel."""
    phase = u % period
    return (np.abs(phase - period / 2) - period / 4 + 0.5).clip(0, 1)


def iou(mask: np.ndarray, alpha: np.ndarray) -> float:
    """Intersection over union of both thresholded at 0.5."""
    a, b = np.asarray(mask) > 0.5, alpha > 0.5
    return float((a & b).sum() / max((a | b).sum(), 1))
