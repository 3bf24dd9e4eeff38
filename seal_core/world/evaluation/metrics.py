"""From judged pictures to numbers: metrics of one character, and paired bootstrap intervals over characters (ours).

Open protocol: of the samples whose prompt leaves an attribute open, the share that shows the reference's value, minus
the base model's share for the same prompts and noise. Named protocol: of the samples whose prompt asks for another
value, the share that kept the reference's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...demo.attribute_values import SCENE

VERIFIED = 0.54
"""Two pictures with at least this identity show the same character: the judges' best threshold (JUDGES_CARD.md)."""

METRICS: Mapping[str, str] = {
    "identity": "similarity to the character in the context asked for, -1 to 1 (identity judge)",
    "identity_scaled": "identity between the base model (0) and the renderer (1)",
    "own": "share of samples nearer to the character than to any of its three twins, who are alike in all that has a "
    "name (a guess: .25)",
    "traits": "share of visible traits that are right, species apart",
    "species": "share of samples that show the species",
    "controllability": "mean of the five attributes' accuracies",
    "both": "share of samples that show the attribute asked for and are verified as the character "
    f"(identity >= {VERIFIED})",
    "emotion": "share of samples that show the emotion that their prompt varies",
    "action": "the same for the action",
    "camera": "the same for the camera composition",
    "style": "the same for the style",
    "background": "the same for the background",
    "leakage": "background left open: share that shows the reference's, minus the base model's",
    "leakage_raw": "the same without subtracting",
    "leakage_named": "another background asked for: share that kept the reference's",
    "rigidity": "mean of the two below",
    "rigidity_action": "action left open: share that shows the reference's, minus the base model's",
    "rigidity_camera": "camera left open: share that shows the reference's, minus the base model's",
    "rigidity_named": "another action or camera asked for: share that kept the reference's",
    "iou": "overlap of the figure with the reference's, where the prompt asks for a plain background",
    "quality": "mean of the two below",
    "readable": "how sure the judges are of what they see, as a share of the same on the base model's pictures",
    "sharp": "how crisp outlines are, as a share of the same on the base model's pictures",
    "attention_outside": "share of the token's attention outside the subject, on the noised reference",
    "seconds": "training",
}
LOWER_IS_BETTER = frozenset(
    {"leakage", "leakage_raw", "leakage_named", "rigidity", "rigidity_action", "rigidity_camera", "rigidity_named"}
    | {"iou", "attention_outside", "seconds"}
)
MARGINAL = {"leakage": "leakage_raw", "rigidity_action": "_open_action", "rigidity_camera": "_open_camera"}
"""Metric -> the share from which the base model's is subtracted."""
DRAWS = 2000

Trials = Mapping[str, Mapping[int, dict[str, Any]]]
"""Method -> character seed -> trial."""
Values = Mapping[str, NDArray[np.float64]]
"""Metric -> one value for each character (N,)."""


def of_trial(trial: Mapping[str, Any], samples: Sequence[Mapping[str, Any]] | None = None) -> dict[str, float]:
    """Metrics of one trial before subtracting the base model's; those without a sample are left out.

    samples: those of a snapshot instead of the trial's own.
    """
    prompts, reference = trial["prompts"], trial["reference"]
    pairs = [(prompts[s["prompt"]], s) for s in (trial["samples"] if samples is None else samples)]
    found: dict[str, list[float]] = {"identity": [s["identity"] for _, s in pairs]}
    found["own"] = [s["own"] for _, s in pairs]
    found["species"] = [s["traits"]["species"] for _, s in pairs if "species" in s["traits"]]
    found["traits"] = [right for _, s in pairs for t, right in s["traits"].items() if t != "species"]
    found["readable"], found["sharp"] = [s["readable"] for _, s in pairs], [s["sharp"] for _, s in pairs]
    found["iou"] = [s["iou"] for _, s in pairs if s["iou"] is not None]
    for a in SCENE:
        found[a] = [s["judged"][a] == p["values"][a] for p, s in pairs if p["vary"] == a]
        found[f"_both_{a}"] = [
            s["judged"][a] == p["values"][a] and s["identity"] >= VERIFIED for p, s in pairs if p["vary"] == a
        ]
    for a, name in (("background", "leakage_raw"), ("action", "_open_action"), ("camera", "_open_camera")):
        found[name] = [s["judged"][a] == reference[a] for p, s in pairs if _is_open(p, a)]
    named = {a: [s["judged"][a] == reference[a] for p, s in pairs if _asks_another(p, a, reference)] for a in SCENE}
    found["leakage_named"] = named["background"]
    means = {name: float(np.mean(values)) for name, values in found.items() if values}
    rigid = [float(np.mean(named[a])) for a in ("action", "camera") if named[a]]
    if rigid:
        means["rigidity_named"] = float(np.mean(rigid))
    if all(a in means for a in SCENE):
        means["controllability"] = float(np.mean([means[a] for a in SCENE]))
        means["both"] = float(np.mean([means[f"_both_{a}"] for a in SCENE]))
    if trial.get("attention"):
        means["attention_outside"] = trial["attention"]["outside"]
    return means | {"seconds": float(trial["seconds"])}


