"""From picture to sticker: cut out, bordered and laid out."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..seal_core.masks.methods import METHODS
from ..seal_core.pictures.polarity import POLARITIES
from ..seal_core.stickers.border import Border, Shadow, add_border
from ..seal_core.stickers.cutout import FAILING, STOP, cut_all
from ..seal_core.stickers.cutout_parts import KEEP
from ..seal_core.stickers.layout import ANCHORS, LAYOUTS, lay_out
from .comfy.api import io
from .comfy.progress import noted, progress_of
from .masks import attention_of
from .schema import inputs_checked, schema

CATEGORY = "SEAL/stickers"
STICKER = "The stickers on a transparent ground: RGBA, four channels."
SHOWN = "What the stickers show = 1."
COLOUR = "#rrggbb, #rrggbbaa or a name such as white."


def mask_input(what: str) -> io.Input:
    return io.Mask.Input("mask", optional=True, tooltip=f"{what} Foreground = 1; one for all pictures or one for each.")


class SEALStickerCutout(io.ComfyNode):
    """IMAGE and perhaps MASK -> the subject on a transparent ground."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerCutout",
            display_name="Sticker Cutout",
            category=CATEGORY,
            description="Cut the subject out of its ground: smooth edge, no halo of the old ground's colour, one "
            "subject, no specks.",
            search_aliases=["remove background", "cut out", "transparent background", "rembg", "matting", "alpha"],
            is_input_list=True,  # of many pictures it tells at once which could not be cut out
            inputs=[
                io.Image.Input("image", tooltip="The pictures. An RGBA image's own alpha counts as a mask."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="auto",
                    tooltip="How the subject is found, as in SemanticMask. auto: a usable mask, else border or learned "
                    "(border where the two agree), else attention if a model is wired. border: a colour flood from the "
                    "frame inwards. learned: a small segmenter for drawn stickers.",
                ),
                io.Combo.Input(
                    "keep",
                    options=list(KEEP),
                    default="main",
                    tooltip="main: the largest part and what is large or close to it. largest: that part alone. all: "
                    "everything but specks.",
                ),
                io.Float.Input(
                    "specks",
                    default=0.5,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="Parts of less than so many percent of the largest part's area are dropped; enclosed "
                    "pinholes of less than a fifth of that are filled.",
                ),
                io.Int.Input(
                    "grow", default=0, min=-64, max=64, tooltip="Pixels to grow the cut-out by; negative shrinks it."
                ),
                io.Float.Input(
                    "feather", default=0.0, min=0.0, max=64.0, step=0.5, tooltip="Pixels over which its edge softens."
                ),
                io.Boolean.Input(
                    "decontaminate",
                    default=True,
                    tooltip="Take the old ground's colour out of the edge, so that no halo comes along.",
                ),
                io.Mask.Input(
                    "mask", optional=True, tooltip="LoadImage's MASK or any segmentation: one for all or one for each."
                ),
                io.Combo.Input(
                    "mask_polarity",
                    options=list(POLARITIES),
                    default="auto",
                    optional=True,
                    tooltip="What 1 means in the mask input. auto: what the frame's border shows is background.",
                ),
                io.Model.Input("model", optional=True, tooltip="Only for attention: the diffusion model."),
                io.Clip.Input("clip", optional=True, tooltip="Only for attention: its text encoder."),
                io.Vae.Input("vae", optional=True, tooltip="Only for attention: its VAE."),
                io.String.Input(
                    "class_word",
                    default="",
                    optional=True,
                    tooltip="Only for attention: in a word or two what the picture shows, e.g. cat.",
                ),
                io.Combo.Input(
                    "if_not_found",
                    options=list(FAILING),
                    default=STOP,
                    optional=True,
                    tooltip="What to do with a picture in which no subject is found. stop: nothing goes on, and the "
                    "message names all such pictures. keep the picture: it stays whole, as a card with round corners, "
                    "and the report tells which.",
                ),
            ],
            outputs=[
                io.Image.Output("image", is_output_list=True, tooltip=STICKER),
                io.Mask.Output("mask", is_output_list=True, tooltip=SHOWN),
                io.String.Output("report", tooltip="How many pictures were cut out, and which could not be."),
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
    ) -> io.NodeOutput:
        with noted() as ui:
            cuts, report = cut_all(
                image,
                mask,
                method[0],
                mask_polarity=mask_polarity[0],
                keep=keep[0],
                specks=specks[0],
                grow=grow[0],
                feather=feather[0],
                decontaminate=decontaminate[0],
                attention=attention_of(method[0], model[0], clip[0], vae[0], class_word[0]),
                failing=if_not_found[0],
                progress=progress_of(),
            )
        report = "\n".join([report, *ui["text"]])
        return io.NodeOutput(cuts, [cut[..., 3].clone() for cut in cuts], report, ui=ui)


