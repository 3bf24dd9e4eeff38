"""results.json, details.json and report.md of an evaluation, from its trials (ours)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...files.whole_file import write_output
from .compared_methods import COMPONENTS, GRID_SITES, GRID_TIMES, SEAL, Method, grid_name, label
from .figures import Strip, write_figures
from .method_groups import LONG_TI, PAIRS, PARTS
from .metrics import METRICS, Trials, Values, differences, gathered, metric_table, of_trial, resamples

HEADLINE = ("identity", "own", "controllability", "both", "leakage", "rigidity", "quality", "seconds")
ATTRIBUTES = ("emotion", "action", "camera", "style", "background", "species", "traits")
PROTOCOL = (
    *("leakage_raw", "leakage_named", "rigidity_action", "rigidity_camera", "rigidity_named", "iou"),
    *("readable", "sharp", "identity_scaled"),
)
COMPARED = ("identity", "own", "controllability", "both", "leakage", "rigidity", "quality")
RIVALS = ("textual_inversion", LONG_TI, "hiper", "lora")

Interval = Mapping[str, float]


def write_report(
    out: Path,
    seeds: Sequence[int],
    methods: Sequence[Method],
    trials: Trials,
    config: Mapping[str, Any],
    strip: Strip,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Write tables and figures into the folder `out`. Returns the content of results.json.

    trials: each method's, for all `seeds`. strip: path of a trial's samples as one picture.
    """
    index = resamples(len(seeds))
    raw = {m.name: [of_trial(trials[m.name][s]) for s in seeds] for m in methods}
    base = raw["base"]
    values: dict[str, Values] = {m.name: gathered(raw[m.name], base) for m in methods if not m.snapshots}
    results = {"methods": metric_table(values, index), "config": dict(config) | _settings(methods, seeds)}
    curves = {m.name: _curve(trials[m.name], seeds, base, values, index) for m in methods if m.snapshots}
    details = {
        "differences": {
            name: {rival: differences(v, values[rival], index) for rival in RIVALS if rival in values and rival != name}
            for name, v in values.items()
        },
        "components": components(values, index),
        "claims": claims(results["methods"]),
        "curves": curves,
        "attention": {name: _attention(trials[name], seeds) for name in values if name != "oracle"},
        "notes": list(notes),
    }
    for name, content in (("results.json", results), ("details.json", details)):
        write_output(out / name, json.dumps(content, indent=1, ensure_ascii=False).encode())
    figures = write_figures(out, seeds, methods, trials, results["methods"], details, strip)
    text = evaluation_markdown(results, details, methods, figures)
    write_output(out / "report.md", text.encode())
    return results


def _settings(methods: Sequence[Method], seeds: Sequence[int]) -> dict[str, Any]:
    settings = {m.name: m.config.effective() | {"words": m.words} for m in methods if m.config}
    return {"characters": list(seeds), "methods": settings, "metrics": dict(METRICS)}


def _curve(
    trials: Mapping[int, Mapping[str, Any]],
    seeds: Sequence[int],
    base: Sequence[Mapping[str, float]],
    values: Mapping[str, Values],
    index: NDArray[np.int64],
) -> list[dict[str, Any]]:
    """Metrics at each snapshot."""
    ends = {name: values[name] for name in ("base", "oracle")}
    points = []
    for step in sorted(map(int, trials[seeds[0]]["snapshots"])):
        rows = [of_trial(trials[s], trials[s]["snapshots"][str(step)]) for s in seeds]
        found = metric_table({**ends, "curve": gathered(rows, base)}, index)["curve"]
        points.append({"steps": step} | {m: v for m, v in found.items() if m not in ("seconds", "attention_outside")})
    return points


