"""SEALLowRankSpec: what is learned beside the tokens."""

from __future__ import annotations

from ..seal_core.method.configure import PRESET, WeightChoices
from .comfy.api import io
from .input_checks import inputs_checked
from .schema import WeightsType, reads, schema

_PARTS = {
    "cross-attention": "attn2",
    "cross-attention, keys and values": "kv",
    "all attention": "attn2, attn1",
    "all attention and feed-forward": "attn2, attn1, ff",
}
"""Choice -> parts of a transformer block, as `LowRankSpec` names them."""


class SEALLowRankSpec(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALLowRankSpec",
            display_name="SEAL Low-Rank Weights",
            category="SEAL",
            description="What is learned beside the new word: a small LoRA in the layers that read it. For SEAL Train "
            "Embedding; untouched, it changes nothing.",
            search_aliases=["seal", "lora", "rank", "dreambooth", "custom diffusion", "low rank spec"],
            inputs=[
                io.Int.Input(
                    "rank",
                    default=-1,
                    min=-1,
                    max=256,
                    extra_dict=reads((-1, "preset"), (0, "none")),
                    tooltip="Higher holds more detail and overfits sooner. none (0) = no weights, only the new word; "
                    "preset (-1) = the preset's.",
                ),
                io.Float.Input(
                    "alpha",
                    default=-1.0,
                    min=-1.0,
                    max=1024.0,
                    step=0.5,
                    extra_dict=reads((-1, "preset"), (0, "rank")),
                    tooltip="The weights count alpha / rank. rank (0) = as much as the rank; preset (-1) = the "
                    "preset's.",
                ),
                io.Combo.Input(
                    "parts",
                    options=[PRESET, *_PARTS],
                    default=PRESET,
                    tooltip="Which layers get weights: more hold more detail. Keys and values of the cross-attention "
                    "are what Custom Diffusion trains.",
                ),
                io.Float.Input(
                    "kept",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    extra_dict=reads((0, "preset")),
                    tooltip="Share of the learned weights that is saved, since guidance multiplies them. Lower it when "
                    "colours are too strong. preset (0) = the preset's.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.0001,
                    round=False,
                    extra_dict=reads((0, "preset")),
                    tooltip="Of the weights alone. preset (0) = the preset's.",
                ),
                io.Float.Input(
                    "locality",
                    default=-1.0,
                    min=-1.0,
                    max=10_000.0,
                    step=1.0,
                    extra_dict=reads((-1, "preset")),
                    tooltip="How strongly prompts without the new word must stay as they were. 0 = not at all; preset "
                    "(-1) = the preset's.",
                ),
            ],
            outputs=[
                WeightsType.Output("weights", tooltip="For SEAL Train Embedding."),
                io.String.Output("summary", tooltip="What differs from the preset."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls, rank: int, alpha: float, parts: str, kept: float, learning_rate: float, locality: float
    ) -> io.NodeOutput:
        weights = WeightChoices(rank, alpha, _PARTS.get(parts, parts), kept, learning_rate, locality)
        return io.NodeOutput(weights, str(weights))


NODES = [SEALLowRankSpec]
