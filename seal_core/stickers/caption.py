"""A caption on a sticker, with fill and stroke, as large as fits in the best number of lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..callbacks import OnProgress, reporting
from ..messages import SealError
from .border import Border, outline_layer
from .font import Font, composed, font_runs, invisible, width_in_ems
from .font_chain import SpareFonts, font_chain, lacking_message, no_spare_fonts
from .layers import layers_of, over, padded, parse_colour

PLACES = ("bottom", "top", "middle", "below", "above")
"""On the picture (the first three), or on new canvas below or above it."""
ALIGNS = ("centre", "left", "right")
SMALLEST = 8.0
"""Pixels of the em below which text is unreadable."""
LONGEST = 400
_LINE = 1.12  # distance between baselines, in ems
_ASCENT, _DESCENT = 0.82, 0.24  # room above and below a line's baseline, in ems


@dataclass(frozen=True)
class Caption:
    """How a caption looks. size: largest height of a line, in percent of the picture's height; it shrinks to fit.
    width, height: percent of the picture that the text may take. stroke: percent of the text's own size."""

    text: str
    place: str = "bottom"
    size: float = 16.0
    width: float = 92.0
    height: float = 40.0
    fill: str = "#ffffff"
    stroke: float = 12.0
    stroke_colour: str = "#202028"
    align: str = "centre"

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise SealError(f"place: {self.place!r} is not known; choose one of {', '.join(PLACES)}.")
        if self.align not in ALIGNS:
            raise SealError(f"align: {self.align!r} is not known; choose one of {', '.join(ALIGNS)}.")
        for name, low, high in (("size", 1, 100), ("width", 5, 100), ("height", 2, 100), ("stroke", 0, 50)):
            if not low <= getattr(self, name) <= high:
                raise SealError(f"{name}: {getattr(self, name):g} is out of range; use {low} to {high} percent.")
        if len(self.text) > LONGEST:
            raise SealError(f"text: {len(self.text)} characters; use at most {LONGEST}.")
        parse_colour(self.fill, "fill")
        parse_colour(self.stroke_colour, "stroke_colour")


def add_caption(
    image: Tensor,
    mask: Tensor | None,
    caption: Caption,
    fonts: Sequence[str | Path] = (),
    progress: OnProgress | None = None,
    spare: SpareFonts = no_spare_fonts,
) -> tuple[Tensor, Tensor]:
    """Stickers (B, H', W', 4), straight alpha, with the caption on them, and their masks (B, H', W').

    image: its alpha times `mask` is kept (`layers.layers_of`). fonts: files; spare: where to look for characters that
    these and the bundled font lack. Each character comes from the first font that has it (`font_chain.font_chain`);
    emoji prefer emoji fonts, digits prefer text fonts. Text without visible characters changes nothing. progress:
    called as (done, all) for each picture.
    Raises SealError for characters that no font has (it names them and a font to install), for text that is unreadably
    small where it fits, for text invisible in its colours, and for unreadable fonts.
    """
    layers = layers_of(image, mask)
    if not all(map(invisible, caption.text)):
        height, width = layers.shape[1:3]
        block = caption_layer(caption, width, height, fonts, spare)
        layers = np.stack([_joined(layer, block, caption) for layer in reporting(layers, progress)])
    out = torch.from_numpy(layers)
    return out, out[..., 3].clone()


def caption_layer(
    caption: Caption,
    width: int,
    height: int,
    fonts: Sequence[str | Path] = (),
    spare: SpareFonts = no_spare_fonts,
) -> np.ndarray:
    """The caption alone as a layer (h, w, 4), as large as a picture of this size allows. Else as `add_caption`."""
    text = composed(caption.text)
    chain = font_chain(text, fonts, spare)
    if lacking := lacking_message(text, chain, spare):
        raise SealError(f"text: {lacking}; or write other words.")
    stroke = caption.stroke / 100
    room = width * caption.width / 100, height * caption.height / 100
    lines, size = _best_lines(text, chain, room, height * caption.size / 100, stroke)
    if size < SMALLEST:
        raise SealError(
            f"text: fits {room[0]:.0f} x {room[1]:.0f} pixels only {size:.1f} pixels high, too small to read; "
            "write less, allow more width or height, or enlarge the picture."
        )
    return _drawn(lines, chain, size, caption)


def _pieces(paragraph: str) -> list[str]:
    """The pieces between which a line may break: words with the space before them, and single CJK characters."""
    wide = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
    # Closing marks and small kana never begin a line.
    stay = "、。，．！？：；」』）】ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
    return re.findall(rf"\s*(?:[{wide}][{stay}]*|[^\s{wide}]+[{stay}]*)", paragraph)


def _wrapped(paragraphs: Sequence[Sequence[tuple[str, float]]], limit: float) -> list[str]:
    """Lines of at most `limit` ems, each filled before the next."""
    lines = []
    for pieces in paragraphs:
        line, filled = "", 0.0
        for piece, wide in pieces:
            if line and filled + wide > limit + 1e-6:
                lines.append(line.strip())
                line, filled = "", 0.0
            line, filled = line + piece, filled + wide
        lines.append(line.strip())
    return lines


