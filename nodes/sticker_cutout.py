"""SEALStickerCutout: the subject of a picture on a transparent ground."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..seal_core.masks.methods import METHODS
from ..seal_core.stickers.cutout import FAILING, STOP, cut_all
from ..seal_core.stickers.cutout_parts import KEEP
from .comfy.api import io
from .comfy.attention_masks import attention_method
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import (
    CONFIDENCE,
    SHOWN_OUT,
    STICKER_OUT,
    STICKERS,
    attention_models,
    grow_and_feather,
    holes_input,
    mask_and_polarity,
)


class SEALStickerCutout(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerCutout",
            display_name="SEAL Sticker Cutout",
            category=STICKERS,
            description="Cut the subject out of its background: smooth edge, no halo of the old background's colour, "
            "one subject, no specks.",
            search_aliases=["remove background", "cut out", "transparent background", "rembg", "matting", "alpha"],
            is_input_list=True,  # one message then names every picture that could not be cut out
            inputs=[
                io.Image.Input("image", tooltip="The pictures. An RGBA image's own alpha counts as a mask."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="auto",
                    tooltip="How to find the subject, as in SEAL Semantic Mask. auto: its transparency or the mask, "
                    "else learned. border: by colour alone, on a plain background. learned: a small network for drawn "
                    "stickers.",
                ),
                io.Combo.Input(
                    "keep",
                    options=list(KEEP),
                    default="main",
                    tooltip="main: the largest part, and parts that are large too or close to it. largest: that part "
                    "alone. all: everything but specks.",
                ),
                io.Float.Input(
                    "specks",
                    default=0.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Drop parts smaller than so many percent of the largest one, and fill pinholes smaller "
                    "than a fifth of that.",
                ),
                *grow_and_feather("cut-out"),
                io.Boolean.Input(
                    "decontaminate",
                    default=True,
                    tooltip="Take the old background's colour out of the edge, so that no halo stays.",
                ),
                *mask_and_polarity("Load Image's MASK or any segmentation: one for all pictures or one each."),
                *attention_models(),
                io.Combo.Input(
                    "if_not_found",
                    options=list(FAILING),
                    default=STOP,
                    optional=True,
                    tooltip="Where no subject is found. stop: an error that names all such pictures. keep the picture: "
                    "it stays whole, with round corners, and the report names it.",
                ),
                holes_input(),
            ],
            outputs=[
                io.Image.Output("image", is_output_list=True, tooltip=STICKER_OUT),
                io.Mask.Output("mask", is_output_list=True, tooltip=SHOWN_OUT),
                io.String.Output("report", tooltip="How many pictures were cut out, which were not, and why."),
                io.Float.Output("confidence", tooltip=CONFIDENCE),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: list[torch.Tensor],
        method: list[str],
        keep: list[str],
        specks: list[float],
        grow: list[int],
        feather: list[float],
        decontaminate: list[bool],
        mask: Sequence[torch.Tensor] = (),
        mask_polarity: Sequence[str] = ("auto",),
        model: Sequence = (None,),
        clip: Sequence = (None,),
        vae: Sequence = (None,),
        class_word: Sequence[str] = ("",),
        if_not_found: Sequence[str] = (STOP,),
        holes: Sequence[str] = ("auto",),
    ) -> io.NodeOutput:
        with notes_on_node() as ui:
            cuts, report, confidence = cut_all(
                image,
                mask,
                method[0],
                mask_polarity=mask_polarity[0],
                holes=holes[0],
                keep=keep[0],
                specks=specks[0],
                grow=grow[0],
                feather=feather[0],
                decontaminate=decontaminate[0],
                attention=attention_method(method[0], model[0], clip[0], vae[0], class_word[0]),
                failing=if_not_found[0],
                progress=progress_bar(),
            )
        report = "\n".join([report, *ui["text"]])
        return io.NodeOutput(cuts, [cut[..., 3].clone() for cut in cuts], report, confidence, ui=ui)


NODES = [SEALStickerCutout]
