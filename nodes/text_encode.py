"""SEALTextEncode: a prompt with learned concepts in it."""

from __future__ import annotations

from typing import Any

from ..seal_core.concept.concept import Embedding
from .comfy.api import io
from .comfy.encode_prompt import encode_prompt
from .comfy.node_ui import notes_on_node
from .input_checks import inputs_checked
from .schema import EmbeddingType, schema
from .shared_inputs import strength_input


class SEALTextEncode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTextEncode",
            display_name="SEAL Text Encode",
            category="SEAL",
            description="Encode a prompt that names learned concepts. With SEAL Apply Embedding on the model, each "
            "concept enters only the layers and part of the sampling that it was trained for; without it, it is a "
            "plain embedding.",
            search_aliases=["prompt", "CLIP text encode", "concept prompt"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder of the base model that the concept was trained on."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="The prompt, with the concept's name (<my-sticker>) or embedding:NAME as its subject. "
                    "Weights such as (<my-sticker>:1.2) work. Before Conditioning (Concat), wire this node to "
                    "conditioning_to: only that input keeps the layers.",
                ),
                EmbeddingType.Input("embedding", tooltip="One or several learned concepts."),
                strength_input(
                    "0 = the plain class word, 1 = as learned, above 1 = exaggerated. Lower it when the "
                    "picture ignores the prompt. (1 is HiPer's own 0.8 for a tail.)",
                    most=2.0,
                ),
            ],
            outputs=[io.Conditioning.Output("conditioning", tooltip="For a sampler's positive or negative input.")],
        )

    @classmethod
    @inputs_checked
    def execute(cls, clip: Any, text: str, embedding: Embedding, strength: float = 1.0) -> io.NodeOutput:
        with notes_on_node() as shown:
            conditioning = encode_prompt(clip, text, embedding, strength)
        return io.NodeOutput(conditioning, ui=shown)


NODES = [SEALTextEncode]
