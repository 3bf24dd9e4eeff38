"""What a concept is made of: its tokens, and the layers that they may enter. Kept in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..messages import SealError, require_in_range, require_one_of, require_whole_number

CARRIERS = ("input", "tail")
"""What a concept is: vectors at the text encoder's input, or the last positions of its output."""
NO_CARRIER = "none"
"""A training of low-rank weights alone, without a concept: its references have captions."""
MERGES = ("mean", "concat", "none")
INITS = ("class_word_noise", "class_word", "vocabulary", "described")
NORMS = ("free", "fixed")

LAYERS: Mapping[str, tuple[str, ...]] = {
    "attn1": ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0"),
    "attn2": ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"),
    "kv": ("attn2.to_k", "attn2.to_v"),
    "ff": ("ff.net.0.proj", "ff.net.2"),
}
"""Part of a transformer block -> its linear layers, as ComfyUI and diffusers name them alike. kv: what of the text is
read, as Custom Diffusion trains (2212.04488)."""

MAX_WORDS = 400
"""Characters of a concept's name or class word: tokenisers take much longer for long words."""


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
    "described": at the words under which the model itself sees the subject, the class word among them
    (`method/initial_words.py`; ours). Those are as many vectors as the words have tokens, `split` at most; they
    cannot merge.
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
        require_one_of("merge", self.merge, MERGES)
        require_one_of("init", self.init, INITS)
        require_one_of("norm", self.norm, NORMS)
        require_whole_number("split", self.split, 1, 16, "use 1 to 16 tokens.")
        require_in_range("merge_at", self.merge_at, 0.0, 1.0, "use a share of the steps between 0 and 1.")
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
class LowRankSpec:
    """Low-rank weights that are learned beside the vectors (LoRA), in the transformer blocks of the allowed sites.

    rank: of each layer's change; 0 = none. alpha: the change counts alpha / rank; 0 = as much as the rank, so as it is.
    parts: which layers, of `LAYERS`, separated by commas.
    kept: share of the learned change that is kept. Weights that leave the empty prompt alone are multiplied by
    classifier-free guidance as words are, and were trained without it (ours).
    """

    rank: int = 0
    alpha: float = 0.0
    parts: str = "attn2, attn1"
    kept: float = 1.0

    def __post_init__(self) -> None:
        require_whole_number("rank", self.rank, 0, 256, "use 1 to 256, or 0 for no weights.")
        require_in_range("alpha", self.alpha, 0.0, 1024.0, "use about the rank (0 = the rank).")
        require_in_range("kept", self.kept, 0.01, 1.0, "use a share, e.g. 0.5; 1 = all of it.")
        for part in self.named_parts or ("",):
            require_one_of("parts", part, tuple(LAYERS))

    @property
    def named_parts(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.parts.split(",") if part.strip())

    @property
    def scale(self) -> float:
        return self.alpha / self.rank if self.rank and self.alpha else 1.0

    def __str__(self) -> str:
        return f"weights of rank {self.rank} in {self.parts}" if self.rank else "no weights"


@dataclass(frozen=True)
class Layers:
    """Where and when the token may enter (SEAL_LAYERS).

    sites: a layer expression or preset (see `seal_core.method.sites`). start_percent, end_percent: part of
    the sampling in which it is active, 0 = noisiest, 1 = cleanest, as ComfyUI counts.
    """

    sites: str = "all"
    start_percent: float = 0.0
    end_percent: float = 1.0

    def __post_init__(self) -> None:
        require_in_range("start_percent", self.start_percent, 0.0, 1.0, "use 0 (noisiest) to 1.")
        require_in_range("end_percent", self.end_percent, 0.0, 1.0, "use 0 (noisiest) to 1.")
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
