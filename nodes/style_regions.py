"""SEALStyleRegions: a picture in regions that look alike to the model."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from ..seal_core.style.pictures_to_regions import RegionSettings, regions_of
from ..seal_core.style.previews import regions_preview
from .comfy.api import io
from .comfy.comfy_host import ComfyHost
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import RegionsType, schema
from .shared_inputs import STYLE, resolution_input, seed_input


class SEALStyleRegions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStyleRegions",
            display_name="SEAL Style Regions",
            category=STYLE,
            description="Cut a picture into regions that look alike to the model: fur, outline, clothes, ground. One "
            "such node for what is to be restyled, one for the pictures whose look it takes.",
            search_aliases=["style transfer", "segment", "regions", "StyleGallery", "restyle"],
            inputs=[
                io.Model.Input("model", tooltip="A U-Net model: SD 1.x, SD 2.x or SDXL. It is not changed."),
                io.Clip.Input("clip", tooltip="Its text encoder, for the empty prompt."),
                io.Vae.Input("vae", tooltip="Its VAE."),
                io.Image.Input("image", tooltip="The picture, or several. Each gets regions of its own."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Subject = 1, from SEAL Semantic Mask. Subject and ground are then cut apart, and each "
                    "takes its look from its like. Without one, an image's own transparency counts.",
                ),
                io.Int.Input(
                    "most",
                    default=6,
                    min=1,
                    max=30,
                    optional=True,
                    tooltip="Regions at most: of the picture, or with a mask of subject and ground each. How many "
                    "there are is found out.",
                ),
                io.Int.Input(
                    "steps",
                    default=15,
                    min=1,
                    max=200,
                    optional=True,
                    tooltip="Passes of the model over each picture. Fewer are faster and coarser.",
                ),
                resolution_input(
                    "Longer side in pixels; 0 = the model's own. The restyled picture has this size.", optional=True
                ),
                seed_input("Same seed, same regions.", optional=True),
            ],
            outputs=[
                RegionsType.Output("regions", tooltip="For SEAL Style Match."),
                io.Image.Output("preview", tooltip="The regions in colours, with the numbers that overrides use."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        image: torch.Tensor,
        mask: torch.Tensor | None = None,
        most: int = 6,
        steps: int = 15,
        resolution: int = 0,
        seed: int = 0,
    ) -> io.NodeOutput:
        settings = RegionSettings(most, steps, resolution, seed)
        with contextlib.ExitStack() as stack:
            ui = stack.enter_context(notes_on_node())
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
            host = stack.enter_context(ComfyHost(model, clip, vae, gradients=False))
            host.plan(1, resolution or host.resolution)
            # Outside inference mode nothing may be written into tensors from inside it.
            masks = None if mask is None else mask.clone()
            regions = regions_of(host, image.clone(), masks, settings, progress_bar())
        preview = torch.stack([regions_preview(one) for one in regions])
        return io.NodeOutput(regions, preview, ui=ui)


NODES = [SEALStyleRegions]
