"""SEALRouteConditioning: the layer restriction for any two prompts."""

from __future__ import annotations

from ..seal_core.concept.settings import Layers
from .comfy.api import io
from .comfy.routing.route import route_conditioning
from .schema import LayersType, schema


class SEALRouteConditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALRouteConditioning",
            display_name="SEAL Route Conditioning",
            category="SEAL",
            description="Send one prompt into the chosen layers and part of the sampling, and another into all "
            "others, whatever node encoded them. Needs SEAL Apply Embedding on the model; without it only `learned` "
            "counts.",
            search_aliases=["layer prompt", "per block prompt", "attention routing"],
            inputs=[
                io.Conditioning.Input("learned", tooltip="The prompt for the chosen layers, with the concept in it."),
                io.Conditioning.Input(
                    "plain",
                    tooltip="The prompt for all other layers: the same words with the class word. On SDXL its pooled "
                    "vector is used, since that reaches every layer.",
                ),
                LayersType.Input("layers", tooltip="Where and when `learned` may enter."),
            ],
            outputs=[io.Conditioning.Output("conditioning", tooltip="For a sampler's positive or negative input.")],
        )

    @classmethod
    def execute(cls, learned: list, plain: list, layers: Layers) -> io.NodeOutput:
        return io.NodeOutput(route_conditioning(learned, plain, layers))


NODES = [SEALRouteConditioning]
