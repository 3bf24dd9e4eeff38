"""Procedural backgrounds and objects unlike StickerWorld's, for training the segmenter (ours).

The segmenter must find subjects that our renderer never draws, on any background: cheap variety counts, beauty does
not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Colour = NDArray[np.floating]
Pixels = NDArray[np.floating]
"""(side, side, 3) in [0, 1]."""

GROUNDS: Mapping[str, float] = {
    "solid": 4, "gradient": 2, "stripes": 1, "checks": 1, "dots": 1, "blotches": 1.5, "shapes": 2, "bands": 1.5,
    "grain": 1, "landscape": 10, "bokeh": 1,
}  # fmt: skip
"""Kinds of background, and how often each is drawn."""


def random_colour(rng: np.random.Generator) -> Colour:
    """Paper, pastel, dark or any colour."""
    kind = rng.random()
    if kind < 0.25:
        return np.full(3, rng.uniform(0.8, 1), np.float32) + rng.uniform(-0.02, 0, 3).astype(np.float32)
    low, high = ((0.6, 1.0), (0.0, 0.4), (0.0, 1.0))[min(2, int((kind - 0.25) * 4))]
    return rng.uniform(low, high, 3).astype(np.float32)


def colour_near(rng: np.random.Generator, base: Colour, spread: float) -> Colour:
    """A colour not far from another."""
    return (base + rng.uniform(-spread, spread, 3)).clip(0, 1).astype(np.float32)


def random_background(rng: np.random.Generator, base: Colour | None, side: int) -> Pixels:
    """A background (side, side, 3) of a random kind. base: its colour, if it is to be plain."""
    names = list(GROUNDS)
    weights = np.array(list(GROUNDS.values()))
    kind = "solid" if base is not None else names[rng.choice(len(names), p=weights / weights.sum())]
    one = random_colour(rng) if base is None else base
    two = colour_near(rng, one, 0.35) if rng.random() < 0.5 else random_colour(rng)
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    turn = rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    period = rng.uniform(0.04, 0.25)
    if kind == "solid":
        picture = np.broadcast_to(one, (side, side, 3)).copy()
    elif kind == "gradient":
        far = np.hypot(u - rng.uniform(-0.2, 0.8), v) if rng.random() < 0.4 else u
        picture = _mix((far - far.min()) / np.ptp(far), one, colour_near(rng, one, rng.uniform(0.1, 0.7)))
    elif kind in ("stripes", "checks", "dots"):
        picture = _mix(_PATTERNS[kind](u, v, period, rng.uniform(0.25, 0.75), side), one, two)
    elif kind == "blotches":
        picture = _mix(_clouds(rng, side, rng.uniform(0.3, 0.9)), one, two)
    elif kind == "grain":
        rough = rng.normal(0, rng.uniform(0.03, 0.12), (side, side, 1 if rng.random() < 0.5 else 3))
        picture = _mix(_clouds(rng, side, 0.5), one, colour_near(rng, one, 0.3)) + rough
    elif kind == "landscape":
        picture = _landscape(rng, 2 * side)
    elif kind == "bokeh":
        picture = _bokeh(rng, one, side)
    else:
        picture = _drawn(rng, kind, one, side)
    if rng.random() < 0.15:  # paper, or a photograph's noise
        picture = picture + rng.normal(0, rng.uniform(0.005, 0.03), (side, side, 1))
    return picture.clip(0, 1).astype(np.float32)


def _mix(share: NDArray[np.floating], one: Colour, two: Colour) -> Pixels:
    return one + (two - one) * share[..., None]


def _wave(u: NDArray[np.floating], period: float, duty: float, side: int) -> NDArray[np.floating]:
    """A square wave of 0 and 1, its edges antialiased over a pixel."""
    inside = np.abs((u / period) % 1 - 0.5) - duty / 2
    return (0.5 - inside * period * side).clip(0, 1)


def _checks(u: NDArray[np.floating], v: NDArray[np.floating], period: float, duty: float, side: int):
    a, b = _wave(u, period, 0.5, side), _wave(v, period, 0.5, side)
    return a * b + (1 - a) * (1 - b) if duty < 0.6 else (a + b) / 2


def _dots(u: NDArray[np.floating], v: NDArray[np.floating], period: float, duty: float, side: int):
    far = np.hypot((u / period) % 1 - 0.5, (v / period) % 1 - 0.5)
    return (0.5 - (far - duty / 2) * period * side).clip(0, 1)


_PATTERNS: Mapping[str, Callable] = {
    "stripes": lambda u, v, period, duty, side: _wave(u, period, duty, side),
    "checks": _checks,
    "dots": _dots,
}


def _clouds(rng: np.random.Generator, side: int, fall: float) -> NDArray[np.floating]:
    """Noise in octaves, 0 to 1. fall: each octave's weight relative to the coarser one."""
    total, weight = np.zeros((side, side), np.float32), 1.0
    for cells in (2, 4, 8, 16, 32):
        coarse = Image.fromarray(rng.normal(size=(cells + 2, cells + 2)).astype(np.float32))
        total += weight * np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
        weight *= fall
    return (total - total.min()) / np.ptp(total)


