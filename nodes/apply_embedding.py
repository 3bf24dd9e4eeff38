"""SEALApplyEmbedding: the layer restriction at generation."""

from __future__ import annotations

from typing import Any

from ..seal_core.concept.concept import Embedding
from .comfy.api import io
from .comfy.routing.apply import check_embedding, routed
from .comfy.routing.weights import with_weights
from .schema import EmbeddingType, schema
from .shared_inputs import PATCHED_OUT


class SEALApplyEmbedding(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALApplyEmbedding",
            display_name="SEAL Apply Embedding",
            category="SEAL",
            description="Let learned concepts enter only the layers and part of the sampling that they were "
            "trained for, in prompts from SEAL Text Encode or SEAL Route Conditioning, and add the weights of concepts "
            "that have any. Applying it twice changes nothing.",
            search_aliases=["layer restriction", "patch model", "route conditioning"],
            inputs=[
                io.Model.Input("model", tooltip="An SD 1.x, SD 2.x or SDXL model. LoRAs and other patches stay."),
                EmbeddingType.Input(
                    "embedding",
                    optional=True,
                    tooltip="Needed for concepts with weights (LoRA), which it brings. Others are only checked: were "
                    "they trained for this kind of model?",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    optional=True,
                    tooltip="Of the weights, as in Load LoRA. Concepts without weights have their strength in SEAL "
                    "Text Encode.",
                ),
            ],
            outputs=[io.Model.Output("model", tooltip=PATCHED_OUT)],
        )

    @classmethod
    def execute(cls, model: Any, embedding: Embedding | None = None, strength: float = 1.0) -> io.NodeOutput:
        if embedding is not None:
            check_embedding(model, embedding)
            model = with_weights(model, embedding, strength)
        return io.NodeOutput(routed(model))


NODES = [SEALApplyEmbedding]
