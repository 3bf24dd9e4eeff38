"""A plain ground: one colour, or a smooth gradient of any kind (ours).

Where the ground is as simple as that, its colour is known everywhere, also behind the subject, and the picture itself
proves what is no ground, against whatever the segmenter has guessed.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

ALIKE = 0.03, 0.06
"""Difference (largest channel) below which a pixel shows the ground's colour: on a clean ground, and at most, where
paper or noise spreads the colours."""
MOSTLY, SIDES = 0.95, 3
"""Share of a side of the frame that must fit, and how many sides: a subject may stand on the fourth."""
BAND, ORDERS = 3, (1, 1, 1, 3, 3, 3, 6, 6, 6, 6, 6, 6)
"""Pixels at each side that count as frame; terms in each round of the robust fit: constant, plane, quadratic. Bent from
the start, it would bend to a subject in a corner."""
CRISP = 2.0
"""Change of colour between neighbours, and difference from the ground, that make a drawn edge; 1 is still alike."""
FILLED = 0.55
"""Mean likelihood from which an enclosed place is subject. On tuning pictures white faces had .9 and more, and what is
seen through pretzels and handles had .1 to .7; but a face that is lost costs more than a handle that is filled."""
DOUBTED = 0.8
"""Likelihood below which what a shadow explains is one: soft, and all channels darker by the same factor."""
PANES, DRAWN = 4, 0.4
"""An outline drawing is filled everywhere: it encloses so many places, and so large a share of it has the ground's
colour."""
GAP = 2
"""A flood enters no gap that a square of 2 GAP + 1 pixels does not fit through: drawn outlines have some."""
FEW = 8
"""As many things may have been overlooked; more are stars or confetti."""
EXPLAINED = 0.98
"""Share of what the segmenter takes for ground that must be ground or outlined: a shadow is neither."""
SPECK, PINHOLE = 0.004, 1e-4
"""Parts below this share of the largest, and enclosed places below this share of the picture, are none."""
MOST_OPEN = 0.75
"""Largest enclosed place, as a share of what the flood did not reach: an outline drawing is filled with the ground's
colour."""

_BOX = np.ones((3, 3), bool)


class PlainGround:
    """A picture (H, W, 3) on a plain ground.

    off: (H, W, 3), what each pixel has more than the ground, in units of the difference that counts as one, which is
    `unit`. away: (H, W), its largest channel. like: (H, W) bool, has the ground's colour.
    """

    def __init__(self, image: np.ndarray, off: np.ndarray, unit: float) -> None:
        self.image, self.off, self.unit = image, off, unit
        self.away = np.abs(off).max(2)
        self.like = self.away < 1

    def darkened(self) -> np.ndarray:
        """Which pixels (H, W) show the ground's colour, darker: all channels by the same factor."""
        colours = self.image - self.off * self.unit
        shade = (self.image * colours).sum(2) / np.maximum((colours**2).sum(2), 1e-6)
        return (np.abs(self.image - shade[..., None] * colours).max(2) < self.unit / 2) & (shade < 1)

    def soft(self) -> np.ndarray:
        """Which pixels (H, W) differ little from each of their four neighbours: no drawn edge is there."""
        padded = np.pad(self.image, ((1, 1), (1, 1), (0, 0)), mode="edge")
        ways = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
        return np.max([np.abs(self.image - way).max(2) for way in ways], 0) < CRISP * self.unit


def plain_ground(image: np.ndarray, sides_needed: int = SIDES) -> PlainGround | None:
    """The plain ground of an image (H, W, 3), or None if fewer than `sides_needed` sides of its frame show one.

    Each channel is a quadratic function of place, fitted to the frame by iterated least squares that come to ignore
    what does not fit (least absolute differences at first, Tukey's weights then).
    """
    height, width = image.shape[:2]
    if min(height, width) <= 2 * BAND:
        return None
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 2)
    sides = [np.s_[:BAND], np.s_[-BAND:], np.s_[:, :BAND], np.s_[:, -BAND:]]
    known, seen = (np.concatenate([a[side].reshape(-1, a.shape[2]) for side in sides]) for a in (terms, image))
    field, off, unit, weight = np.zeros((6, 3)), np.zeros(0), ALIKE[0], np.ones(len(known))
    for n, order in enumerate(ORDERS):
        weighted = known[:, :order] * weight[:, None]
        field[:order] = np.linalg.solve(weighted.T @ known[:, :order] + 1e-6 * np.eye(order), weighted.T @ seen)
        off = np.abs(seen - known @ field).max(1)
        unit = float(np.clip(4 * np.median(off), *ALIKE))
        bent = n >= len(ORDERS) // 2
        weight = (1 - (off / unit) ** 2).clip(1e-4) ** 2 if bent else 1 / np.maximum(off, unit / 3)
    lengths = np.cumsum([image[side].shape[0] * image[side].shape[1] for side in sides])[:-1]
    fits = [(part < unit).mean() for part in np.split(off, lengths)]
    if sum(share >= MOSTLY for share in fits) < sides_needed:
        return None
    return PlainGround(image, ((image - terms @ field) / unit).astype(np.float32), unit)


