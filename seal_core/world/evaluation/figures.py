"""Figures of an evaluation: bars with intervals, sample sheets, heat maps, trade-off curves. Pillow alone (ours).

Shapes are drawn at three times the size and scaled down for smooth edges; text is drawn at its own size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ...files.whole_file import write_output
from ...pictures.png import png_bytes
from ...plots.attention_overlay import heat_colours
from ...plots.look import CARD, CURVE, FINE, GRID, INK, MARK, MUTED, PAPER, typeface
from ...plots.loss_chart import Colour
from ..renderer.characters import character
from ..renderer.render import render
from .character_plan import plan_character
from .compared_methods import GRID_SITES, GRID_TIMES, Method, grid_name, method
from .metrics import LOWER_IS_BETTER, Trials

BARS = ("identity", "controllability", "leakage", "rigidity")
Strip = Callable[[Method, int], Path]
"""(method, seed) -> the PNG of that trial's samples side by side; it need not exist."""
SHEETS = 3
"""Characters that get a sheet of samples."""
_COLOURS = {"best": CURVE, "paper": MARK, "textual_inversion": (96, 165, 250), "hiper": (94, 196, 160)}
TEXT = 15


def colour_of(name: str) -> Colour:
    return _COLOURS.get(name.removeprefix("curve-").split("~")[0], (120, 124, 148))


class Sheet:
    """A drawing in final pixels: shapes are drawn large and scaled down, text is drawn at its own size."""

    def __init__(self, width: float, height: float) -> None:
        self.size = (round(width), round(height))
        self._large = Image.new("RGB", (self.size[0] * FINE, self.size[1] * FINE), PAPER)
        self._draw = ImageDraw.Draw(self._large)
        self._texts: list[tuple[tuple[float, float], str, Colour, int, str]] = []
        self._pictures: list[tuple[tuple[int, int], Image.Image]] = []

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour, radius: float = 0) -> None:
        if x1 > x0 and y1 > y0:
            self._draw.rounded_rectangle([v * FINE for v in (x0, y0, x1, y1)], radius * FINE, fill=fill)

    def line(self, points: Sequence[tuple[float, float]], fill: Colour, width: float = 1) -> None:
        self._draw.line([(x * FINE, y * FINE) for x, y in points], fill=fill, width=round(width * FINE), joint="curve")

    def dot(self, x: float, y: float, radius: float, fill: Colour) -> None:
        self._draw.ellipse([(v + d * radius) * FINE for d in (-1, 1) for v in (x, y)], fill=fill)

    def text(self, x: float, y: float, text: str, fill: Colour = INK, size: int = TEXT, anchor: str = "lm") -> None:
        self._texts.append(((x, y), text, fill, size, anchor))

    def picture(self, x: float, y: float, picture: Image.Image) -> None:
        self._pictures.append(((round(x), round(y)), picture))

    def done(self) -> Image.Image:
        image = self._large.resize(self.size, Image.Resampling.LANCZOS)
        for at, picture in self._pictures:
            image.paste(picture, at)
        draw = ImageDraw.Draw(image)
        for at, text, fill, size, anchor in self._texts:
            draw.text(at, text, fill=fill, font=typeface(size), anchor=anchor)
        return image


def text_width(texts: Sequence[str], size: int = TEXT) -> float:
    return max((typeface(size).getlength(t) for t in texts), default=0.0)


def bars(rows: Sequence[tuple[str, str, Mapping[str, Any]]], metrics: Sequence[str] = BARS) -> Image.Image:
    """One panel per metric, one bar per row (name, label, metric -> interval), with 95 % intervals."""
    left, panel, high = text_width([label for _, label, _ in rows]) + 48, 230, 30
    sheet = Sheet(left + len(metrics) * (panel + 28) + 10, 84 + high * len(rows))
    for k, metric in enumerate(metrics):
        found = [r[metric] for _, _, r in rows if metric in r]
        low, top = min([0.0, *(v["lo"] for v in found)]), max([1e-6, *(v["hi"] for v in found)])
        x0, x1 = left + k * (panel + 28), left + k * (panel + 28) + panel - 52

        def x(value: float, x0: float = x0, x1: float = x1, low: float = low, top: float = top) -> float:
            return x0 + (value - low) / (top - low) * (x1 - x0)

        sheet.box(x0 - 12, 14, x0 + panel, sheet.size[1] - 12, CARD, 8)
        sheet.text(x0, 32, metric)
        sheet.text(x0, 51, "less is better" if metric in LOWER_IS_BETTER else "more is better", MUTED, 12)
        sheet.line([(x(0), 64), (x(0), sheet.size[1] - 20)], GRID)
        for i, (name, _, row) in enumerate(rows):
            y = 64 + high * (i + 0.5)
            if metric not in row:
                continue
            value = row[metric]
            ends = sorted((x(0), x(value["mean"])))
            sheet.box(ends[0], y - 8, max(ends[1], ends[0] + 1), y + 8, colour_of(name), 2)
            sheet.line([(x(value["lo"]), y), (x(value["hi"]), y)], INK, 1.3)
            for end in ("lo", "hi"):
                sheet.line([(x(value[end]), y - 4), (x(value[end]), y + 4)], INK, 1.3)
            sheet.text(x0 + panel - 10, y, f"{value['mean']:.2f}", INK, 13, "rm")
    for i, (_, label, _) in enumerate(rows):
        sheet.text(left - 26, 64 + high * (i + 0.5), label, INK, TEXT, "rm")
    return sheet.done()


