"""SplitMergeTokenizer: how the concept is split into tokens and merged again."""

from __future__ import annotations

from ..seal_core.concept.settings import INITS, MERGES, NORMS
from ..seal_core.method.choices import ON_OFF, PRESET, TokenChoices
from .comfy.api import io
from .schema import TokensType, inputs_checked, schema


class SplitMergeTokenizer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SplitMergeTokenizer",
            display_name="SEAL Split-Merge Tokens",
            category="SEAL",
            description="How the new concept is learned: as several tokens trained apart and merged, beside a context "
            "token that soaks up the background. Wire it into SEAL Train Embedding; untouched, it changes nothing.",
            search_aliases=["seal", "textual inversion", "token", "concept", "split merge"],
            inputs=[
                io.Int.Input(
                    "split",
                    default=0,
                    min=0,
                    max=16,
                    tooltip="How many vectors are learned for the one concept (described: at most); 1 = a single "
                    "one, as in Textual Inversion; 0 = the preset's.",
                ),
                io.Combo.Input(
                    "merge",
                    options=[PRESET, *MERGES],
                    default=PRESET,
                    tooltip="none: in a row from the first step, never apart. mean: trained apart, then one token, "
                    "their average. concat: trained apart, then all in a row.",
                ),
                io.Float.Input(
                    "merge_at",
                    default=-1.0,
                    min=-1.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Share of the steps after which the tokens merge, 0 to 1; -1 = the preset's.",
                ),
                io.Combo.Input(
                    "context_token",
                    options=[PRESET, *ON_OFF],
                    default=PRESET,
                    tooltip="Learn one more token for the background and throw it away afterwards, so that the concept "
                    "need not carry it.",
                ),
                io.Combo.Input(
                    "init",
                    options=[PRESET, *INITS],
                    default=PRESET,
                    tooltip="Where the tokens start. described: at the words under which the model itself sees the "
                    "subject, looked for first. Others: the class word (with a little noise or not), a random point.",
                ),
                io.Combo.Input(
                    "norm",
                    options=[PRESET, *NORMS],
                    default=PRESET,
                    tooltip="fixed keeps the tokens as long as ordinary words, so that they do not drown the rest of "
                    "the prompt.",
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
