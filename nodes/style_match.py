"""SEALStyleMatch: which region takes its look from which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..seal_core.style.matching import match, require_few_styles
from ..seal_core.style.previews import in_one_batch, pairs_preview
from ..seal_core.style.regions import Regions
from .comfy.api import io
from .comfy.vision_features import patch_features
from .input_checks import inputs_checked
from .schema import PairsType, RegionsType, schema
from .shared_inputs import STYLE


class SEALStyleMatch(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStyleMatch",
            display_name="SEAL Style Match",
            category=STYLE,
            description="Choose for each region of a picture the region of the style pictures whose look it takes; by "
            "likeness, or as you say.",
            search_aliases=["style transfer", "regions", "StyleGallery", "restyle"],
            inputs=[
                RegionsType.Input("content", tooltip="Regions of the picture that is to be restyled; one or several."),
                RegionsType.Input("style", tooltip="Regions of the style picture or pictures."),
                RegionsType.Input("style_2", optional=True, tooltip="Further style pictures, counted on."),
                RegionsType.Input("style_3", optional=True, tooltip="Further style pictures, counted on."),
                io.String.Input(
                    "override",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip='Your own choices, one a line: "2 <- style 1 region 3", or "4 <- none" for a region that '
                    "keeps its look. The preview shows the numbers. The rest is found by likeness.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="Judges likeness by this model, such as DINOv2 from Load CLIP Vision, in place of the "
                    "diffusion model's own features.",
                ),
            ],
            outputs=[
                PairsType.Output("pairs", tooltip="For SEAL Restyle."),
                io.Image.Output("preview", tooltip="What belongs together has one colour. Grey: not used."),
                io.String.Output("table", tooltip="The pairs as text; paste it into `override` and change it."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        content: Sequence[Regions],
        style: Sequence[Regions],
        style_2: Sequence[Regions] = (),
        style_3: Sequence[Regions] = (),
        override: str = "",
        clip_vision: Any = None,
    ) -> io.NodeOutput:
        styles = (*style, *(style_2 or ()), *(style_3 or ()))
        require_few_styles("style", len(styles), "pictures")
        pairs = []
        for one in content:
            own = None if clip_vision is None else [patch_features(clip_vision, part) for part in (one, *styles)]
            pairs.append(match(one, styles, override, own))
        sheets = [pairs_preview(one) for one in pairs]
        return io.NodeOutput(tuple(pairs), in_one_batch(sheets), "\n".join(str(p).replace("; ", "\n") for p in pairs))


NODES = [SEALStyleMatch]
