"""All settings of one training. Baselines and ablations are values of this, see `presets`.

Every component of SEAL is a switch on top of a carrier: vectors at the text encoder's input, or the tail of its output.
With all switches off the loop is plain Textual Inversion or HiPer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from ..concept.settings import CARRIERS, NO_CARRIER, Layers, LowRankSpec, Tokens
from ..messages import SealError, require_in_range, require_one_of, require_whole_number

RATES = ("constant", "cosine")
ATTENTION_LOSSES = ("none", "mse", "leak", "transport")
CHECKPOINTING = ("auto", "on", "off")

REVISION = 7
"""Raise it when equal settings come to learn something else: files that were trained before are then not used again."""

ATTENTION_WEIGHTS = {"none": 0.0, "mse": 0.01, "leak": 0.01, "transport": 1e-5}
"""Weights for a loss that is switched on without one: mse Break-a-Scene's, transport ConceptExpress's, leak ours."""

TEMPLATES = (
    "a sticker of {}",
    "a cute sticker of {}",
    "a die-cut sticker of {}",
    "a cartoon sticker of {}",
    "a sticker showing {}",
    "an emoji sticker of {}",
)
EXPLAINED = ("background", "action", "emotion")
"""What a sticker shows besides the character: where words name all of it, no pasted ground must take it out (ours). Not
the style: who draws a sticker anew and names none wants its own. Nor the framing, which the model names wrongly."""
FEWEST_JUDGES = 4
"""Examples below which words cannot be told apart."""
MAX_TEMPLATES, MAX_TEMPLATE = 1000, 1000
"""Lines of training prompts, and characters of each; 77 tokens are far fewer."""


@dataclass(frozen=True)
class TrainConfig:
    """One training, completely.

    carrier: what is learned, "input" vectors, an output "tail" of so many positions (`tail`), or "none": weights alone.
    steps, batch_size: examples a step. resolution: the longer side in pixels, 0 = the model's own.
    learning_rate, rate: "constant", or "cosine", which falls to nearly nothing at the last step, so that the noise of
    single examples averages out (ours). weight_decay: AdamW's.
    attention_loss, attention_weight: semantic-guided spatial attention loss and its factor.
    background_weight: weight of the background in the denoising loss, 1 = plain, 0 = Break-a-Scene's mask.
    contrast_weight: pull between split tokens (SupCon; ConceptExpress 1e-3).
    augment: share of the examples that show the subject pasted, shifted, scaled and mirrored on another ground (ours).
    views: how many such pictures are prepared. augment_always: False where words do the same better: none are pasted
    then if the attributes name all of EXPLAINED.
    pool: how many fixed examples the steps take, again and again; 0 = fresh ones each step. Only fixed ones can be
    replayed by the frozen prefix (ours), which keeps at most pool_bytes.
    templates: prompts with {} for the concept; "{background}" in one marks where the background is named.
    attributes: what is known of the reference, e.g. {"emotion": "happy"}. Prompts say it, so that words explain it and
    the token need not.
    weights_rate: the learning rate of the low-rank weights, where there are any. weights_locality: how strongly they
    must leave alone what the model makes of prompts with the class word (ours; DreamBooth needs pictures for that).
    sees: whether the model itself names those of EXPLAINED that nobody named (`seen_attributes`; ours).
    describe_draws: how many examples judge the words of init "described"; 0 = as many as make the search about as long
    as the training, 4 to 32.
    checkpointing: whether the backward pass computes activations again in place of keeping them: "auto" where memory is
    short, "on", "off". What is learned is the same, so the hash leaves it out.
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
    augment_always: bool = True
    views: int = 8
    pool: int = 0
    pool_bytes: int = 2 << 30
    tail: int = 5
    sees: bool = False
    describe_draws: int = 0
    templates: tuple[str, ...] = TEMPLATES
    attributes: tuple[tuple[str, str], ...] = ()
    tokens: Tokens = field(default_factory=Tokens)
    layers: Layers = field(default_factory=Layers)
    weights: LowRankSpec = field(default_factory=LowRankSpec)
    weights_rate: float = 1e-3
    weights_locality: float = 0.0
    checkpointing: str = "auto"

    def __post_init__(self) -> None:
        require_one_of("carrier", self.carrier, (*CARRIERS, NO_CARRIER))
        require_one_of("rate", self.rate, RATES)
        require_one_of("attention_loss", self.attention_loss, ATTENTION_LOSSES)
        require_one_of("checkpointing", self.checkpointing, CHECKPOINTING)
        require_whole_number("steps", self.steps, 1, 100_000, "use 1 to 100000 steps (0 = the preset's).")
        require_in_range("learning_rate", self.learning_rate, 1e-8, 1.0, "use something near 0.005 (0 = the preset's).")
        require_in_range("weights_rate", self.weights_rate, 1e-8, 1.0, "use something near 0.001.")
        require_in_range("weights_locality", self.weights_locality, 0.0, 1e4, "use 0 (not at all) or about 10.")
        require_in_range("weight_decay", self.weight_decay, 0.0, 1.0, "use 0 to 1.")
        require_whole_number("batch_size", self.batch_size, 1, 64, "use 1 to 64.")
        require_in_range("attention_weight", self.attention_weight, 0.0, 1e4, "use 0 or more, e.g. 0.01.")
        require_in_range(
            "background_weight", self.background_weight, 0.0, 1.0, "use 0 (ignore the ground) to 1 (plain loss)."
        )
        require_in_range("contrast_weight", self.contrast_weight, 0.0, 1e4, "use 0 or more, e.g. 0.001.")
        require_in_range("augment", self.augment, 0.0, 1.0, "use a share between 0 and 1.")
        require_whole_number("views", self.views, 0, 256, "use 0 to 256.")
        require_whole_number("pool", self.pool, 0, 100_000, "use 0 (no pool) or a number of examples.")
        require_in_range("pool_bytes", self.pool_bytes, 0, 1 << 50, "use a number of bytes.")
        require_whole_number(
            "describe_draws", self.describe_draws, 0, 1024, "use 4 to 1024 examples, or 0 for as many as fit."
        )
        if 0 < self.describe_draws < FEWEST_JUDGES:
            raise SealError(
                f"describe_draws: {self.describe_draws} cannot tell words apart; use {FEWEST_JUDGES} or more, or 0."
            )
        require_whole_number("tail", self.tail, 1, 70, "use 1 to 70 positions (HiPer: 5).")
        require_whole_number("seed", self.seed, 0, 2**63, "use a whole number from 0 to 2^63.")
        if self.carrier == NO_CARRIER and not self.weights.rank:
            raise SealError("rank: 0 leaves nothing to learn; use 1 to 256, e.g. 8.")
        if self.resolution != 0:
            require_whole_number(
                "resolution", self.resolution, 64, 4096, "use 0 (the model's own) or 64 to 4096 pixels."
            )
        if not self.templates:
            raise SealError("prompts: empty; give at least one line with {} where the concept stands.")
        if len(self.templates) > MAX_TEMPLATES:
            raise SealError(f"prompts: {len(self.templates)} lines are too many; use at most {MAX_TEMPLATES}.")
        for line in self.templates:
            if len(line) > MAX_TEMPLATE:
                raise SealError(f"prompts: a line has {len(line)} characters; use at most {MAX_TEMPLATE}.")
            if line.count("{}") != 1:
                raise SealError(f"prompts: {line!r} must have exactly one {{}} where the concept stands.")

    @property
    def pasted(self) -> float:
        """Share of the examples that are pasted on other grounds, 0..1: `augment`, or 0 where words do it."""
        named = {name for name, value in self.attributes if value}
        return self.augment if self.augment_always or not named.issuperset(EXPLAINED) else 0.0

    def settings(self) -> dict[str, Any]:
        """All settings of what is learned, as plain JSON values."""
        values = json.loads(json.dumps(dataclasses.asdict(self)))
        del values["checkpointing"]
        return values

    def effective(self) -> dict[str, Any]:
        """The settings that count. Those of weights, and when to paste, only where they do: files from before they were
        there keep their hash."""
        values = self.settings()
        for name, default in (("augment_always", True), ("sees", False)):
            if values[name] == default:
                del values[name]
        return values if self.weights.rank else {n: v for n, v in values.items() if not n.startswith("weights")}

    def hash(self, *inputs: str) -> str:
        """A short hash of all settings and of the given input hashes: the same training, or another."""
        text = json.dumps([REVISION, self.effective(), *inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
