"""SemanticMask: what of a sticker is the subject."""

from __future__ import annotations

import torch

from ..seal_core.callbacks import reporting
from ..seal_core.masks.methods import METHODS, FoundSubject, semantic_mask
from ..seal_core.masks.preview import mask_overlay
from ..seal_core.pictures.inputs import images_of
from ..seal_core.pictures.polarity import coverage
from .comfy.api import io
from .comfy.attention_masks import attention_method
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import CONFIDENCE, attention_models, grow_and_feather, holes_input, mask_and_polarity


class SemanticMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SemanticMask",
            display_name="SEAL Semantic Mask",
            category="SEAL",
            description="Find the subject of a sticker: from its transparency, a mask, the colours at its frame, a "
            "small segmenter that comes along, or a diffusion model's attention. The subject is 1.",
            search_aliases=["sticker mask", "foreground mask", "remove background", "cut out", "matte", "SEAL mask"],
            inputs=[
                io.Image.Input("image", tooltip="The sticker, or several. An RGBA image's own alpha counts as a mask."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="auto",
                    tooltip="auto: alpha where there is one, else learned. alpha: the mask input or the image's "
                    "alpha. border: by colour alone, on a plain background. learned: a small network for drawn "
                    "stickers. attention: where the wired model sees the class word.",
                ),
                *grow_and_feather("mask"),
                *mask_and_polarity(
                    "Load Image's MASK or any segmentation: one for all images or one each; another size is resized."
                ),
                *attention_models(),
                holes_input(),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="Subject = 1, as high and wide as the image."),
                io.Image.Output(
                    "preview",
                    tooltip="The image with its background in magenta and an outline. Yellow: another way to see it.",
                ),
                io.Float.Output("coverage", tooltip="Share of the picture that is subject, 0 to 1."),
                io.Float.Output("confidence", tooltip=CONFIDENCE),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: torch.Tensor,
        method: str,
        grow: int,
        feather: float,
        mask: torch.Tensor | None = None,
        mask_polarity: str = "auto",
        model=None,
        clip=None,
        vae=None,
        class_word: str = "",
        holes: str = "auto",
    ) -> io.NodeOutput:
        options = {"mask_polarity": mask_polarity, "holes": holes, "grow": grow, "feather": feather}
        found: list[FoundSubject] = []
        attention = attention_method(method, model, clip, vae, class_word)
        with notes_on_node() as ui:
            images = images_of(image)
            progress = progress_bar()
            masks = semantic_mask(
                images, mask, method, **options, attention=attention, progress=progress, look=found.append
            )
            rows = zip(reporting(images, progress), masks, found)
            preview = torch.stack([mask_overlay(one, its_mask, its.other) for one, its_mask, its in rows])
        return io.NodeOutput(masks, preview, coverage(masks), min(f.confidence for f in found), ui=ui)


NODES = [SemanticMask]
