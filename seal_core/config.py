"""All settings of a training, as frozen dataclasses; baselines and ablations are values of these.

Every SEAL component is a switch on top of a carrier (input vectors or an output tail). With all
switches off the loop is plain Textual Inversion or HiPer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from .errors import SealError

CARRIERS = ("input", "tail")
MERGES = ("mean", "concat", "none")
INITS = ("class_word_noise", "class_word", "vocabulary", "described")
NORMS = ("free", "fixed")
RATES = ("constant", "cosine")
ATTENTION_LOSSES = ("none", "mse", "leak", "transport")

REVISION = 3
"""Of the training itself: raise it when equal settings come to learn something else, so that no old file is reused."""

ATTENTION_WEIGHTS = {"none": 0.0, "mse": 0.01, "leak": 0.01, "transport": 1e-5}
"""Default weights: mse Break-a-Scene's, transport ConceptExpress's, leak ours."""

TEMPLATES = (
    "a sticker of {}",
    "a cute sticker of {}",
    "a die-cut sticker of {}",
    "a cartoon sticker of {}",
    "a sticker showing {}",
    "an emoji sticker of {}",
)


MAX_WORDS = 400
"""Characters of a concept's name or class word: tokenisers take much longer for long words."""
MAX_TEMPLATES, MAX_TEMPLATE = 1000, 1000
"""Lines of training prompts, and characters of each; 77 tokens are far fewer."""


def _choice(name: str, value: str, options: tuple[str, ...]) -> None:
    if value not in options:
        raise SealError(f"{name}: {value!r} is not known; choose one of {', '.join(options)}.")


def _number(name: str, value: float, low: float, high: float, remedy: str) -> None:
    if not (isinstance(value, (int, float)) and low <= value <= high):  # NaN is in no range
        raise SealError(f"{name}: {value!r} is out of range; {remedy}")


