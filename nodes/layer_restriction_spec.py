"""LayerRestrictionSpec: where and when the learned token may enter the U-Net."""

from __future__ import annotations

from ..seal_core.concept.settings import Layers
from ..seal_core.method.site_maps import SITE_MAPS, site_map
from ..seal_core.method.sites import PRESETS, parse_sites, site_table, spelled
from .comfy.api import io
from .comfy.unet_sites import native_resolution, require_unet, unet_sites
from .input_checks import inputs_checked
from .schema import LayersType, schema
from .shared_inputs import window_inputs


class LayerRestrictionSpec(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="LayerRestrictionSpec",
            display_name="SEAL Layer Restriction",
            category="SEAL",
            description="Choose the U-Net's layers that read the learned word. All others read the class word, which "
            "leaves pose and layout to the prompt.",
            search_aliases=["seal", "layers", "cross-attention", "layer restriction spec", "p+"],
            inputs=[
                io.Model.Input("model", tooltip="The model you will train with; `summary` lists its layers."),
                io.Combo.Input(
                    "preset",
                    options=[*PRESETS, "custom"],
                    default="up",
                    tooltip="up: the U-Net's whole up part. appearance: the up part without its coarsest level. "
                    "all: no restriction. custom: what `layers` says.",
                ),
                io.String.Input(
                    "layers",
                    default="up.2-8",
                    extra_dict={"seal_site_maps": SITE_MAPS},
                    tooltip="Only for custom. Names (up.3), ranges (up.3-5) and groups (down, mid, up, all), comma-"
                    "separated; a minus leaves out (all, -mid).",
                ),
                *window_inputs(
                    0.0,
                    "When in the sampling the word begins to count; 0 = from the first, noisiest step.",
                    "When in the sampling the word stops counting; 1 = not before the end.",
                ),
            ],
            outputs=[
                LayersType.Output("layers", tooltip="For SEAL Train Embedding or SEAL Route Conditioning."),
                io.String.Output("summary", tooltip="One line a layer: its name, the size of its map, allowed or not."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(cls, model, preset: str, layers: str, start_percent: float, end_percent: float) -> io.NodeOutput:
        sites = unet_sites(require_unet(model))
        names = parse_sites(layers if preset == "custom" else preset, sites)
        spec = Layers(spelled(names, sites), start_percent, end_percent)
        resolution = native_resolution(model)
        shown = {"seal_site_map": [site_map(sites, resolution)]}
        return io.NodeOutput(spec, site_table(sites, names, resolution), ui=shown)


NODES = [LayerRestrictionSpec]