def _drawn(rng: np.random.Generator, kind: str, base: Colour, side: int) -> Pixels:
    """Scenery: bands like sky, sea and sand, or many shapes; all without an outline of its own."""
    canvas = Image.new("RGB", (side, side), _rgb(base))
    draw = ImageDraw.Draw(canvas)
    if kind == "bands":
        level = 0.0
        for _ in range(rng.integers(1, 4)):
            level += rng.uniform(0.15, 0.5)
            x = np.linspace(-0.1, 1.1, 25)
            waves = rng.uniform(0, 0.05) * np.sin(x * rng.uniform(2, 25) + rng.uniform(0, 6)) + level
            points = [*zip(x * side, waves * side), (1.1 * side, 2 * side), (-0.1 * side, 2 * side)]
            draw.polygon([(float(a), float(b)) for a, b in points], _rgb(random_colour(rng)))
    shades = [
        colour_near(rng, base, 0.3) if rng.random() < 0.5 else random_colour(rng) for _ in range(rng.integers(1, 4))
    ]
    largest = rng.uniform(0.02, 0.3)
    for _ in range(rng.integers(3, 40) if kind == "shapes" else rng.integers(0, 8)):
        points = _outline(rng, complex(*rng.uniform(-0.1, 1.1, 2)), largest * rng.uniform(0.4, 1), side)
        draw.polygon(points, _rgb(shades[rng.integers(len(shades))]))
    return np.asarray(canvas, np.float32) / 255


