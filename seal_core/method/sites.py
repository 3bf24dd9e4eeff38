"""Where the learned token may enter: sites, the layer language and its presets.

A site is one cross-attention module, named by its part of the U-Net and its place in execution order: down.0 ... mid.0
... up.0 .... Names come from walking the model, never from tables, so any U-Net works. SD 1.x has down.0-5, mid.0,
up.0-8.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..hosts.base import Site
from ..messages import SealError

PARTS = ("down", "mid", "up")
PRESETS = ("appearance", "all", "up")
GRAMMAR = "names such as up.3, ranges such as up.3-5, groups (down, mid, up, all); a leading - leaves out"

SUPERVISED_SCALE = 4
"""Latent cells a side that one cell of a supervised map covers: 16 x 16 maps at 512 px (after Break-a-Scene)."""

_TERM = re.compile(r"(?P<out>-)?(?P<part>all|down|mid|up)(?:\.(?P<first>\d{1,9})(?:-(?P<last>\d{1,9}))?)?")


def preset_names(preset: str, sites: Sequence[Site]) -> tuple[str, ...]:
    """The site names that a preset allows.

    all: every site, so no restriction. up: the up part (the strongest single lever in our prototype). appearance: the
    up part without its coarsest level, which we take to carry pose and layout (ours, after what P+ and B-LoRA found).
    """
    if preset == "all":
        return tuple(s.name for s in sites)
    if preset not in PRESETS:
        raise SealError(f"layers: unknown preset {preset!r}; choose one of {', '.join(PRESETS)} or custom.")
    up = [s for s in sites if s.part == "up"]
    if preset == "appearance":
        coarsest = max((s.scale for s in up), default=1)
        up = [s for s in up if s.scale < coarsest] or up
    return tuple(s.name for s in up)


def parse_sites(text: str, sites: Sequence[Site]) -> tuple[str, ...]:
    """Site names selected by a layer expression, in execution order.

    text: terms separated by commas or spaces, e.g. "up.2-8, down.0" or "all, -mid"; or a preset's name.
    Raises SealError for unknown names and for an empty selection, listing what is valid.
    """
    is_preset = text.strip() in PRESETS
    chosen = set(preset_names(text.strip(), sites)) if is_preset else set[str]()
    terms = [] if is_preset else [t for t in re.split(r"[,\s]+", text.strip().lower()) if t]
    for i, term in enumerate(terms):
        match = _TERM.fullmatch(term)
        names = _expand(match, sites) if match else []
        if not names:
            raise SealError(f"layers: {term!r} names no site of this model. Valid: {valid_names(sites)}; {GRAMMAR}.")
        if match and match["out"]:
            if i == 0:
                chosen = {s.name for s in sites}
            chosen.difference_update(names)
        else:
            chosen.update(names)
    if not chosen:
        raise SealError(f"layers: {text!r} selects no site. Valid: {valid_names(sites)}; {GRAMMAR}.")
    return tuple(s.name for s in sites if s.name in chosen)


def _expand(match: re.Match[str], sites: Sequence[Site]) -> list[str]:
    part, first, last = match["part"], match["first"], match["last"]
    if part == "all":
        return [s.name for s in sites] if first is None else []
    names = {s.ordinal: s.name for s in sites if s.part == part}
    if first is None:
        return list(names.values())
    wanted = range(int(first), int(last if last is not None else first) + 1)
    return [names[i] for i in wanted] if wanted and all(i in names for i in wanted) else []


def spelled(names: Sequence[str], sites: Sequence[Site]) -> str:
    """The selection as it is saved: "all", whole parts by their name ("mid, up"), single sites otherwise.

    On this model it says exactly `names`. A part is the U-Net's own, so "up" also means the up part of a model of
    another depth; a preset's name is not kept, for what it selects may change in a later version.
    """
    chosen = set(names)
    if all(s.name in chosen for s in sites):
        return "all"
    terms: list[str] = []
    for part in PARTS:
        own = [s.name for s in sites if s.part == part]
        terms += [part] if own and chosen.issuperset(own) else [n for n in own if n in chosen]
    return ", ".join(terms)


def saved_sites(text: str, sites: Sequence[Site]) -> tuple[str, ...]:
    """Names of the sites of this model that a saved restriction lets the token into, in execution order.

    As `parse_sites`, but where the text names every site of this model it may name others too: the first version
    saved a concept that enters everywhere as a list of its model's sites. An empty text is no restriction.
    Raises SealError where this model lacks a site.
    """
    everything = tuple(s.name for s in sites)
    named = set(re.split(r"[,\s]+", text.strip().lower()))
    return everything if not text.strip() or named.issuperset(everything) else parse_sites(text, sites)


def valid_names(sites: Sequence[Site]) -> str:
    """The valid names in short: "down.0-5, mid.0, up.0-8"."""
    spans = []
    for part in PARTS:
        count = sum(s.part == part for s in sites)
        if count:
            spans.append(f"{part}.0" + (f"-{count - 1}" if count > 1 else ""))
    return ", ".join(spans)


def select(names: Sequence[str], sites: Sequence[Site]) -> list[Site]:
    """The sites of these names, in execution order. Raises SealError where the model lacks one."""
    known = {s.name for s in sites}
    missing = [n for n in names if n not in known]
    if missing:
        raise SealError(
            f"layers: this model has no site {', '.join(missing)} (it has {valid_names(sites)}). "
            "Make the layer restriction from the model that is wired here."
        )
    return [s for s in sites if s.name in set(names)]


def supervised(allowed: Sequence[Site]) -> list[Site]:
    """The allowed sites whose maps the attention loss reads.

    Those whose maps are a quarter of the latents' size, else the coarsest allowed, so that all maps have one size. The
    mid block only where nothing else is allowed.
    """
    outer = [s for s in allowed if s.part != "mid"] or list(allowed)
    scales = {s.scale for s in outer}
    wanted = SUPERVISED_SCALE if SUPERVISED_SCALE in scales else max(scales)
    return [s for s in outer if s.scale == wanted]


def site_table(sites: Sequence[Site], allowed: Sequence[str], resolution: int) -> str:
    """One line a site: name, map size for a square picture of `resolution` pixels, allowed or not."""
    lines = []
    for site in sites:
        height, width = site.map_size(resolution // 8, resolution // 8)
        mark = "token" if site.name in allowed else "class word"
        lines.append(f"{site.name:8} {height:>3} x {width:<3} {mark}")
    return "\n".join(lines)