def components(values: Mapping[str, Values], index: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Component -> its gain, with minus without: added to Textual Inversion, in each pair, added to `best`."""
    found: dict[str, dict[str, Any]] = {}
    for name in COMPONENTS:
        pairs = {
            "alone": (f"only-{name}", "textual_inversion"),
            **{f"in {pair}": (pair, f"{pair}-without-{name}") for pair in PARTS},
            "added_to_best": (f"best-with-{name}", "best"),
        }
        rows = {k: differences(values[a], values[b], index) for k, (a, b) in pairs.items() if {a, b} <= set(values)}
        if rows:
            found[name] = rows
    return found


def _attention(trials: Mapping[int, Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """Share of the token's attention outside the subject, per site and time, averaged over the characters."""
    first = trials[seeds[0]]["attention"]
    sites = {
        site: np.mean([trials[s]["attention"]["sites"][site] for s in seeds], axis=0).round(4).tolist()
        for site in first["sites"]
    }
    return {"times": first["times"], "sites": sites}


def claims(methods: Mapping[str, Mapping[str, Interval]]) -> list[dict[str, Any]]:
    """The claims under test, with their numbers and whether they hold."""
    found: list[dict[str, Any]] = []

    def claim(text: str, holds: bool, numbers: str) -> None:
        found.append({"claim": text, "holds": bool(holds), "numbers": numbers})

    base, best = methods.get("base"), methods.get("best")
    if base:
        floors = {"background": 0.9, "camera": 0.85, "action": 0.8, "style": 0.8, "emotion": 0.75, "species": 0.9}
        for name, low in floors.items():
            claim(f"base model: {name} at least {low:.0%}", base[name]["mean"] >= low, told(base[name]))
    for rival in RIVALS[:2]:
        if rival in methods:
            raw = methods[rival]["leakage_raw"]
            claim(f"{label(rival)} leaks in at least half of the open samples", raw["mean"] >= 0.5, told(raw))
    for pipeline, pair in PAIRS.items():
        plain, seal = methods.get(pipeline), methods.get(pair)
        if not (plain and seal):
            continue
        name = label(pair)
        for m in ("leakage", "rigidity"):
            holds = seal[m]["mean"] <= max(plain[m]["mean"], 0.0) / 5
            claim(f"{name}: {m} at most a fifth of {label(pipeline)}'s", holds, f"{told(seal[m])} to {told(plain[m])}")
        numbers = f"{told(seal['identity'])} against {told(plain['identity'])}"
        claim(f"{name}: identity not lower", seal["identity"]["mean"] >= plain["identity"]["mean"], numbers)
        if base:
            gap = base["controllability"]["mean"] - seal["controllability"]["mean"]
            numbers = f"{told(seal['controllability'])} against {told(base['controllability'])}"
            claim(f"{name}: controllability within 2 points of the base model's", gap <= 0.02, numbers)
    if best:
        for m, low in (("identity", 0.7), ("both", 0.65), ("quality", 0.9)):
            claim(f"best: {m} at least {low:g}", best[m]["mean"] >= low, told(best[m]))
        for m in ("leakage", "rigidity"):
            claim(f"best: {m} at most .05", best[m]["mean"] <= 0.05, told(best[m]))
    return found


def told(value: Interval | None, signed: bool = False) -> str:
    """A figure and its interval as text: "0.71 [0.66, 0.75]"; "" for none."""
    if value is None:
        return ""
    sign = "+" if signed else ""
    places = 1 if max(abs(value["lo"]), abs(value["hi"])) >= 10 else 2
    mean, low, high = (format(round(value[k], places) + 0.0, f"{sign}.{places}f") for k in ("mean", "lo", "hi"))
    return f"{mean} [{low}, {high}]"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, ending with a newline."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text.strip()}\n\n" if text.strip() else ""


def evaluation_markdown(
    results: Mapping[str, Any], details: Mapping[str, Any], methods: Sequence[Method], figures: Sequence[str]
) -> str:
    """The report for reading."""
    config, numbers = results["config"], results["methods"]
    shown = [m for m in methods if m.name in numbers]
    main = [m for m in shown if not m.name.startswith("grid-")]
    text = (
        "# StickerWorld evaluation\n\n"
        f"{len(config['characters'])} unseen {config.get('split', '')} characters, one reference each; "
        f"{config.get('prompts')} prompts x {config.get('samples')} samples; {config.get('sampling_steps')} Euler "
        f"steps, guidance {config.get('cfg')}. Mean [95 % interval] of a paired bootstrap over characters.\n\n"
    )
    text += _section("Methods", _table(main, numbers, HEADLINE))
    text += _section("Control, attribute by attribute", _table(main, numbers, ATTRIBUTES))
    text += _section("Leakage and rigidity in full", _table(main, numbers, (*PROTOCOL, "attention_outside")))
    text += _section("What it must show", _claims(details["claims"]))
    text += _section("What each component buys", _components(details["components"]))
    text += _section("Against the baselines", _differences(main, details["differences"]))
    text += _section("Sites and times", _grid(numbers))
    text += _section("Along the steps", _curves(details["curves"]))
    text += _section("Judges, on held-out characters", "\n".join(_flat(config.get("judges") or {})))
    text += _section("Figures", "\n\n".join(f"![{name}]({name})" for name in figures))
    text += _section("How it is measured", "\n".join(f"- {name}: {words}" for name, words in METRICS.items()))
    return text + _section("Notes", "\n".join(f"- {note}" for note in details["notes"]))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Nested figures, one list item each: "- accuracy, emotion: 0.99"."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{prefix}{name}, ")
        elif isinstance(value, (int, float, str)):
            lines.append(f"- {prefix}{name}: {value}")
    return lines


