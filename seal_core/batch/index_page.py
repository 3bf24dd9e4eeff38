"""The index as a page: one file without anything from elsewhere, that sorts, searches and filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
UNSURE = 0.9
"""Confidence of a mask below which a person should look at it."""
_MOST_SHOWN = 8
"""Drawn pictures of a row; the others are in its folder."""
_COLUMNS = (
    ("", "picture, its mask and what the word looks at"),
    ("concept", "sort by name"),
    ("learned", "how much better the model restores the subject elsewhere"),
    ("leaks", "how much better it restores the sticker's old ground: less is better"),
    ("outside", "share of the word's attention that is not on the subject: less is better"),
    ("mask", "how sure the mask is"),
    ("to look at", "sort by the number of notices"),
)
_PARTS = Path(__file__).parent / "page"


def index_page(title: str, rows: Sequence[Row], total: int) -> str:
    """HTML. rows: `IndexRow` as plain values. total: pictures in all; fewer rows = the batch is not finished."""
    failed = sum(row["state"] == "failed" for row in rows)
    look, warned = sum(map(to_check, rows)), sum(bool(row["warnings"]) for row in rows)
    chips = [
        _chip("all", "all", len(rows), True),
        _chip("failed", "failed", failed),
        _chip("check", "masks to check", look),
        _chip("warned", "with warnings", warned),
    ]
    left = f", {total - len(rows)} to come: run the same command again" if len(rows) < total else ""
    head = "".join(
        f'<th scope="col" title="{escape(what)}">' + (f"<button>{escape(name)}</button>" if name else "") + "</th>"
        for name, what in _COLUMNS
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>
{_part("style.css")}</style></head><body>
<header><h1>{escape(title)}</h1><p>{len(rows) - failed} of {total} pictures learned{left}</p>
<nav>{"".join(chips)}<input id="find" type="search" placeholder="search names, words, warnings"
aria-label="search"></nav></header>
<main><table><thead><tr>{head}</tr></thead><tbody>
{"".join(map(_row, rows))}</tbody></table><p id="none" hidden>Nothing here.</p></main>
<script>
{_part("sort_and_filter.js")}</script></body></html>
"""


def to_check(row: Row) -> bool:
    """Whether a person should look at the mask of a row."""
    mask = row["mask"]
    return bool(mask) and (bool(mask["doubts"]) or mask["confidence"] < UNSURE)


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _chip(key: str, words: str, count: int, on: bool = False) -> str:
    return f'<button data-show="{key}" aria-pressed="{str(on).lower()}">{words} <b>{count}</b></button>'


def _row(row: Row) -> str:
    kinds = ["failed"] * (row["state"] == "failed") + ["check"] * to_check(row) + ["warned"] * bool(row["warnings"])
    scores, mask = row["scores"], row["mask"]
    cells = [
        _cell(_preview(row)),
        _cell(_concept(row), row["name"].lower() or row["picture"].lower()),
        *(_share(scores.get(name)) for name in ("learned", "leaks", "outside")),
        _share(mask.get("confidence"), mask.get("method", "")),
        _cell(_notices(row), len(row["warnings"]) + 10 * to_check(row) + 100 * bool(row["error"])),
    ]
    return f'<tr class="{" ".join(kinds)}">{"".join(cells)}</tr>\n'


def _cell(content: str, value: object = "") -> str:
    return f'<td data-v="{escape(str(value))}">{content}</td>'


def _share(value: float | None, words: str = "") -> str:
    if value is None:
        return _cell("")
    said = f"<small>{escape(words)}</small>" if words else ""
    return _cell(f'<span class="number">{round(100 * value)}%</span>{said}', value)


def _preview(row: Row) -> str:
    if not row["preview"]:
        return ""
    url = _url(row["preview"])
    return f'<a href="{url}"><img class="sheet" loading="lazy" alt="" src="{url}"></a>'


def _concept(row: Row) -> str:
    said = [f"<strong>{escape(row['name'] or row['picture'])}</strong>"]
    said += [f"<small>{escape(row['picture'])}</small>"] if row["error"] and row["name"] else []
    said += [f"<small>{escape(row['class_word'])}</small>"] if row["class_word"] else []
    said += [f"<small>{escape(', '.join(row['attributes'].values()))}</small>"] if row["attributes"] else []
    said += [f"<small>started as “{escape(row['starts_as'])}”</small>"] if row["starts_as"] else []
    links = [("embedding", row["file"]), ("report", row["report"]), ("pack", row["pack"])]
    said.append(" ".join(f'<a href="{_url(path)}">{words}</a>' for words, path in links if path))
    shown = row["pictures"][:_MOST_SHOWN]
    drawn = [f'<a href="{_url(p)}"><img loading="lazy" alt="" src="{_url(p)}"></a>' for p in shown]
    return "".join(said) + (f'<div class="drawn">{"".join(drawn)}</div>' if drawn else "")


def _notices(row: Row) -> str:
    mask = row["mask"]
    said = [f'<li class="error">{escape(row["error"])}</li>'] if row["error"] else []
    said += [f'<li class="mask">mask: {escape(doubt)}</li>' for doubt in mask.get("doubts", ())]
    if to_check(row):
        said.append(f'<li class="mask">if it is wrong, paint {escape(_mask_name(row["picture"]))} and run again</li>')
    said += [f"<li>{escape(warning)}</li>" for warning in row["warnings"]]
    return f"<ul>{''.join(said)}</ul>" if said else ""


def _mask_name(picture: str) -> str:
    return f"{picture.rpartition('.')[0] or picture}.mask.png"


def _url(path: str) -> str:
    """A relative path, or a file's URI as it is."""
    if not path.startswith("file:"):
        path = path.replace("%", "%25").replace("#", "%23").replace("?", "%3F")
    return escape(path)
