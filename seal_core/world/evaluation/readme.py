"""`python -m seal_core.world readme`: writes the README's table and contact sheet from real results (ours).

The table comes from an evaluation's folder, the sheet from a run of `python -m seal_core.world demo`. Neither is edited
by hand.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ...files.whole_file import write_output
from ...messages import SealError
from ..commands import main
from .compared_methods import COMPONENTS, SEAL, method
from .evaluation_report import markdown_table, told
from .method_groups import LONG_TI, MAIN, PARTS
from .metrics import VERIFIED

ROOT = Path(__file__).parents[3]
SHEET = "docs/contact_sheet.jpg"
START, END = "<!-- stickerworld: made by `python -m seal_core.world readme` -->", "<!-- /stickerworld -->"
COLUMNS = {
    "identity": "identity",
    "controllability": "does what the prompt says",
    "both": "does it and is the character",
    "leakage": "leaks the background",
    "rigidity": "keeps the pose",
    "quality": "picture quality",
}
"""Metric -> its words in the README. No seconds: trials of several days and machines share the table."""
PARTED = ("identity", "controllability", "leakage", "rigidity")
"""Metrics by which parts are told."""
NEEDED = tuple(name for name in MAIN if name != LONG_TI)
QUALITY = 88


def readme_table(results: Mapping[str, Any]) -> str:
    """Markdown table of the headline figures of results.json, with what was run above and how to read it below.

    Raises SealError if a method that the README compares is missing.
    """
    numbers, config = results["methods"], results["config"]
    missing = [name for name in NEEDED if name not in numbers]
    if missing:
        raise SealError(f"results: no figures of {', '.join(missing)}; run `python -m seal_core.world eval` first.")
    rows = [
        [method(name).label, *(told(numbers[name].get(metric)) for metric in COLUMNS)]
        for name in MAIN
        if name in numbers
    ]
    head = (
        f"{len(config['characters'])} unseen characters ({config['split']} split), one sticker each, "
        f"{config['prompts']} prompts x {config['samples']} samples, the included tiny model; mean [95 % interval]:\n\n"
    )
    foot = (
        "\nIdentity is the similarity to the same character drawn in the context asked for (1 = the same). From "
        f"{VERIFIED} on two pictures count as one character: the third column is the share of samples that do and also "
        "obey. Leaks and keeps are measured where the prompt leaves background or pose open, minus the base model's "
        "own share; less is better. Picture quality: how sure the judges are of what they see and how crisp outlines "
        "are, as a share of the base model's own.\n"
    )
    return head + markdown_table(["method", *COLUMNS.values()], rows) + foot


def parts_table(details: Mapping[str, Any]) -> str:
    """What each part changes in each pipeline under SEAL, from details.json; "" where nothing was measured."""
    measured = details["components"]
    order = sorted(measured, key=lambda name: name not in SEAL)
    rows = [
        [method(pair).label, COMPONENTS[name].label, *(told(measured[name][f"in {pair}"].get(m), True) for m in PARTED)]
        for pair in PARTS
        for name in order
        if f"in {pair}" in measured[name]
    ]
    if not rows:
        return ""
    head = "\nWhat each part changes, with it minus without it; an interval that holds 0 shows no effect:\n\n"
    return head + markdown_table(["method", "part", *(COLUMNS[m] for m in PARTED)], rows)


def replaced(text: str, block: str) -> str:
    """The README's text with `block` between its two marks. Raises SealError if they are missing."""
    before, found, rest = text.partition(START)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise SealError(f"readme: the marks {START} and {END} are missing; put them where the table belongs.")
    return f"{before}{START}\n{block.strip()}\n{END}{after}"


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--results", type=Path, required=True, metavar="DIR", help="folder that `eval --out DIR` wrote")
    add("--readme", type=Path, default=ROOT / "README.md", metavar="FILE", help="(%(default)s)")
    add("--sheet", default=SHEET, metavar="PATH", help="relative to the README (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Run the demo, write its sheet, then the README. Evaluates nothing."""
    try:
        results, details = (
            json.loads((options.results / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("results", "details")
        )
        text = options.readme.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SealError(f"results or readme: cannot be read ({error}); run `python -m seal_core.world eval`.") from None
    block = (
        f"![One sticker, what two methods make of it]({options.sheet})\n\n{readme_table(results)}{parts_table(details)}"
    )
    new = replaced(text, block)  # fails before the demo's two minutes
    with tempfile.TemporaryDirectory() as folder:
        if main(["demo", "--out", folder]):
            raise SealError("sheet: the demo made none; see the line above.")
        with Image.open(Path(folder) / "contact-sheet.png", formats=("PNG",)) as sheet:
            buffer = io.BytesIO()
            sheet.convert("RGB").save(buffer, "JPEG", quality=QUALITY, optimize=True)
    write_output(options.readme.parent / options.sheet, buffer.getvalue())
    write_output(options.readme, new.encode())
    print(f"{options.readme}, {options.readme.parent / options.sheet}")
