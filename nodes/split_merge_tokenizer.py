"""SplitMergeTokenizer: how the concept is split into tokens and merged again."""

from __future__ import annotations

from ..seal_core.concept.settings import INITS, MERGES, NORMS
from ..seal_core.method.configure import ON_OFF, PRESET, TokenChoices
from .comfy.api import io
from .input_checks import inputs_checked
from .schema import TokensType, reads, schema


class SplitMergeTokenizer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SplitMergeTokenizer",
            display_name="SEAL Split-Merge Tokens",
            category="SEAL",
            description="How the new word is learned: as how many tokens, from which start, and when they merge. For "
            "SEAL Train Embedding; untouched, it changes nothing.",
            search_aliases=["seal", "textual inversion", "token", "concept", "split merge tokenizer"],
            inputs=[
                io.Int.Input(
                    "split",
                    default=0,
                    min=0,
                    max=16,
                    extra_dict=reads((0, "preset")),
                    tooltip="How many tokens the concept is learned as (with init described: at most). More hold more "
                    "detail; 1 = plain Textual Inversion; preset (0) = the preset's.",
                ),
                io.Combo.Input(
                    "merge",
                    options=[PRESET, *MERGES],
                    default=PRESET,
                    tooltip="mean: trained one by one, then averaged into one token. concat: trained one by one, then "
                    "all in a row. none: all in a row from the first step.",
                ),
                io.Float.Input(
                    "merge_at",
                    default=-1.0,
                    min=-1.0,
                    max=1.0,
                    step=0.05,
                    extra_dict=reads((-1, "preset")),
                    tooltip="Merge after this share of the steps, 0 to 1; preset (-1) = the preset's.",
                ),
                io.Combo.Input(
                    "context_token",
                    options=[PRESET, *ON_OFF],
                    default=PRESET,
                    tooltip="on: one more token learns the background and is thrown away, so the concept need not.",
                ),
                io.Combo.Input(
                    "init",
                    options=[PRESET, *INITS],
                    default=PRESET,
                    tooltip="Where the tokens start. class_word: at that word; class_word_noise: near it. vocabulary: "
                    "at random. described: at words that are first looked for, as in preset best (slower).",
                ),
                io.Combo.Input(
                    "norm",
                    options=[PRESET, *NORMS],
                    default=PRESET,
                    tooltip="fixed: the tokens stay as long as ordinary words. Try it when the concept drowns the rest "
                    "of the prompt.",
                ),
            ],
            outputs=[
                TokensType.Output("tokens", tooltip="For SEAL Train Embedding."),
                io.String.Output("summary", tooltip="What differs from the preset."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls, split: int, merge: str, merge_at: float, context_token: str, init: str, norm: str
    ) -> io.NodeOutput:
        tokens = TokenChoices(split, merge, merge_at, context_token, init, norm)
        return io.NodeOutput(tokens, str(tokens))


NODES = [SplitMergeTokenizer]
