"""The methods that an evaluation compares, by name: each is a value of TrainConfig, trained by the one loop (ours).

Names can be refined: `best~learning_rate=0.002~tokens.split=3` changes fields, `best-without-words` switches a
component off, `best-with-norm` on, `best-told` is given the character's looks in words, as a user or a captioner may
say them; `best-looking` looks at the reference while it draws, `best-looking@0.5` half as much; `best-guided@2` spends
the same on guidance from the class word to the concept; `only-layers` adds one to Textual Inversion, `curve-hiper`
measures along the steps, `grid-up@0.2-1` restricts Textual Inversion to sites and times.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ...demo.tuned_presets import BUDGET, LABELS, NAMES_ATTRIBUTES, for_sticker, tuned_preset
from ...messages import SealError
from ...method.config import TrainConfig
from ...method.presets import PRESETS

TRADE_OFF = (1 / 24, 1 / 12, 1 / 6, 1 / 3, 1 / 2, 3 / 4, 1.0)
"""Where a curve is measured, as shares of its steps (twice the budget)."""


@dataclass(frozen=True)
class Component:
    """A part of the method that can be switched: the fields for off, and for on (None: as `best` has them).

    used: given a function from field to value, whether the component is on. None: on if any field differs from `off`.
    """

    label: str
    off: Mapping[str, Any]
    on: Mapping[str, Any] | None = None
    used: Callable[[Callable[[str], Any]], bool] | None = None


_FREE: Mapping[str, Any] = {"tokens.init": "class_word_noise", "learning_rate": 0.02, "steps": BUDGET["steps"]}
"""Vectors that start from the class word, with a fitting learning rate and at least the budget's steps."""

COMPONENTS: Mapping[str, Component] = {
    "attention": Component("spatial attention loss", {"attention_loss": "none", "attention_weight": 0.0}),
    "split": Component(
        "split-merge tokens",
        {"tokens.split": 1, "tokens.merge": "mean", "contrast_weight": 0.0},
        _FREE | {"tokens.split": 5, "tokens.merge": "mean", "contrast_weight": 1e-3},
        lambda get: get("tokens.split") > 1 and get("tokens.merge") != "none",
    ),
    "vectors": Component(
        "several vectors in a row",
        _FREE | {"tokens.split": 1, "tokens.merge": "mean"},
        _FREE | {"tokens.split": 8, "tokens.merge": "none"},
        lambda get: get("tokens.split") > 1 and get("tokens.merge") == "none" and get("tokens.init") != "described",
    ),
    "described": Component(
        "start from describing words",
        _FREE | {"tokens.split": 8, "tokens.merge": "none"},
        used=lambda get: get("tokens.init") == "described",
    ),
    "layers": Component("layer restriction", {"layers.sites": "all"}),
    "time": Component(
        "time gating", {"layers.start_percent": 0.0, "layers.end_percent": 1.0}, {"layers.start_percent": 0.2}
    ),
    "masked": Component("masked denoising loss", {"background_weight": 1.0}),
    "augment": Component(
        "context augmentation",
        {"augment": 0.0, "views": 8},
        {"augment": 0.7, "views": 16, "augment_always": True},
        lambda get: get("augment") > 0 and (get("augment_always") or not get("words")),
    ),
    "words": Component("named attributes", {"words": False}),
    "seen": Component("anything named", {"sees": False, "words": False}, {"sees": True}, lambda get: bool(get("sees"))),
    "context": Component("context token", {"tokens.context_token": False}),
    "norm": Component("fixed norm", {"tokens.norm": "free"}, {"tokens.norm": "fixed"}),
    "pool": Component("finite pool of draws", {"pool": 0}),
    "weights": Component("low-rank weights", {"weights.rank": 0}),
    "locality": Component("locality", {"weights_locality": 0.0}),
    "rate": Component("falling learning rate", {"rate": "constant"}),
}
SEAL = ("attention", "split", "layers")
"""The three components of SEAL's abstract; the others are ours or from related papers."""

GRID_SITES = ("all", "down", "mid", "up", "down mid", "up.0-1", "up.2-3", "up.4-5", "appearance")
GRID_TIMES = ((0.0, 1.0), (0.2, 1.0), (0.4, 1.0), (0.0, 0.6))

_LABELS = {
    "base": "base model, class word",
    "base-told": "base model, the looks in words",
    "oracle": "oracle (renderer)",
    **LABELS,
}


