"""SplitMergeTokenizer: how the concept is split into tokens and merged again."""

from __future__ import annotations

from comfy_api.latest import io

from ..seal_core.config import INITS, MERGES, NORMS, PRESETS, Tokens
from ..seal_core.vocabulary import check, summary
from .comfy_text import ComfyText
from .schema import TokensType, schema

BEST = PRESETS["best"].tokens
"""The boxes' defaults: what is wired in replaces the preset's, so that untouched boxes should change nothing."""


class SplitMergeTokenizer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SplitMergeTokenizer",
            display_name="SEAL Split-Merge Tokens",
            category="SEAL",
            description="How the new concept is learned: as several tokens trained apart and merged, beside a context "
            "token that soaks up the background. Wire it into SEAL Train Embedding.",
            search_aliases=["seal", "textual inversion", "token", "concept", "split merge"],
            inputs=[
                io.Clip.Input("clip", tooltip="The CLIP that the concept will be trained for."),
                io.String.Input("concept", default="<my-sticker>", tooltip="Name of the concept in prompts."),
                io.String.Input(
                    "class_word", default="cat", tooltip="What it is, in a word or two; the token starts from it."
                ),
                io.Int.Input(
                    "split",
                    default=BEST.split,
                    min=1,
                    max=16,
                    tooltip="How many vectors are learned for the one concept (described: at most); 1 = a single "
                    "one, as in Textual Inversion.",
                ),
                io.Combo.Input(
                    "merge",
                    options=list(MERGES),
                    default=BEST.merge,
                    tooltip="none: in a row from the first step, never apart. mean: trained apart, then one token, "
                    "their average. concat: trained apart, then all in a row.",
                ),
                io.Float.Input(
                    "merge_at",
                    default=BEST.merge_at,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the steps after which the tokens merge.",
                ),
                io.Boolean.Input(
                    "context_token",
                    default=BEST.context_token,
                    tooltip="Learn one more token for the background and throw it away afterwards, so that the concept "
                    "need not carry it.",
                ),
                io.Combo.Input(
                    "init",
                    options=list(INITS),
                    default=BEST.init,
                    tooltip="Where the tokens start. described: at the words under which the model itself sees the "
                    "subject, looked for first. Others: the class word (with a little noise or not), a random point.",
                ),
                io.Combo.Input(
                    "norm",
                    options=list(NORMS),
                    default=BEST.norm,
                    tooltip="fixed keeps the tokens as long as ordinary words, so that they do not drown the rest of "
                    "the prompt.",
                ),
            ],
            outputs=[
                TokensType.Output("tokens", tooltip="For SEAL Train Embedding."),
                io.String.Output("summary", tooltip="How the class word tokenises, and what will be learned."),
            ],
        )

    @classmethod
    def execute(cls, clip, concept, class_word, split, merge, merge_at, context_token, init, norm) -> io.NodeOutput:
        tokens = Tokens(concept.strip(), class_word.strip(), split, merge, merge_at, context_token, init, norm)
        text = ComfyText(clip)
        check(text, tokens)
        return io.NodeOutput(tokens, summary(text, tokens))


NODES = [SplitMergeTokenizer]