def _best_lines(
    text: str, chain: Sequence[Font], room: tuple[float, float], largest: float, stroke: float
) -> tuple[list[str], float]:
    """The lines, broken so that the text can be largest, and its em in pixels."""
    paragraphs = [[(p, width_in_ems(p, chain)) for p in _pieces(line)] for line in text.strip("\r\n").splitlines()]
    total = max(sum(w for _, w in p) for p in paragraphs)
    widest = max((w for p in paragraphs for _, w in p), default=0.0)
    found: dict[tuple[str, ...], tuple[float, float]] = {}
    for limit in np.linspace(total, widest, 48):
        lines = _wrapped(paragraphs, float(limit))
        lengths = np.array([width_in_ems(line, chain) for line in lines])
        wide = max(float(lengths.max()), 0.01) + 2 * stroke  # a lone combining mark has no width
        high = (len(lines) - 1) * _LINE + _ASCENT + _DESCENT + 2 * stroke
        size = min(room[0] / wide, room[1] / high, largest / (_ASCENT + _DESCENT))
        found[tuple(lines)] = (size, float((lengths.max() - lengths).sum()))
    best = max(size for size, _ in found.values())
    # Among breaks that are nearly as large, prefer few lines, then evenly filled ones.
    chosen = min((k for k, v in found.items() if v[0] > 0.95 * best), key=lambda k: (len(k), found[k][1]))
    return list(chosen), found[chosen][0]


def _drawn(lines: Sequence[str], chain: Sequence[Font], size: float, caption: Caption) -> np.ndarray:
    """The lines with their stroke as a layer, cropped to what they cover."""
    (rgb, strength), edge = parse_colour(caption.fill, "fill"), caption.stroke / 100 * size
    own = tuple(round(float(v) * 255) for v in rgb)
    lengths = [width_in_ems(line, chain) * size for line in lines]
    pad = int(np.ceil(edge + size * 0.6)) + 2  # accents and swashes reach beyond their line
    width = int(np.ceil(max(lengths))) + 2 * pad
    height = int(np.ceil(((len(lines) - 1) * _LINE + _ASCENT + _DESCENT) * size)) + 2 * pad
    canvas = np.zeros((height, width, 4), np.float32)
    canvas[..., :3] = rgb
    for i, (line, long) in enumerate(zip(lines, lengths)):
        slack = {"left": 0.0, "centre": 0.5, "right": 1.0}[caption.align]
        pen = pad + (max(lengths) - long) * slack
        base = pad + (_ASCENT + i * _LINE) * size
        for font, run in font_runs(line, chain):
            layer, left, top = font.draw(run, size, (own[0], own[1], own[2]))
            _lay(canvas, layer, round(pen + left), round(base + top))
            pen += font.advance(run) * size
    if not canvas[..., 3].any():
        raise SealError("text: its characters are blank in these fonts; write others, or leave it empty.")
    if edge:
        line = Border(width=edge, colour=caption.stroke_colour, smooth=edge / 2)
        canvas = _stroked(canvas, strength, outline_layer(canvas[..., 3], line))
    else:
        canvas[..., 3] *= strength
    seen = canvas[..., 3] > 0.004
    if not seen.any():
        raise SealError("fill, stroke_colour: the text cannot be seen; give one of them more opacity (and a stroke).")
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stroked(letters: np.ndarray, strength: float, line: np.ndarray) -> np.ndarray:
    """Letters with this opacity and their line around them, not under them: the picture shows through a fill that is
    partly transparent, and letters without a fill are hollow."""
    cover = letters[..., 3:]
    fill, around = cover * strength, line[..., 3:] * (1 - cover)
    alpha = fill + around
    rgb = (letters[..., :3] * fill + line[..., :3] * around) / np.maximum(alpha, 1e-6)
    return np.concatenate([rgb, alpha], -1).astype(np.float32)


def _lay(canvas: np.ndarray, layer: np.ndarray, x: int, y: int) -> None:
    """Composites a layer onto a canvas in place; what lies outside is cut off."""
    height, width = canvas.shape[:2]
    top, left = max(0, y), max(0, x)
    bottom, right = min(height, y + layer.shape[0]), min(width, x + layer.shape[1])
    if top < bottom and left < right:
        part = layer[top - y : bottom - y, left - x : right - x]
        canvas[top:bottom, left:right] = over(part, canvas[top:bottom, left:right])


def _joined(layer: np.ndarray, block: np.ndarray, caption: Caption) -> np.ndarray:
    """A picture with the caption in its place. The canvas grows for "below" and "above"."""
    height, width = layer.shape[:2]
    margin = max(1, round(min(height, width) * 0.02))
    if caption.place in ("below", "above"):
        more = block.shape[0] + 2 * margin
        down = caption.place == "below"
        layer = padded(layer, 0, 0 if down else more, 0, more if down else 0)
        y = height + margin if down else margin
    else:
        slack = height - block.shape[0]
        y = {"bottom": slack - margin, "top": margin, "middle": slack // 2}[caption.place]
    slack = width - block.shape[1]
    x = {"left": min(margin, slack), "centre": slack // 2, "right": max(0, slack - margin)}[caption.align]
    out = layer.copy()
    _lay(out, block, max(0, x), min(max(0, y), out.shape[0] - block.shape[0]))
    return out