def _whole(name: str, value: int, low: int, high: int, remedy: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SealError(f"{name}: {value!r} is not a whole number; {remedy}")
    _number(name, value, low, high, remedy)


@dataclass(frozen=True)
class Tokens:
    """How the concept is split into tokens and merged again (SEAL_TOKENS).

    concept: the name that stands in prompts, e.g. "<my-sticker>". class_word: what it is, "cat".
    split: K, vectors trained apart for the one concept (1 = no split; ConceptExpress: 5).
    merge: "mean" = one vector, "concat" = keep all K in a row, "none" = the K vectors stand in a
    row from the first step and are never apart (multi-vector Textual Inversion).
    merge_at: share of the steps after which they merge, 0..1.
    context_token: one more learned token stands where the prompt names the background, soaks up
    what is not the subject and is thrown away afterwards (ours).
    init: where the vectors start: at the class word (with noise or without), at a random point of the vocabulary, or
    "described": at the words under which the model itself sees the subject, the class word among them (see
    `seal_core.describe`; ours). Those are as many vectors as the words have tokens, `split` at most; not with a merge.
    norm: "fixed" keeps them at the vocabulary's mean norm (after
    Directional Textual Inversion).
    """

    concept: str = "<sticker>"
    class_word: str = "sticker"
    split: int = 5
    merge: str = "mean"
    merge_at: float = 0.2
    context_token: bool = True
    init: str = "class_word_noise"
    norm: str = "free"

    def __post_init__(self) -> None:
        _choice("merge", self.merge, MERGES)
        _choice("init", self.init, INITS)
        _choice("norm", self.norm, NORMS)
        _whole("split", self.split, 1, 16, "use 1 to 16 tokens.")
        _number("merge_at", self.merge_at, 0.0, 1.0, "use a share of the steps between 0 and 1.")
        if self.init == "described" and self.merge != "none":
            raise SealError(
                f"init: described starts from words in a row, which cannot merge by {self.merge}; set merge to none, "
                "or init to class_word_noise."
            )
        for name, value in (("class_word", self.class_word), ("concept", self.concept)):
            if len(value) > MAX_WORDS:
                raise SealError(f"{name}: {len(value)} characters are too many; use at most {MAX_WORDS}.")
        if not self.class_word.strip():
            raise SealError("class_word: empty; say in a word or two what the sticker shows, e.g. cat.")
        if not self.concept.strip():
            raise SealError("concept: empty; give the new concept a name, e.g. <my-sticker>.")
        for name, value in (("class_word", self.class_word), ("concept", self.concept)):
            if "{" in value or "}" in value:
                raise SealError(f"{name}: {value!r} has braces, which mark places in prompts; write it without.")

    def __str__(self) -> str:
        how = "one token" if self.split == 1 else f"{self.split} tokens, merge {self.merge} at {self.merge_at:.0%}"
        how = f"the words that describe it, at most {self.split} tokens" if self.init == "described" else how
        return f"{self.concept} ({self.class_word}): {how}{', context token' if self.context_token else ''}"


@dataclass(frozen=True)
class Layers:
    """Where and when the token may enter (SEAL_LAYERS).

    sites: a layer expression or preset (see `seal_core.sites`). start_percent, end_percent: part of
    the sampling in which it is active, 0 = noisiest, 1 = cleanest, as ComfyUI counts.
    """

    sites: str = "all"
    start_percent: float = 0.0
    end_percent: float = 1.0

    def __post_init__(self) -> None:
        _number("start_percent", self.start_percent, 0.0, 1.0, "use 0 (noisiest) to 1.")
        _number("end_percent", self.end_percent, 0.0, 1.0, "use 0 (noisiest) to 1.")
        if self.start_percent >= self.end_percent:
            raise SealError(
                f"start_percent: {self.start_percent} is not before end_percent {self.end_percent}; "
                "the token would never be active. Lower start_percent or raise end_percent."
            )

    def __str__(self) -> str:
        when = (
            ""
            if (self.start_percent, self.end_percent) == (0, 1)
            else (f", {self.start_percent:.0%} to {self.end_percent:.0%} of the sampling")
        )
        return f"{self.sites}{when}"


@dataclass(frozen=True)
class TrainConfig:
    """One training, completely.

    resolution: side in pixels, 0 = the model's own. batch_size: draws a step.
    attention_loss / attention_weight: semantic-guided spatial attention loss and its factor.
    background_weight: weight of the background in the denoising loss, 1 = plain, 0 = Break-a-Scene's mask.
    contrast_weight: pull between split tokens (SupCon; ConceptExpress 1e-3).
    rate: how the learning rate goes: "constant", or "cosine" from its full value to nearly nothing at the last step, so
    that the noise of single draws averages out (ours).
    augment: share of the draws that show the subject pasted, shifted, scaled and mirrored on another ground.
    views: how many such views are prepared. pool: from how many fixed draws the steps take theirs, 0 = fresh ones each
    step; only fixed ones can be replayed by the frozen prefix. pool_bytes: what that may keep.
    templates: prompts with {}; "{background}" in one marks where the background is named.
    describe_draws: by how many draws the words of init "described" are judged; 0 = as many as make the search about
    as long as the training, 4 to 48.
    attributes: what is known of the reference, e.g. {"emotion": "happy"}; prompts name it, so that
    words explain it and the token need not.
    """

    carrier: str = "input"
    steps: int = 400
    learning_rate: float = 5e-3
    rate: str = "constant"
    weight_decay: float = 0.0
    batch_size: int = 1
    resolution: int = 0
    seed: int = 0
    attention_loss: str = "none"
    attention_weight: float = 0.0
    background_weight: float = 1.0
    contrast_weight: float = 0.0
    augment: float = 0.0
    views: int = 8
    pool: int = 0
    pool_bytes: int = 2 << 30
    tail: int = 5
    describe_draws: int = 0
    templates: tuple[str, ...] = TEMPLATES
    attributes: tuple[tuple[str, str], ...] = ()
    tokens: Tokens = field(default_factory=Tokens)
    layers: Layers = field(default_factory=Layers)

    def __post_init__(self) -> None:
        _choice("carrier", self.carrier, CARRIERS)
        _choice("rate", self.rate, RATES)
        _choice("attention_loss", self.attention_loss, ATTENTION_LOSSES)
        _whole("steps", self.steps, 1, 100_000, "use 1 to 100000 steps (0 = the preset's).")
        _number("learning_rate", self.learning_rate, 1e-8, 1.0, "use something near 0.005 (0 = the preset's).")
        _number("weight_decay", self.weight_decay, 0.0, 1.0, "use 0 to 1.")
        _whole("batch_size", self.batch_size, 1, 64, "use 1 to 64.")
        _number("attention_weight", self.attention_weight, 0.0, 1e4, "use 0 or more, e.g. 0.01.")
        _number("background_weight", self.background_weight, 0.0, 1.0, "use 0 (ignore the ground) to 1 (plain loss).")
        _number("contrast_weight", self.contrast_weight, 0.0, 1e4, "use 0 or more, e.g. 0.001.")
        _number("augment", self.augment, 0.0, 1.0, "use a share between 0 and 1.")
        _whole("views", self.views, 0, 256, "use 0 to 256.")
        _whole("pool", self.pool, 0, 100_000, "use 0 (no pool) or a number of draws.")
        _number("pool_bytes", self.pool_bytes, 0, 1 << 50, "use a number of bytes.")
        _whole("describe_draws", self.describe_draws, 0, 1024, "use 4 to 1024 draws, or 0 for as many as fit.")
        if 0 < self.describe_draws < 4:
            raise SealError(f"describe_draws: {self.describe_draws} cannot tell words apart; use 4 or more, or 0.")
        _whole("tail", self.tail, 1, 70, "use 1 to 70 positions (HiPer: 5).")
        _whole("seed", self.seed, 0, 2**63, "use a whole number from 0 to 2^63.")
        if self.resolution != 0:
            _whole("resolution", self.resolution, 64, 4096, "use 0 (the model's own) or 64 to 4096 pixels.")
        if not self.templates:
            raise SealError("prompts: empty; give at least one line with {} where the concept stands.")
        if len(self.templates) > MAX_TEMPLATES:
            raise SealError(f"prompts: {len(self.templates)} lines are too many; use at most {MAX_TEMPLATES}.")
        for line in self.templates:
            if len(line) > MAX_TEMPLATE:
                raise SealError(f"prompts: a line has {len(line)} characters; use at most {MAX_TEMPLATE}.")
            if line.count("{}") != 1:
                raise SealError(f"prompts: {line!r} must have exactly one {{}} where the concept stands.")

    def effective(self) -> dict[str, Any]:
        """All settings as plain JSON values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def hash(self, *inputs: str) -> str:
        """A short hash of all settings and of the given input hashes: the same training, or another."""
        text = json.dumps([REVISION, self.effective(), *inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_PLAIN = Tokens(split=1, merge="mean", context_token=False)

PRESETS: dict[str, TrainConfig] = {
    # Textual Inversion (2208.01618): one vector, plain loss, every layer.
    "textual_inversion": TrainConfig(tokens=_PLAIN, steps=400),
    # HiPer (2303.08767), official code: 5 output positions, lr 5e-3, 1000 steps, batch 1.
    "hiper": TrainConfig(carrier="tail", tokens=_PLAIN, steps=1000, learning_rate=5e-3, templates=("a sticker of {}",)),
    # The abstract's three components, filled in from its neighbours (method.md says which is whose).
    "paper": TrainConfig(
        attention_loss="mse",
        attention_weight=0.01,
        background_weight=0.3,
        contrast_weight=1e-3,
        layers=Layers("up"),
        pool=100,
    ),
    # What our measurements favour, chosen on StickerWorld's validation characters: restriction to the up sites, vectors
    # that start from the words for the subject, the subject on many other grounds, a falling learning rate.
    "best": TrainConfig(
        rate="cosine",
        attention_loss="leak",
        attention_weight=0.01,
        background_weight=0.3,
        augment=0.7,
        views=16,
        tokens=Tokens(split=16, merge="none", context_token=True, init="described"),
        layers=Layers("up"),
        pool=100,
    ),
}