def _is_open(prompt: Mapping[str, Any], attribute: str) -> bool:
    """Whether the prompt leaves open an attribute that the picture shows."""
    readable = attribute != "action" or _shows_action(prompt)
    return attribute not in prompt["values"] and readable


def _asks_another(prompt: Mapping[str, Any], attribute: str, reference: Mapping[str, str]) -> bool:
    asked = prompt["values"].get(attribute)
    readable = attribute != "action" or _shows_action(prompt)
    return asked is not None and asked != reference[attribute] and readable


def _shows_action(prompt: Mapping[str, Any]) -> bool:
    return prompt["values"].get("camera") in ("full body", "wide shot")


def gathered(rows: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]]) -> dict[str, NDArray]:
    """Metric -> values (N,) of one method; rows and base: metrics of the same N characters, in one order."""
    values = {m: np.array([r[m] for r in rows]) for m in rows[0] if all(m in r for r in rows)}
    for name, raw in MARGINAL.items():
        if raw in values and all(raw in b for b in base):
            values[name] = values[raw] - np.array([b[raw] for b in base])
    for name in ("readable", "sharp"):
        if name in values:
            values[name] = values[name] / np.array([b[name] for b in base])
    if "readable" in values and "sharp" in values:
        values["quality"] = (values["readable"] + values["sharp"]) / 2
    if "rigidity_action" in values and "rigidity_camera" in values:
        values["rigidity"] = (values["rigidity_action"] + values["rigidity_camera"]) / 2
    return {m: v for m, v in values.items() if not m.startswith("_")}


def resamples(count: int, draws: int = DRAWS, seed: int = 0) -> NDArray[np.int64]:
    """Characters in each bootstrap draw, (draws, count); the same for all methods, which makes comparisons paired."""
    return np.random.default_rng(seed).integers(0, count, (draws, count))


def interval(values: NDArray[np.float64], index: NDArray[np.int64]) -> dict[str, float]:
    """Mean of (N,) values and its 95 % percentile interval."""
    return _summary(float(values.mean()), values[index].mean(axis=1))


def _summary(mean: float, drawn: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"mean": round(mean, 5), "lo": round(float(low), 5), "hi": round(float(high), 5)}


def metric_table(methods: Mapping[str, Values], index: NDArray[np.int64]) -> dict[str, dict[str, dict[str, float]]]:
    """Method -> metric -> mean, lo, hi, in the order of METRICS.

    identity_scaled is a ratio of means (base's and oracle's too), computed anew in each resample.
    """
    found = {}
    for name, values in methods.items():
        rows = {m: interval(v, index) for m, v in values.items()}
        if "base" in methods and "oracle" in methods:
            ends = methods["base"]["identity"], methods["oracle"]["identity"]
            rows["identity_scaled"] = _scaled(values["identity"], *ends, index)
        found[name] = {m: rows[m] for m in METRICS if m in rows}
    return found


def _scaled(values: NDArray, base: NDArray, oracle: NDArray, index: NDArray[np.int64]) -> dict[str, float]:
    low, own, high = (np.concatenate([[v.mean()], v[index].mean(axis=1)]) for v in (base, values, oracle))
    room = np.where(np.abs(high - low) < 1e-9, np.nan, high - low)
    share = np.nan_to_num((own - low) / room)
    return _summary(float(share[0]), share[1:])


def differences(one: Values, other: Values, index: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Metric -> mean, lo, hi of one method's value minus another's on the same characters."""
    return {m: interval(one[m] - other[m], index) for m in METRICS if m in one and m in other}
