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


def off_ground(image: np.ndarray, sides_needed: int = SIDES) -> tuple[np.ndarray, float] | None:
    """What each pixel has more than a plain ground, (H, W, 3) float32, and the difference that counts as one; None if
    the frame shows no plain ground. Within 1 a pixel has the ground's colour.

    image: (H, W, 3). Each channel is a quadratic function of place, fitted to the frame by iterated least squares that
    come to ignore what does not fit (least absolute differences at first, Tukey's weights then).
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
    return ((image - terms @ field) / unit).astype(np.float32), unit


def flood_mask(image: np.ndarray, sides_needed: int = SIDES) -> np.ndarray | None:
    """Foreground (H, W) bool of an image (H, W, 3) on a plain ground: what a flood from the frame does not reach, but
    for enclosed places such as the inside of a handle. All False if nothing differs from the ground; None if there is
    no plain ground. sides_needed: at so many sides of the frame it must show; 2 allow a subject in a corner."""
    found = off_ground(image, sides_needed)
    if found is None:
        return None
    away = np.abs(found[0]).max(2)
    like = away < 1
    front = ~ndimage.binary_propagation(_frame(like), mask=like)
    soft = front & ~ndimage.binary_erosion(front, _BOX, border_value=1)
    front &= ~(soft & (away < ndimage.maximum_filter(away, 5) / 2))  # more ground than subject
    front &= ~enclosed(like, front)
    labels, count = ndimage.label(front, _BOX)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= max(4, SPECK * sizes.max()))[labels] if count else front


def proven(image: np.ndarray, likely: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The segmenter's judgement `likely` (H, W) of an image (H, W, 3), corrected by what a plain ground proves.

    What stands out from it behind a crisp edge, or is brighter, is subject, also where the segmenter overlooked it.
    What is a shadow, and not surely subject, is ground. A place of its colour that an outline encloses is subject or
    ground as a whole, as the segmenter sees it on average. The second result is the same with such a place at that
    average: how sure all of it is.
    """
    found = off_ground(image)
    if found is None:
        return likely, likely
    off, unit = found
    away = np.abs(off).max(2)
    like = away < 1
    seeds = _frame(like & (likely < 0.5))
    reached = ndimage.binary_propagation(seeds, mask=like)
    labels, count = ndimage.label(like & ~reached)
    sizes = np.bincount(labels.ravel())
    places = sizes >= PINHOLE * labels.size
    places[0] = False
    average = ndimage.mean(likely, labels, np.arange(count + 1))
    subject = average > FILLED
    if places.sum() >= PANES and sizes[places].sum() > DRAWN * (~reached).sum():
        subject[:] = True
    judged, sure = (np.where(places[labels], of[labels], likely).astype(np.float32) for of in (subject, average))
    soft = _steepest(image) < CRISP * unit
    shadow = ndimage.binary_propagation(seeds, mask=like | soft & _darkened(image, off, unit)) & (judged < DOUBTED)
    judged, sure = (np.where(shadow, np.float32(0), of) for of in (judged, sure))
    outlined = ~ndimage.binary_propagation(seeds, mask=like | soft) & (away > CRISP)
    outlined |= off.max(2) > CRISP  # a shadow only darkens
    guessed = likely < 0.1
    if not guessed.any() or (like | outlined)[guessed].mean() < EXPLAINED:
        return judged, sure
    new = outlined & (likely < 0.5)
    new = ndimage.binary_propagation(ndimage.binary_opening(new, _BOX), mask=new)  # lines along an edge are no things
    if ndimage.label(new, _BOX)[1] > FEW:
        return judged, sure
    return np.where(new, np.float32(1), judged), np.where(new, np.float32(1), sure)


def enclosed(like: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Places (H, W) bool of the ground's colours, `like`, within `subject`, which touch nothing but it."""
    labels, _ = ndimage.label(like & subject)
    sizes = np.bincount(labels.ravel())
    chosen = (sizes >= max(6, PINHOLE * like.size)) & (sizes <= MOST_OPEN * subject.sum())
    chosen[0] = False
    chosen[np.unique(labels[ndimage.binary_dilation(~subject, _BOX)])] = False
    places = chosen[labels]
    return ndimage.binary_dilation(places, _BOX) & ~ndimage.binary_erosion(~like, _BOX) & subject | places


def _frame(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask (H, W) that lie on the frame."""
    inner = np.zeros(mask.shape, bool)
    inner[1:-1, 1:-1] = True
    return mask & ~inner


def _darkened(image: np.ndarray, off: np.ndarray, unit: float) -> np.ndarray:
    """Which pixels (H, W) show the ground's colour, darker: all channels by the same factor."""
    field = image - off * unit
    shade = (image * field).sum(2) / np.maximum((field**2).sum(2), 1e-6)
    return (np.abs(image - shade[..., None] * field).max(2) < unit / 2) & (shade < 1)


def _steepest(image: np.ndarray) -> np.ndarray:
    """The largest change of a channel (H, W) towards any of four neighbours."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    ways = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    return np.max([np.abs(image - way).max(2) for way in ways], 0)
