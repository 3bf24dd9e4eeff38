"""What a user changes of a preset: one way from inputs to a TrainConfig, for the node and the command line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..concept.settings import Layers, LowRankSpec, Tokens
from ..files.safe_names import safe_stem
from ..messages import SealError, require_one_of
from .config import ATTENTION_WEIGHTS, TrainConfig
from .presets import PRESETS

if TYPE_CHECKING:
    from ..concept.concept import Concept

PRESET = "preset"
"""The choice that leaves a setting to the preset."""
ON_OFF = {"on": True, "off": False}
QUALITIES = {"quick": 0.5, "normal": 1.0, "thorough": 2.0}
"""How long to train, beside the preset's own steps. "normal" is the preset itself."""

_GIVEN = {"seed", "attributes", "tokens.concept", "tokens.class_word"}
"""What belongs to the one sticker; no preset says anything about it."""


@dataclass(frozen=True)
class TokenChoices:
    """What is changed of a preset's tokens (SEAL_TOKENS); the defaults change nothing. See `config.Tokens`.

    Raises SealError for what no preset could be changed to.
    split: 1..16, 0 = the preset's. merge_at: 0..1, -1 = the preset's. merge, init, norm: one of config.MERGES,
    INITS, NORMS, or "preset". context_token: "on", "off" or "preset".
    """

    split: int = 0
    merge: str = PRESET
    merge_at: float = -1.0
    context_token: str = PRESET
    init: str = PRESET
    norm: str = PRESET

    def __post_init__(self) -> None:
        if self.context_token not in (PRESET, *ON_OFF):
            raise SealError(f"context_token: {self.context_token!r} is not known; choose preset, on or off.")
        chosen = self.changes()
        if "init" in chosen:
            chosen.setdefault("merge", "none")  # which goes with every init
        Tokens(**chosen)

    def changes(self) -> dict[str, Any]:
        """Field of Tokens -> its new value, for what is chosen."""
        chosen = _chosen(self)
        if "context_token" in chosen:
            chosen["context_token"] = ON_OFF[self.context_token]
        return chosen

    def applied_to(self, tokens: Tokens) -> Tokens:
        """A preset's tokens with these changes. Raises SealError where the two do not go together."""
        return dataclasses.replace(tokens, **self.changes())

    def __str__(self) -> str:
        return in_words(self.changes()) or "as in the preset"


@dataclass(frozen=True)
class WeightChoices:
    """What is changed of a preset's low-rank weights (SEAL_WEIGHTS); the defaults change nothing. See `LowRankSpec`.

    Raises SealError for what no preset could be changed to.
    rank: 1..256, 0 = no weights, -1 = the preset's. alpha: 0..1024, 0 = the rank, -1 = the preset's. parts: as in
    LowRankSpec, or "preset". kept: 0.01..1, 0 = the preset's. rate, locality: TrainConfig's weights_rate (0 = the
    preset's) and weights_locality (-1 = the preset's).
    """

    rank: int = -1
    alpha: float = -1.0
    parts: str = PRESET
    kept: float = 0.0
    rate: float = 0.0
    locality: float = -1.0

    def __post_init__(self) -> None:
        LowRankSpec(**self._of_spec())

    def _of_spec(self) -> dict[str, Any]:
        return {name: value for name, value in _chosen(self).items() if name not in ("rate", "locality")}

    def changes(self, weights: LowRankSpec) -> dict[str, Any]:
        """Field of TrainConfig -> its new value. weights: the preset's."""
        chosen = _chosen(self)
        own = {f"weights_{name}": chosen[name] for name in ("rate", "locality") if name in chosen}
        return {"weights": dataclasses.replace(weights, **self._of_spec()), **own}

    def __str__(self) -> str:
        return in_words(_chosen(self)) or "as in the preset"


def _chosen(choices: TokenChoices | WeightChoices) -> dict[str, Any]:
    """Field -> value of what is not at its default."""
    fields = dataclasses.fields(choices)
    return {f.name: getattr(choices, f.name) for f in fields if getattr(choices, f.name) != f.default}


