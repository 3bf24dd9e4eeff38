"""LayerRestrictionSpec: where and when the learned token may enter the U-Net."""

from __future__ import annotations

from ..seal_core.concept.settings import Layers
from ..seal_core.method.sites import PRESETS, parse_sites, site_table, spelled
from .comfy.api import io
from .comfy.sites import native_resolution, require_unet, unet_sites
from .schema import LayersType, inputs_checked, schema


class LayerRestrictionSpec(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="LayerRestrictionSpec",
            display_name="SEAL Layer Restriction",
            category="SEAL",
            description="Lets the learned token into chosen cross-attention layers only, and only in a part of the "
            "sampling; everywhere else the model reads the class word. Keeps pose and layout free.",
            search_aliases=["seal", "layers", "cross-attention", "restriction", "p+"],
            inputs=[
                io.Model.Input("model", tooltip="The model that will be trained with; its layers are listed."),
                io.Combo.Input(
                    "preset",
                    options=[*PRESETS, "custom"],
                    default="up",
                    tooltip="appearance: the up part without its coarsest level. up: the whole up part. "
                    "all: no restriction. custom: what `layers` says.",
                ),
                io.String.Input(
                    "layers",
                    default="up.2-8",
                    tooltip="For custom: names (up.3), ranges (up.3-5), groups (down, mid, up, all), comma-separated; "
                    "a leading - leaves out (all, -mid).",
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where in the sampling the token becomes active; 0 is the noisiest step.",
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where in the sampling the token stops being active.",
                ),
            ],
            outputs=[
                LayersType.Output("layers", tooltip="For SEAL Train Embedding or SEAL Route Conditioning."),
                io.String.Output("summary", tooltip="One line a layer: name, size of its map, allowed or not."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(cls, model, preset: str, layers: str, start_percent: float, end_percent: float) -> io.NodeOutput:
        sites = unet_sites(require_unet(model))
        names = parse_sites(layers if preset == "custom" else preset, sites)
        spec = Layers(spelled(names, sites), start_percent, end_percent)
        return io.NodeOutput(spec, site_table(sites, names, native_resolution(model)))


NODES = [LayerRestrictionSpec]