def _landscape(rng: np.random.Generator, fine: int) -> Pixels:
    """A place in flat colours, drawn at twice the size: a sky, layers of land or water, and things that stand there."""
    sky = _mix(np.linspace(0, 1, fine)[:, None] * np.ones(fine), random_colour(rng), random_colour(rng))
    canvas = Image.fromarray((255 * sky.clip(0, 1)).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    if rng.random() < 0.6:  # sun or moon
        shade = rng.uniform((0.85, 0.7, 0.2), (1, 1, 0.9)) if rng.random() < 0.6 else random_colour(rng)
        at, size = complex(*rng.uniform((0, 0), (1, 0.4))), rng.uniform(0.03, 0.12)
        if rng.random() < 0.5:
            draw.circle((fine * at.real, fine * at.imag), fine * size, _rgb(shade))
        else:
            draw.polygon(_outline(rng, at, size, fine), _rgb(shade))
    pale, puffs, flat = rng.random() < 0.6, rng.integers(1, 6), rng.uniform(0.3, 1)
    for _ in range(rng.integers(0, 8)):  # clouds
        middle, size = rng.uniform((0, 0), (1, 0.5)), rng.uniform(0.02, 0.1)
        shade = _rgb(np.full(3, rng.uniform(0.88, 1.05)) if pale else random_colour(rng))
        for puff in range(puffs):
            x, y = middle + size * np.array([1.3 * (puff - puffs / 2), 0.2 * rng.normal()])
            tall = flat * size * rng.uniform(0.7, 1)
            draw.ellipse([fine * v for v in (x - size, y - tall, x + size, y + tall)], shade)
    level = rng.uniform(0.35, 0.6)
    x = np.linspace(-0.05, 1.05, 60)
    for _ in range(rng.integers(1, 5)):
        rough = rng.uniform(0, 0.08) * np.sin(x * rng.uniform(2, 14) + rng.uniform(0, 6))
        rough = rough + (rng.uniform(0, 0.03) * np.abs(rng.normal(size=60)) if rng.random() < 0.3 else 0)
        points = [*zip(x * fine, (level + rough) * fine), (1.1 * fine, 1.1 * fine), (-0.1 * fine, 1.1 * fine)]
        draw.polygon([(float(a), float(b)) for a, b in points], _rgb(random_colour(rng)))
        thing = rng.choice(("none", "trees", "trees", "houses", "blobs"))
        trunks, (shade, other) = rng.random() < 0.5, (_rgb(random_colour(rng)) for _ in range(2))
        for at in rng.uniform(0, 1, rng.integers(1, 9)):
            foot, tall = level + rng.uniform(0, 0.08), rng.uniform(0.04, 0.22)
            wide = tall * rng.uniform(0.2, 0.5)
            if thing == "trees":
                if trunks:
                    draw.rectangle([fine * v for v in (at - wide / 8, foot - tall / 2, at + wide / 8, foot)], other)
                corners = ((at - wide, foot - tall / 3), (at, foot - 1.2 * tall), (at + wide, foot - tall / 3))
                draw.polygon([(fine * a, fine * b) for a, b in corners], shade)
            elif thing == "houses":
                draw.rectangle([fine * v for v in (at - wide, foot - tall, at + wide, foot)], shade)
                for dx in (-0.5, 0.2):
                    draw.rectangle(
                        [
                            fine * v
                            for v in (at + dx * wide, foot - 0.8 * tall, at + (dx + 0.3) * wide, foot - 0.6 * tall)
                        ],
                        other,
                    )
            elif thing == "blobs":
                draw.polygon(_outline(rng, complex(at, foot), tall / 2, fine), shade)
        level += rng.uniform(0.08, 0.25)
    return np.asarray(canvas.reduce(2), np.float32) / 255


def _bokeh(rng: np.random.Generator, base: Colour, side: int) -> Pixels:
    """Soft lights, one over the other."""
    picture = np.broadcast_to(base, (side, side, 3)).copy()
    for _ in range(rng.integers(5, 40)):
        disc = Image.new("L", (side, side))
        ImageDraw.Draw(disc).polygon(_outline(rng, complex(*rng.uniform(0, 1, 2)), rng.uniform(0.02, 0.12), side), 255)
        soft = ndimage.uniform_filter(np.asarray(disc, np.float32) / 255, rng.integers(1, max(2, side // 20)))
        cover = rng.uniform(0.1, 0.7) * soft[..., None]
        picture = picture * (1 - cover) + random_colour(rng) * cover
    return picture


def _rgb(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (round(255 * float(c)) for c in np.clip(colour, 0, 1))
    return r, g, b


def _outline(rng: np.random.Generator, centre: complex, size: float, side: int) -> list[tuple[float, float]]:
    """A closed outline in pixels: round, oval, wobbly, a star or a polygon. size: its radius as a share of `side`."""
    kind = rng.random()
    count = int(rng.integers(3, 8)) if kind < 0.25 else 48
    t = np.arange(count) / count * 2 * np.pi + rng.uniform(0, 6)
    radius = np.ones(count)
    if kind > 0.6:
        for k in range(2, 6):
            radius += rng.normal(0, 0.25 / k) * np.cos(k * t + rng.uniform(0, 6))
    elif kind > 0.5:
        radius += rng.uniform(0.1, 0.4) * np.sign(np.cos(rng.integers(3, 9) * t))
    shape = radius * np.exp(1j * t)
    shape = (shape.real + 1j * shape.imag * rng.uniform(0.35, 1)) * np.exp(1j * rng.uniform(0, 6)) * size + centre
    return [(float(p.real * side), float(p.imag * side)) for p in shape]


def random_object(rng: np.random.Generator, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A centred object of a few parts: colours (side, side, 3) and opacity (side, side)."""
    fine = side * 2
    canvas, cover = Image.new("RGB", (fine, fine)), Image.new("L", (fine, fine))
    paint, stencil = ImageDraw.Draw(canvas), ImageDraw.Draw(cover)
    shades = [random_colour(rng) for _ in range(rng.integers(1, 5))]
    ink = _rgb(rng.uniform(0, 0.25, 3)) if rng.random() < 0.7 else _rgb(random_colour(rng))
    line = round(rng.uniform(0, 0.025) * fine) if rng.random() < 0.6 else 0

    def part(centre: complex, size: float, opaque: bool = True) -> None:
        points = _outline(rng, centre, size, fine)
        shade = _rgb(shades[rng.integers(len(shades))])
        paint.polygon(points, shade)
        if line:
            paint.line([*points, points[0], points[1]], ink, line, joint="curve")
        if opaque:
            stencil.polygon(points, 255)
            if line:
                stencil.line([*points, points[0], points[1]], 255, line, joint="curve")

    middle = 0.5 + 0.5j
    for _ in range(rng.integers(0, 4)):  # limbs, tails, whiskers, handles
        way = np.cumsum(rng.normal(0, 0.13, 5) + 1j * rng.normal(0, 0.13, 5)) + middle
        points = [(float(p.real.clip(0.1, 0.9) * fine), float(p.imag.clip(0.1, 0.9) * fine)) for p in way]
        width, shade = max(2, round(rng.uniform(0.008, 0.1) * fine)), _rgb(shades[0])
        paint.line(points, shade, width, joint="curve")
        stencil.line(points, 255, width, joint="curve")
    part(middle + complex(*rng.uniform(-0.1, 0.1, 2)), rng.uniform(0.15, 0.36))
    for _ in range(rng.integers(0, 4)):
        part(middle + complex(*rng.uniform(-0.25, 0.25, 2)), rng.uniform(0.06, 0.22))
    body = np.asarray(cover)
    for _ in range(rng.integers(0, 7)):  # eyes, spots, letters on the body
        place = complex(*rng.uniform(0.3, 0.7, 2))
        if body[int(place.imag * fine), int(place.real * fine)]:
            shades.append(random_colour(rng))
            part(place, rng.uniform(0.015, 0.07), opaque=False)
    if rng.random() < 0.15:  # a hole
        points = _outline(rng, middle + complex(*rng.uniform(-0.1, 0.1, 2)), rng.uniform(0.05, 0.13), fine)
        stencil.polygon(points, 0)
    rgb = np.asarray(canvas.reduce(2), np.float32)
    opaque = np.asarray(cover.reduce(2))
    if rng.random() < 0.5:  # light from above
        rgb = rgb * np.linspace(1, rng.uniform(0.6, 1), side, dtype=np.float32)[:, None, None]
    return rgb.clip(0, 255).astype(np.uint8), opaque