class SEALStickerBorder(io.ComfyNode):
    """Die-cut outline and drop shadow."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        def pixels(name: str, default: float, tooltip: str, low: float = 0.0) -> io.Input:
            return io.Float.Input(name, default=default, min=low, max=512.0, step=0.5, tooltip=tooltip)

        return schema(
            node_id="SEALStickerBorder",
            display_name="Sticker Border",
            category=CATEGORY,
            description="Draw a die-cut outline and a drop shadow around a cut-out. The canvas grows, so that "
            "nothing is clipped.",
            search_aliases=["outline", "stroke", "die cut", "white border", "drop shadow", "sticker effect"],
            inputs=[
                io.Image.Input(
                    "image", tooltip="Cut-outs (RGBA), e.g. from SEALStickerCutout; or pictures and a mask."
                ),
                pixels("width", 8.0, "Width of the line in pixels; 0 = no line."),
                io.String.Input("colour", default="#ffffff", tooltip=f"Colour of the line: {COLOUR}"),
                pixels("softness", 0.0, "Pixels over which the line's outer edge fades; 0 = a crisp, smooth edge."),
                pixels("gap", 0.0, "Transparent pixels between the subject and the line."),
                pixels("smooth", 6.0, "Radius in pixels up to which inner corners of the line are rounded."),
                io.Boolean.Input(
                    "fill_holes", default=False, tooltip="Fill enclosed holes (a mug's handle) with the line's colour."
                ),
                io.Float.Input(
                    "shadow", default=0.0, min=0.0, max=1.0, step=0.05, tooltip="Opacity of a drop shadow; 0 = none."
                ),
                pixels("shadow_x", 4.0, "Pixels that the shadow falls to the right.", -512.0),
                pixels("shadow_y", 6.0, "Pixels that the shadow falls down.", -512.0),
                pixels("shadow_blur", 6.0, "Pixels over which the shadow's edge is blurred."),
                io.String.Input("shadow_colour", default="#000000", tooltip=f"Colour of the shadow: {COLOUR}"),
                mask_input("The subject, where the image has no alpha (or only part of it is meant)."),
            ],
            outputs=[
                io.Image.Output("image", tooltip=STICKER),
                io.Mask.Output("mask", tooltip="Subject, line and shadow."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: torch.Tensor,
        width: float,
        colour: str,
        softness: float,
        gap: float,
        smooth: float,
        fill_holes: bool,
        shadow: float,
        shadow_x: float,
        shadow_y: float,
        shadow_blur: float,
        shadow_colour: str,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        line = Border(width, colour, softness, gap, smooth, fill_holes)
        cast = Shadow(shadow, shadow_x, shadow_y, shadow_blur, shadow_colour)
        with noted() as ui:
            made = add_border(image, mask, line, cast, progress_of())
        return io.NodeOutput(*made, ui=ui)


class SEALStickerLayout(io.ComfyNode):
    """A platform's canvas."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerLayout",
            display_name="Sticker Layout",
            category=CATEGORY,
            description="Centre, scale and pad stickers to a chat platform's canvas. SEALSaveStickerPack does so by "
            "itself; use this to see or to change it.",
            search_aliases=["fit", "pad", "resize sticker", "telegram", "whatsapp", "512", "canvas", "center"],
            inputs=[
                io.Image.Input("image", tooltip="Stickers (RGBA). A batch is scaled as one, so animations stay still."),
                io.Combo.Input(
                    "platform",
                    options=list(LAYOUTS),
                    default=LAYOUTS[0],
                    tooltip="Whose canvas. custom: width x height below.",
                ),
                io.Boolean.Input(
                    "animated", default=False, tooltip="The platform's canvas for animated stickers; LINE's differs."
                ),
                io.Float.Input(
                    "margin",
                    default=3.0,
                    min=0.0,
                    max=40.0,
                    step=0.5,
                    tooltip="Percent of the canvas's shorter side that stays free all round.",
                ),
                io.Combo.Input(
                    "anchor",
                    options=list(ANCHORS),
                    default="centre",
                    tooltip="Where a sticker stands in a high canvas.",
                ),
                io.Boolean.Input(
                    "enlarge", default=True, tooltip="Scale stickers up that are smaller than the canvas."
                ),
                io.Int.Input(
                    "width",
                    default=512,
                    min=1,
                    max=4096,
                    tooltip="Only for custom: pixels; for imessage 300, 408 or 618 choose its size.",
                ),
                io.Int.Input("height", default=512, min=1, max=4096, tooltip="Only for custom: pixels."),
                mask_input("What of the image is shown."),
            ],
            outputs=[io.Image.Output("image", tooltip=STICKER), io.Mask.Output("mask", tooltip=SHOWN)],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: torch.Tensor,
        platform: str,
        animated: bool,
        margin: float,
        anchor: str,
        enlarge: bool,
        width: int,
        height: int,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        options = {"margin": margin, "anchor": anchor, "enlarge": enlarge, "width": width, "height": height}
        with noted() as ui:
            made = lay_out(image, mask, platform, animated=animated, **options, progress=progress_of())
        return io.NodeOutput(*made, ui=ui)


NODES = [SEALStickerCutout, SEALStickerBorder, SEALStickerLayout]
