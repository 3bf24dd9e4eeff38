"""SemanticMask: what of a sticker is the subject."""

from __future__ import annotations

import torch

from ..seal_core.callbacks import reporting
from ..seal_core.masks.methods import METHODS, AttentionMask, semantic_mask
from ..seal_core.masks.preview import mask_overlay
from ..seal_core.masks.self_attention import attention_mask
from ..seal_core.messages import SealError
from ..seal_core.pictures.inputs import images_of
from ..seal_core.pictures.polarity import POLARITIES, coverage
from .comfy.api import io
from .comfy.progress import noted, progress_of
from .schema import inputs_checked, schema


class SemanticMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SemanticMask",
            display_name="Semantic Mask (SEAL)",
            category="SEAL",
            description="Foreground mask of a sticker: from its alpha or a mask, from the colours at its frame, from a "
            "small segmenter that comes along, or from the model's own attention. Foreground is 1.",
            search_aliases=["sticker mask", "foreground mask", "remove background", "cut out", "matte", "SEAL mask"],
            inputs=[
                io.Image.Input("image", tooltip="The sticker, or several. An RGBA image's own alpha counts as a mask."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="auto",
                    tooltip="auto: a usable mask, else border or learned (border where the two agree), else attention "
                    "if a model is wired. alpha: the mask input. border: a colour flood from the frame inwards; "
                    "gradients, drop shadows and patterns count as ground. learned: a small segmenter for drawn "
                    "stickers; knows white borders on white and scenery. attention: the wired model's own attention "
                    "to the class word.",
                ),
                io.Int.Input(
                    "grow", default=0, min=-64, max=64, tooltip="Pixels to grow the mask by; negative shrinks it."
                ),
                io.Float.Input(
                    "feather", default=0.0, min=0.0, max=64.0, step=0.5, tooltip="Pixels over which its edge softens."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="LoadImage's MASK or any segmentation: one for all images or one for each; "
                    "another size is resized.",
                ),
                io.Combo.Input(
                    "mask_polarity",
                    options=list(POLARITIES),
                    default="auto",
                    optional=True,
                    tooltip="What 1 means in the mask input. auto: what the frame's border shows is background, so "
                    "LoadImage's inverted MASK comes out right.",
                ),
                io.Model.Input("model", optional=True, tooltip="Only for attention: the diffusion model."),
                io.Clip.Input("clip", optional=True, tooltip="Only for attention: its text encoder."),
                io.Vae.Input("vae", optional=True, tooltip="Only for attention: its VAE."),
                io.String.Input(
                    "class_word",
                    default="",
                    optional=True,
                    tooltip="Only for attention: in a word or two what the sticker shows, e.g. cat.",
                ),
            ],
            outputs=[
                io.Mask.Output("mask", tooltip="Foreground = 1, in the image's height and width."),
                io.Image.Output("preview", tooltip="The image, its ground covered in magenta, its outline drawn."),
                io.Float.Output("coverage", tooltip="Share of the picture that is foreground, 0 to 1."),
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
    ) -> io.NodeOutput:
        options = {"mask_polarity": mask_polarity, "grow": grow, "feather": feather}
        attention = attention_of(method, model, clip, vae, class_word)
        with noted() as ui:
            images = images_of(image)
            progress = progress_of()
            masks = semantic_mask(images, mask, method, **options, attention=attention, progress=progress)
            pairs = zip(reporting(images, progress), masks)
            preview = torch.stack([mask_overlay(one, its_mask) for one, its_mask in pairs])
        return io.NodeOutput(masks, preview, coverage(masks), ui=ui)


def attention_of(method: str, model, clip, vae, class_word: str) -> AttentionMask | None:
    """What `semantic_mask` asks for attention: None where nothing is wired for it, a clear error where it is needed."""
    given = {"model": model, "clip": clip, "vae": vae, "class_word": class_word.strip() or None}
    missing = ", ".join(name for name, value in given.items() if value is None)
    if missing and method == "attention":
        raise SealError(f"{missing}: method attention needs model, clip, vae and class_word; add what is missing.")
    if missing:
        return None

    def find(image: torch.Tensor) -> torch.Tensor:
        # Only here: reading the wired model is needed only when the other methods have not answered.
        from .comfy.private import NEEDS, lacks

        if lacking := lacks(NEEDS["train"]):  # the same host
            raise SealError(f"model: this ComfyUI has no {lacking}; choose method border or learned, or wire a mask.")
        from .comfy.host import ComfyHost

        with torch.inference_mode(False), torch.no_grad(), ComfyHost(model, clip, vae, gradients=False) as host:
            return attention_mask(host, image, class_word)

    return find


NODES = [SemanticMask]