def heat(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    note: str = "",
    ends: tuple[float, float] | None = None,
) -> Image.Image:
    """(rows, columns) values as colours; NaN = empty. ends: of the scale; None = the values' range."""
    left, cell_w, cell_h = text_width(rows) + 36, max(78, text_width(columns, 13) + 14), 34
    width = left + cell_w * len(columns) + 24
    sheet = Sheet(max(width, text_width([title], 16) + 40, text_width([note], 12) + 40), 96 + cell_h * len(rows))
    sheet.text(20, 26, title, INK, 16)
    sheet.text(20, 48, note, MUTED, 12)
    known = values[np.isfinite(values)]
    low, high = ends or ((float(known.min()), float(known.max())) if known.size else (0.0, 1.0))
    for j, column in enumerate(columns):
        sheet.text(left + cell_w * (j + 0.5), 74, column, MUTED, 13, "mm")
    for i, row in enumerate(rows):
        y = 88 + cell_h * i
        sheet.text(left - 14, y + cell_h / 2, row, INK, TEXT, "rm")
        for j in range(len(columns)):
            value = values[i, j]
            x = left + cell_w * j
            if not np.isfinite(value):
                sheet.box(x + 2, y + 2, x + cell_w - 2, y + cell_h - 2, CARD, 4)
                continue
            share = 0.1 + 0.85 * (value - low) / max(high - low, 1e-6)
            tone = tuple(round(255 * c) for c in heat_colours()[round(255 * share)])
            sheet.box(x + 2, y + 2, x + cell_w - 2, y + cell_h - 2, tone, 4)
            ink = (20, 20, 26) if share > 0.62 else INK
            sheet.text(x + cell_w / 2, y + cell_h / 2, f"{value:.2f}", ink, 13, "mm")
    return sheet.done()


def curves(found: Mapping[str, Sequence[Mapping[str, Any]]], ends: Mapping[str, Mapping[str, Any]]) -> Image.Image:
    """Identity plotted against controllability and leakage over the steps; base model and oracle are single dots."""
    side, sheet = 420, Sheet(1010, 540)
    for k, metric in enumerate(("controllability", "leakage")):
        points = [p for line in found.values() for p in line] + list(ends.values())
        box = (78 + k * 490, 60, 78 + k * 490 + side - 30, 60 + side - 20)
        spans = [_span([p[m]["mean"] for p in points]) for m in (metric, "identity")]

        def at(point: Mapping[str, Any], box=box, spans=spans, metric=metric) -> tuple[float, float]:
            across, up = ((point[m]["mean"] - s[0]) / (s[1] - s[0]) for m, s in zip((metric, "identity"), spans))
            return box[0] + across * (box[2] - box[0]), box[3] - up * (box[3] - box[1])

        sheet.box(box[0] - 64, 14, box[2] + 22, box[3] + 46, CARD, 8)
        sheet.text(box[0], 36, f"identity against {metric}", INK)
        better = "left" if metric in LOWER_IS_BETTER else "right"
        sheet.text(box[2], 37, f"better: up and {better}", MUTED, 12, "rm")
        for share in (0, 0.25, 0.5, 0.75, 1):
            x, y = box[0] + share * (box[2] - box[0]), box[3] - share * (box[3] - box[1])
            sheet.line([(box[0], y), (box[2], y)], GRID)
            sheet.text(box[0] - 8, y, f"{spans[1][0] + share * (spans[1][1] - spans[1][0]):.2f}", MUTED, 12, "rm")
            sheet.text(x, box[3] + 14, f"{spans[0][0] + share * (spans[0][1] - spans[0][0]):.2f}", MUTED, 12, "mm")
        sheet.text((box[0] + box[2]) / 2, box[3] + 33, metric, MUTED, 13, "mm")
        for name, point in ends.items():
            sheet.dot(*at(point), 5, MUTED)
            sheet.text(at(point)[0] - 9, at(point)[1], name, MUTED, 12, "rm")
        for name, line in found.items():
            sheet.line([at(p) for p in line], colour_of(name), 2.2)
            for i, point in enumerate(line):
                sheet.dot(*at(point), 5 if i == len(line) - 1 else 3.2, colour_of(name))
                if i in (0, len(line) - 1):
                    sheet.text(at(point)[0] + 7, at(point)[1] + 9, str(point["steps"]), colour_of(name), 12)
    x = 30.0
    for name in found:
        label = method(name.removeprefix("curve-")).label
        sheet.dot(x, 522, 5, colour_of(name))
        sheet.text(x + 12, 522, label, INK, 14)
        x += text_width([label], 14) + 48
    return sheet.done()


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.05
    return low - room, high + room