def _table(methods: Sequence[Method], numbers: Mapping[str, Any], columns: Sequence[str]) -> str:
    rows = [[m.label, *(told(numbers[m.name].get(c)) for c in columns)] for m in methods]
    return markdown_table(["method", *(c.replace("_", " ") for c in columns)], rows)


def _claims(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    return markdown_table(
        ["claim", "measured", "holds"], [[c["claim"], c["numbers"], "yes" if c["holds"] else "**no**"] for c in found]
    )


def _components(found: Mapping[str, Mapping[str, Any]]) -> str:
    """One row for each component and comparison; the paper's three come first."""
    ways = {"alone": "alone, on Textual Inversion", "added_to_best": "added to best (not in it)"}
    rows = []
    for name in sorted(found, key=lambda n: n not in SEAL):
        label = COMPONENTS[name].label + (" (SEAL)" if name in SEAL else "")
        for way, change in found[name].items():
            rows.append([label, ways.get(way, way), *(told(change.get(m), True) for m in COMPARED)])
    if not rows:
        return ""
    head = ["component", "difference that it makes", *COMPARED]
    how = "Leakage and rigidity: less is better. An interval that holds 0 shows no effect."
    return f"{markdown_table(head, rows)}\n{how}\n"


def _differences(methods: Sequence[Method], found: Mapping[str, Any]) -> str:
    rows = []
    for m in methods:
        for rival, change in found.get(m.name, {}).items():
            if m.name not in ("base", "oracle", *RIVALS):
                rows.append([m.label, rival, *(told(change.get(c), True) for c in COMPARED)])
    return markdown_table(["method", "minus", *COMPARED], rows) if rows else ""


def _grid(numbers: Mapping[str, Any]) -> str:
    rows = []
    for sites in GRID_SITES:
        for start, end in GRID_TIMES:
            found = numbers.get(grid_name(sites, start, end))
            if found:
                rows.append([sites, f"{start:.0%} to {end:.0%}", *(told(found.get(c)) for c in COMPARED)])
    return markdown_table(["token enters", "of the sampling", *COMPARED], rows) if rows else ""


def _curves(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = [
        [name.removeprefix("curve-"), str(point["steps"]), *(told(point.get(c)) for c in COMPARED)]
        for name, points in found.items()
        for point in points
    ]
    return markdown_table(["method", "steps", *COMPARED], rows) if rows else ""