def configure(
    preset: str,
    *,
    name: str,
    class_word: str,
    concept: str = "",
    resume: Concept | None = None,
    steps: int = 0,
    learning_rate: float = 0.0,
    batch_size: int = 0,
    resolution: int = 0,
    seed: int = 0,
    tokens: TokenChoices | None = None,
    layers: Layers | None = None,
    weights: WeightChoices | None = None,
    attention_loss: str = PRESET,
    attention_weight: float = -1.0,
    background_weight: float = -1.0,
    augment: float = -1.0,
    prompts: str = "",
    attributes: dict[str, str] | None = None,
    quality: str = "normal",
) -> TrainConfig:
    """A preset for one sticker, with a user's changes; the defaults here change nothing.

    name: the file's stem. concept: its name in prompts, empty = <name>. class_word: what the sticker shows; empty only
    with `resume`, whose it then is. steps, learning_rate, batch_size: 0 = the preset's. The weights and augment: -1 =
    the preset's; an attention loss that is switched on without a weight gets its published one. prompts: a template a
    line, empty = the preset's. quality: one of QUALITIES, for the steps where they are not given. Raises SealError
    naming the input that is out of range.
    """
    if preset not in PRESETS:
        raise SealError(f"preset: {preset!r} is not known; choose one of {', '.join(PRESETS)}.")
    require_one_of("quality", quality, tuple(QUALITIES))
    stem = safe_stem(name)
    word = _on_one_line(class_word) or (resume.class_word if resume else "")
    named = dataclasses.replace(PRESETS[preset].tokens, concept=_on_one_line(concept) or f"<{stem}>", class_word=word)
    changes: dict[str, Any] = {"seed": seed, "resolution": resolution}
    changes["tokens"] = tokens.applied_to(named) if tokens else named
    steps = steps or round(QUALITIES[quality] * PRESETS[preset].steps)
    for field, value in (("steps", steps), ("learning_rate", learning_rate), ("batch_size", batch_size)):
        if value != 0:
            changes[field] = value
    if attention_loss != PRESET:
        changes |= {"attention_loss": attention_loss, "attention_weight": ATTENTION_WEIGHTS.get(attention_loss, 0.0)}
    for field, value in (
        ("attention_weight", attention_weight),
        ("background_weight", background_weight),
        ("augment", augment),
    ):
        if value != -1:
            changes[field] = value
    if augment != -1:
        changes["augment_always"] = True
    if prompts.strip():
        changes["templates"] = tuple(line.strip() for line in prompts.splitlines() if line.strip())
    if attributes:
        changes["attributes"] = tuple(sorted(attributes.items()))
    if layers is not None:
        changes["layers"] = layers
    if weights is not None:
        changes |= weights.changes(PRESETS[preset].weights)
    return dataclasses.replace(PRESETS[preset], **changes)


def _on_one_line(words: str) -> str:
    return " ".join(words.split())


def changed(preset: str, config: TrainConfig) -> dict[str, Any]:
    """Setting (dotted: "tokens.split") -> its value, for all that differs from the preset; plain JSON values.

    Names, class word, attributes and seed are the sticker's own and not in it.
    """
    theirs = _flat(PRESETS[preset].settings())
    return {
        name: value for name, value in _flat(config.settings()).items() if name not in _GIVEN and value != theirs[name]
    }


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat = {}
    for name, value in settings.items():
        flat |= {f"{name}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def in_words(changes: dict[str, Any], most: int = 6) -> str:
    """Changes on one line, "steps = 20, tokens.split = 5"; of more than `most` how many there are."""
    if len(changes) > most:
        return f"{len(changes)} settings"
    return ", ".join(f"{name} = {_short(value)}" for name, value in changes.items())


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{len(value)} lines" if isinstance(value, (list, tuple)) else str(value)