def flood_mask(ground: PlainGround) -> np.ndarray:
    """Foreground (H, W) bool of a picture: what a flood from the frame does not reach, but for enclosed places such as
    the inside of a handle. All False if nothing differs from the ground."""
    front = ~ndimage.binary_propagation(_frame(ground.like), mask=ground.like)
    soft = front & ~ndimage.binary_erosion(front, _BOX, border_value=1)
    front &= ~(soft & (ground.away < ndimage.maximum_filter(ground.away, 5) / 2))  # more ground than subject
    front &= ~enclosed(ground.like, front)
    labels, count = ndimage.label(front, _BOX)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= max(4, SPECK * sizes.max()))[labels] if count else front


def proven(ground: PlainGround, likely: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The segmenter's judgement `likely` (H, W), corrected by what a picture's plain ground proves.

    What stands out from it behind a crisp edge, or is brighter, is subject, also where the segmenter overlooked it.
    What is a shadow, and not surely subject, is ground. A place of its colour that an outline encloses, small gaps
    apart, is subject or ground as a whole, as the segmenter sees it on average. The second result is the same with such
    a place at that average: how sure all of it is.
    """
    seeds, soft = _frame(ground.like & (likely < 0.5)), ground.soft()
    judged, sure = _places_judged(ground, likely, seeds)
    shadow = _flooded(seeds, ground.like | soft & ground.darkened()) & (judged < DOUBTED)
    outlined = ~ndimage.binary_propagation(seeds, mask=ground.like | soft) & (ground.away > CRISP)
    outlined |= ground.off.max(2) > CRISP  # a shadow only darkens
    new = _overlooked(outlined, likely, ground.like)
    judged, sure = (np.where(new, 1, np.where(shadow, 0, of)).astype(np.float32) for of in (judged, sure))
    return judged, sure


def _places_judged(ground: PlainGround, likely: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`likely` with each enclosed place of the ground's colour as the subject or none, and at its average."""
    reached = _flooded(seeds, ground.like)
    labels, count = ndimage.label(ground.like & ~reached)
    sizes = np.bincount(labels.ravel())
    places = sizes >= PINHOLE * labels.size
    places[0] = False
    average = ndimage.mean(likely, labels, np.arange(count + 1))
    subject = average > FILLED
    if places.sum() >= PANES and sizes[places].sum() > DRAWN * (~reached).sum():
        subject[:] = True
    one, two = (np.where(places[labels], of[labels], likely) for of in (subject, average))
    return one, two


def _overlooked(outlined: np.ndarray, likely: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Which pixels (H, W) of what is `outlined` the segmenter took for ground, if that was a mistake."""
    guessed = likely < 0.1
    if not guessed.any() or (like | outlined)[guessed].mean() < EXPLAINED:
        return np.zeros(like.shape, bool)
    new = outlined & (likely < 0.5)
    new = ndimage.binary_propagation(ndimage.binary_opening(new, _BOX), mask=new)  # lines along an edge are no things
    return new & (ndimage.label(new, _BOX)[1] <= FEW)


def enclosed(like: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Places (H, W) bool of the ground's colours, `like`, within `subject`, which touch nothing but it."""
    labels, _ = ndimage.label(like & subject)
    sizes = np.bincount(labels.ravel())
    chosen = (sizes >= max(6, PINHOLE * like.size)) & (sizes <= MOST_OPEN * subject.sum())
    chosen[0] = False
    chosen[np.unique(labels[ndimage.binary_dilation(~subject, _BOX)])] = False
    places = chosen[labels]
    return ndimage.binary_dilation(places, _BOX) & ~ndimage.binary_erosion(~like, _BOX) & subject | places


def _flooded(seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What a ball that starts at `seeds` (H, W) and stays within `mask` covers (trapped-ball segmentation)."""
    room = ndimage.binary_erosion(mask, _BOX, iterations=GAP, border_value=1)
    reached = ndimage.binary_propagation(seeds & room, mask=room)
    return ndimage.binary_dilation(reached, _BOX, iterations=GAP + 1, mask=mask)


def _frame(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask (H, W) that lie on the frame."""
    inner = np.zeros(mask.shape, bool)
    inner[1:-1, 1:-1] = True
    return mask & ~inner