@dataclass(frozen=True)
class Method:
    """A named method. config: None where nothing is trained (base, oracle).

    words: whether the training prompts name the reference's own attributes. snapshots: steps after which the concept
    is judged as well as at the end. told: whether it knows the character's looks in words. looking: how much it looks
    at the reference's picture while drawing, 0..1. guided: guidance from the class word to the concept, 0 = none.
    """

    name: str
    config: TrainConfig | None = None
    words: bool = False
    snapshots: tuple[int, ...] = ()
    told: bool = False
    looking: float = 0.0
    guided: float = 0.0

    @property
    def label(self) -> str:
        return label(self.name)

    def key(self) -> str:
        """A short hash of all the method's settings."""
        text = json.dumps([self.config.hash() if self.config else self.name, self.words, self.snapshots])
        text += (" told" if self.told else "") + (f" looking {self.looking}" if self.looking else "")
        text += f" guided {self.guided}" if self.guided else ""
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def for_reference(
        self, class_word: str, attributes: Mapping[str, str], resolution: int, seed: int, looks: str = ""
    ) -> TrainConfig:
        """The training of one concept.

        attributes: the reference's, used only by methods with words. looks: the character in words, used only by
        those that are told.
        """
        if self.config is None:
            raise SealError(f"methods: {self.name} is not trained.")
        named = dict(attributes if self.words else {}) | ({"appearance": looks} if self.told else {})
        return for_sticker(self.config, class_word, named, resolution, seed)

    def told_looks(self) -> Method:
        """The same method, which knows the looks in words: its tokens start from them, or the prompt says them."""
        row = {"split": 16, "merge": "none", "init": "described"}
        config = self.config and replace(self.config, tokens=replace(self.config.tokens, **row))
        return replace(self, name=f"{self.name}-told", config=config, told=True)

    def get(self, field: str) -> Any:
        """A setting by its dotted name: "words", "augment", "tokens.split", "layers.sites"."""
        if field == "words":
            return self.words
        part, _, rest = field.rpartition(".")
        return getattr(getattr(self.config, part) if part else self.config, rest)

    def uses(self, component: str) -> bool:
        """Whether a component is on."""
        known = COMPONENTS[component]
        if known.used:
            return known.used(self.get)
        return any(self.get(field) != value for field, value in known.off.items())

    def but(self, name: str, changes: Mapping[str, Any]) -> Method:
        """The same method under another name with some settings (dotted names) changed."""
        if self.config is None:
            raise SealError(f"methods: {self.name} has no settings to change; it is not trained.")
        own = {field: value for field, value in changes.items() if "." not in field}
        words = bool(own.pop("words", self.words))
        for part in {f.partition(".")[0] for f in changes if "." in f}:
            inner = {f.removeprefix(f"{part}."): v for f, v in changes.items() if f.startswith(f"{part}.")}
            if inner:  # all at once: one new value may be invalid with the old ones
                own[part] = replace(getattr(self.config, part), **inner)
        return replace(self, name=name, config=replace(self.config, **own), words=words)

    def limited(self, steps: int) -> Method:
        """The same method trained for `steps` steps (0: its own); snapshots keep their shares."""
        if not steps or self.config is None:
            return self
        share = steps * (2 if self.snapshots else 1) / self.config.steps
        longest = round(self.config.steps * share)
        return replace(self.but(self.name, {"steps": longest}), snapshots=_at(longest) if self.snapshots else ())


def _at(steps: int) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(share * steps)) for share in TRADE_OFF}))


def _preset(name: str) -> Method:
    return Method(name, tuned_preset(name), name in NAMES_ATTRIBUTES)


def _switched(method: Method, name: str, component: str, on: bool) -> Method:
    """Switch a component on or off."""
    if component not in COMPONENTS:
        raise SealError(f"methods: {component!r} is no component; choose one of {', '.join(COMPONENTS)}.")
    known = COMPONENTS[component]
    if on:
        best = _preset("best")
        return method.but(name, known.on or {field: best.get(field) for field in known.off})
    off = dict(known.off) if method.uses(component) else {}
    if method.config and off.get("steps", 0) < method.config.steps:
        off.pop("steps", None)  # what it was given for less is not taken away
    return method.but(name, off)


