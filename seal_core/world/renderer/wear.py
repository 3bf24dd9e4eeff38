"""Nine things to wear, in head units."""

from __future__ import annotations

import numpy as np

from .characters import Character
from .drawing_colours import luminance, tone
from .faces import eye_places
from .heads import both, head_size
from .shapes import Pen, bend, ellipse, smooth, stroke


def around_neck(pen: Pen, who: Character) -> None:
    """Scarf and bow tie."""
    colour = who.rgb[2]
    if who.accessory == "scarf":
        pen.fill(stroke([0.3 + 0.85j, 0.42 + 1.2j, 0.38 + 1.5j], 0.3, 0.36), tone(colour, -0.15), ink=True)
        pen.fill(stroke(bend(-0.62 + 0.72j, 1.12j, 0.62 + 0.72j), 0.36), colour, ink=True)
    elif who.accessory == "bow tie":
        for wing in both(smooth([0.05 + 0.92j, 0.5 + 0.66j, 0.5 + 1.26j], 2)):
            pen.fill(wing, colour, ink=True)
        pen.fill(ellipse(0.96j, 0.11, 0.12), tone(colour, -0.2), ink=True)


def headwear(pen: Pen, who: Character, only_head: bool) -> None:
    colour, dark, side = who.rgb[2], tone(who.rgb[2], -0.22), who.side
    crown = -head_size(who)[1]
    up = crown * 1j
    if only_head or who.accessory == "bow tie":
        around_neck(pen, who)
    if who.accessory == "bow":
        at = complex(side * 0.6, crown * 0.86) if who.species != "frog" else up + 0.06j
        for wing in (-1, 1):
            pen.fill(smooth([at + wing * 0.02, at + wing * 0.46 - 0.3j, at + wing * 0.46 + 0.3j], 2), colour, ink=True)
        pen.fill(ellipse(at, 0.13, 0.14), dark, ink=True)
    elif who.accessory == "party hat":
        pen.fill(np.array([-0.36 + up + 0.16j, 0.36 + up + 0.16j, 0.04 + up - 0.8j]), colour, ink=True)
        pen.line([-0.22 + up - 0.08j, 0.28 + up - 0.12j], 0.12, tone(colour, 0.6))
        pen.line([-0.08 + up - 0.42j, 0.15 + up - 0.45j], 0.1, tone(colour, 0.6))
        pen.fill(ellipse(0.04 + up - 0.82j, 0.13, 0.13), tone(colour, 0.6), ink=True)
    elif who.accessory == "crown":
        rim = [-0.45 + 0.2j, -0.52 - 0.4j, -0.24 - 0.1j, -0.5j, 0.24 - 0.1j, 0.52 - 0.4j, 0.45 + 0.2j]
        pen.fill(np.array([up + z for z in rim]), colour, ink=True)
        for x in (-0.24, 0.0, 0.24):
            pen.fill(ellipse(up + x + 0.06j, 0.065, 0.065), tone(colour, 0.65), solid=False)
    elif who.accessory == "flower":
        at = complex(side * 0.66, crown * 0.78) if who.species != "frog" else up + 0.06j
        for k in range(5):
            pen.fill(ellipse(at + 0.22 * np.exp(2j * np.pi * k / 5), 0.16, 0.16), colour, ink=True)
        pen.fill(ellipse(at, 0.12, 0.12), tone(colour, 0.7) if luminance(colour) < 0.8 else (250, 190, 60), solid=False)
    elif who.accessory == "headphones":
        rx = head_size(who)[0]
        t = np.linspace(np.pi * 1.08, np.pi * 1.92, 14)
        pen.fill(stroke(rx * 1.02 * np.cos(t) + 1j * (0.05 - crown * 1.12 * np.sin(t)), 0.15), dark, ink=True)
        for x in (-1, 1):
            pen.fill(ellipse(complex(x * rx * 1.0, 0.1), 0.24, 0.36), colour, ink=True)
            pen.fill(ellipse(complex(x * rx * 1.0, 0.1), 0.11, 0.19), dark, solid=False)
    elif who.accessory == "cap":
        dome = np.concatenate(
            [
                np.array([0.68 + up + 0.3j]),
                [0.68 * np.cos(a) + up + 0.3j - 0.62j * np.sin(a) for a in np.linspace(0.1, np.pi - 0.1, 14)],
                np.array([-0.68 + up + 0.3j]),
            ]
        )
        pen.fill(dome, colour, ink=True)
        pen.fill(
            smooth(
                [side * -0.1 + up + 0.14j, side * 1.15 + up + 0.18j, side * 1.2 + up + 0.42j, side * -0.1 + up + 0.4j],
                2,
            ),
            dark,
            ink=True,
        )
        pen.fill(ellipse(up - 0.34j, 0.09, 0.07), dark, solid=False)
    elif who.accessory == "glasses":
        for at in eye_places(who):
            ring = ellipse(at, 0.35, 0.35)
            pen.line(np.append(ring, ring[:2]), 0.095, colour if luminance(colour) < 0.85 else tone(colour, -0.15))
        left, right = eye_places(who)
        pen.line([left + 0.35, right - 0.35], 0.09, colour if luminance(colour) < 0.85 else tone(colour, -0.15))