def sample_sheet(
    reference: Image.Image, strips: Sequence[tuple[str, Image.Image]], prompts: Sequence[Mapping[str, Any]], title: str
) -> Image.Image:
    """One sample for each prompt (columns) and method (rows), the reference in the top left corner."""
    side, gap, left = strips[0][1].height, 6, max(text_width([label for label, _ in strips]) + 30, 150)
    sheet = Sheet(left + (side + gap) * len(prompts) + 14, 108 + (side + gap) * len(strips))
    mark = reference.resize((84, 84), Image.Resampling.LANCZOS)
    sheet.picture(14, 12, mark)
    sheet.text(108, 24, title, INK, 16)
    for j, prompt in enumerate(prompts):
        x = left + (side + gap) * j + side / 2
        words = prompt["values"].get(prompt["vary"]) or ", ".join(prompt["values"].values())
        sheet.text(x, 72, f"{prompt['kind']}: {prompt['vary']}".rstrip(": "), MUTED, 12, "mm")
        sheet.text(x, 90, words if text_width([words], 13) < side + 4 else words[:16] + "…", INK, 13, "mm")
    for i, (label, strip) in enumerate(strips):
        y = 104 + (side + gap) * i
        sheet.text(left - 14, y + side / 2, label, INK, TEXT, "rm")
        for j in range(len(prompts)):
            sheet.picture(left + (side + gap) * j, y, strip.crop((j * side, 0, (j + 1) * side, side)))
    return sheet.done()


def write_figures(
    out: Path,
    seeds: Sequence[int],
    methods: Sequence[Method],
    trials: Trials,
    numbers: Mapping[str, Mapping[str, Any]],
    details: Mapping[str, Any],
    strip_of: Strip,
) -> list[str]:
    """Write all figures that the results allow into out/figures. Returns their paths relative to `out`."""
    pictures: dict[str, Image.Image] = {}
    compared = [m for m in methods if m.name in numbers and not m.name.startswith("grid-")]
    pictures["bars"] = bars([(m.name, m.label, numbers[m.name]) for m in compared])
    for seed in seeds[:SHEETS]:
        sticker = render(character(seed), plan_character(seed).reference, seed=seed)
        strips = []
        for m in compared:
            file = strip_of(m, seed)
            if file.exists():
                with Image.open(file, formats=("PNG",)) as strip:
                    strips.append((m.label, strip.convert("RGB")))
        prompts = trials["base"][seed]["prompts"]
        if strips:
            title = f"reference: {sticker.attributes['appearance']}; {', '.join(sticker.scene.asdict().values())}"
            pictures[f"samples-{seed}"] = sample_sheet(Image.fromarray(sticker.image), strips, prompts, title)
    pictures |= _attention_maps(methods, details["attention"])
    pictures |= _grids(numbers)
    if details["curves"]:
        ends = {name: numbers[name] for name in ("base", "oracle")}
        pictures["curves"] = curves(details["curves"], ends)
    for name, picture in pictures.items():
        write_output(out / "figures" / f"{name}.png", png_bytes(picture))
    return [f"figures/{name}.png" for name in pictures]


def _attention_maps(methods: Sequence[Method], found: Mapping[str, Any]) -> dict[str, Image.Image]:
    """Share of the token's attention outside the subject, site by time."""
    pictures = {}
    for m in methods:
        if m.name in found and m.name in ("base", *_COLOURS):
            sites, times = found[m.name]["sites"], found[m.name]["times"]
            title = f"{m.label}: share of the token's attention outside the subject"
            columns, values = [f"{t:.0%}" for t in times], np.array(list(sites.values()))
            note = "rows: where the token enters; columns: part of the sampling done"
            pictures[f"attention-{m.name}"] = heat(title, list(sites), columns, values, note, (0, 1))
    return pictures


def _grids(numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Image.Image]:
    """Layers x time-gating, one heat map for each metric."""
    columns = [f"{start:.0%} to {end:.0%}" for start, end in GRID_TIMES]
    pictures = {}
    for metric in BARS:
        cells = [
            [numbers.get(grid_name(s, *t), {}).get(metric, {}).get("mean", np.nan) for t in GRID_TIMES]
            for s in GRID_SITES
        ]
        values = np.array(cells, float)
        if np.isfinite(values).any():
            note = "Textual Inversion with the token only in these sites, only in this part of the sampling"
            pictures[f"grid-{metric}"] = heat(metric, GRID_SITES, columns, values, note)
    return pictures