def method(name: str) -> Method:
    """The method with a name; LoRA's pair with SEAL is the preset `best`. Raises SealError listing the known names."""
    base, *changes = name.replace("lora-seal", "best").split("~")
    found = _named(base)
    return found.but(name, dict(_parsed(found, c) for c in changes)) if changes else found


def _named(name: str) -> Method:
    if name in ("base", "oracle"):
        return Method(name)
    if name in PRESETS:
        return _preset(name)
    if name.endswith("-told"):
        return _named(name.removesuffix("-told")).told_looks()
    if match := re.fullmatch(r"(.+)-looking(?:@([\d.]+))?", name):
        return replace(_named(match[1]), name=name, looking=float(match[2] or 1))
    if match := re.fullmatch(r"(.+)-guided(?:@([\d.]+))?", name):
        return replace(_named(match[1]), name=name, guided=float(match[2] or 1))
    if match := re.fullmatch(r"(.+)-(without|with)-(\w+)", name):
        return _switched(_named(match[1]), name, match[3], match[2] == "with")
    if match := re.fullmatch(r"only-(\w+)", name):
        return _switched(_preset("textual_inversion"), name, match[1], True)
    if match := re.fullmatch(r"curve-(.+)", name):
        steps = 2 * BUDGET["steps"]
        return replace(_named(match[1]).but(name, {"steps": steps}), snapshots=_at(steps))
    if match := re.fullmatch(r"grid-(.+)@([\d.]+)-([\d.]+)", name):
        window = {"layers.start_percent": float(match[2]), "layers.end_percent": float(match[3])}
        return _preset("textual_inversion").but(name, {"layers.sites": match[1], **window})
    raise SealError(
        f"methods: {name!r} is not known; choose from {', '.join(_LABELS)}, best-without-X, best-with-X, best-told, "
        f"best-looking, best-guided, only-X (X: {', '.join(COMPONENTS)}), curve-NAME, grid-SITES@START-END, or a group "
        "of `world eval --help`."
    )


def _parsed(found: Method, change: str) -> tuple[str, Any]:
    """One `field=value`, converted to the field's type."""
    field, equals, text = change.partition("=")
    known = [f.name for f in fields(TrainConfig)] if found.config else []
    try:
        now = found.get(field)
        if isinstance(now, tuple):
            return field, tuple(text.split("|"))
        return field, type(now)(int(text) if isinstance(now, bool) else text)
    except AttributeError:
        raise SealError(
            f"methods: {field!r} is no setting; use e.g. ~learning_rate=0.002, ~tokens.split=3, ~layers.sites=up, "
            f"~words=1. Settings: {', '.join(known) or 'none, it is not trained'}."
        ) from None
    except ValueError:
        raise SealError(f"methods: {field}{equals}{text!r} is no {type(now).__name__}.") from None


def label(name: str) -> str:
    """A method's name for readers."""
    base, *changes = name.split("~")
    if match := re.fullmatch(r"(.+)-(without|with)-(\w+)", base):
        base = f"{label(match[1])} {match[2]} {COMPONENTS[match[3]].label}"
    elif match := re.fullmatch(r"only-(\w+)", base):
        base = f"TI with {COMPONENTS[match[1]].label}"
    elif match := re.fullmatch(r"grid-(.+)@([\d.]+)-([\d.]+)", base):
        base = f"TI in {match[1]}, {float(match[2]):.0%} to {float(match[3]):.0%}"
    elif base.startswith("curve-"):
        base = f"{_LABELS.get(base[6:], base[6:])} along its steps"
    elif match := re.fullmatch(r"(.+)-looking(?:@([\d.]+))?", base):
        base = f"{label(match[1])}, looking at its sticker" + (f" ({match[2]})" if match[2] else "")
    elif match := re.fullmatch(r"(.+)-guided(?:@([\d.]+))?", base):
        base = f"{label(match[1])}, guided to the concept ({match[2] or 1})"
    elif base.endswith("-told") and base not in _LABELS:
        base = f"{label(base.removesuffix('-told'))}, told the looks"
    elif base.endswith("-seal"):
        base = f"{_LABELS[base.removesuffix('-seal')]} with SEAL"
    return ", ".join([_LABELS.get(base, base), *(c.replace("=", " = ") for c in changes)])


def grid_name(sites: str, start: float, end: float) -> str:
    return f"grid-{sites}@{start:g}-{end:g}"
