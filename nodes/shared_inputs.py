"""Inputs and wording that several nodes share."""

from __future__ import annotations

from typing import Any

from ..seal_core.masks.holes import HOLES
from ..seal_core.pictures.polarity import POLARITIES
from .comfy.api import io
from .comfy.fonts import AUTOMATIC, font_options
from .schema import ADVANCED, reads

STICKERS = "SEAL/stickers"
"""Category of the nodes for pictures and prompts."""

STYLE = "SEAL/style"
"""Category of the nodes for looks that come from pictures."""

MOTION = "SEAL/motion"
"""Category of the nodes for motion that is learned."""

STICKER_OUT = "The stickers on a transparent ground (RGBA)."
SHOWN_OUT = "1 where the sticker shows something."
PATCHED_OUT = "A patched copy; the model that is wired in stays as it is."
LOSS_OUT = "The loss along the steps. It is noisy: look at its trend."
COLOUR = "#rrggbb, #rrggbbaa or a name such as white."
FONT = (
    "automatic: the built-in font (Latin, Greek, Cyrillic, kana); what it lacks, such as emoji and Chinese, comes from "
    "models/fonts or the system. bundled: the built-in font alone, the same on every machine. Others: this file first."
)


def font_input(more: str = "", optional: bool = False) -> io.Input:
    """Which font writes. Its node needs `validate_inputs`, which accepts fonts that are not listed."""
    return io.Combo.Input("font", options=font_options(), default=AUTOMATIC, optional=optional, tooltip=f"{FONT}{more}")


def colour_input(name: str, default: str, what: str) -> io.Input:
    """A colour: a picker where this ComfyUI has one (0.8 has not), else a text field; both give a text."""
    tooltip = f"Colour of {what}: {COLOUR}"
    if hasattr(io, "Color"):
        return io.Color.Input(name, default=default, tooltip=tooltip, socketless=False)
    return io.String.Input(name, default=default, tooltip=tooltip)


def seed_input(tooltip: str, **more: Any) -> io.Input:
    """A seed that stays as it is: the same settings, the same result."""
    return io.Int.Input("seed", default=0, min=0, max=2**53 - 1, control_after_generate=False, tooltip=tooltip, **more)


def strength_input(tooltip: str, most: float = 1.0) -> io.Input:
    """How much a look, a motion or a concept counts: 0 not at all, 1 as it is."""
    return io.Float.Input("strength", default=1.0, min=0.0, max=most, step=0.05, tooltip=tooltip)


def fps_input(tooltip: str) -> io.Input:
    """Frames a second of animations that do not say it themselves."""
    return io.Float.Input("fps", default=12.0, min=0.1, max=120.0, step=0.1, tooltip=tooltip)


def resolution_input(tooltip: str, step: int = 64, **more: Any) -> io.Input:
    """The size at which a model looks at pictures; 0 = its own."""
    return io.Int.Input("resolution", default=0, min=0, max=4096, step=step, tooltip=tooltip, **more)


def training_resolution(more: str = "") -> io.Input:
    """The size at which a training looks at its pictures."""
    tooltip = "Longer side in pixels. model's own (0): what it was made for; smaller is faster and takes less memory."
    return resolution_input(tooltip + more, step=8, extra_dict=reads((0, "model's own"), advanced=True))


def preset_numbers(steps: str, learning_rate: str, batch_size: str, **more: Any) -> list[io.Input]:
    """Numbers of a training with presets, in which 0 is the preset's; given are their tooltips."""
    rate = {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.0001, "round": False}
    return [
        io.Int.Input("steps", default=0, min=0, max=100_000, tooltip=steps, **more),
        io.Float.Input("learning_rate", tooltip=learning_rate, **rate, **more),
        io.Int.Input("batch_size", default=0, min=0, max=64, tooltip=batch_size, **more),
    ]


def rate_input(default: float) -> io.Input:
    """The learning rate of a training without presets."""
    return io.Float.Input(
        "learning_rate",
        default=default,
        min=1e-6,
        max=1.0,
        step=0.0001,
        round=False,
        extra_dict=ADVANCED,
        tooltip="Pace at the start; it falls to nearly nothing at the end.",
    )


def checkpoint_inputs() -> list[io.Input]:
    """What a training needs of a checkpoint."""
    return [
        io.Model.Input("model", tooltip="A U-Net model: SD 1.x, SD 2.x or SDXL. It is not changed."),
        io.Clip.Input("clip", tooltip="The text encoder of the same checkpoint."),
        io.Vae.Input("vae", tooltip="The VAE of the same checkpoint."),
    ]


def run_id_input() -> io.Input:
    """A number that makes an equal training another one."""
    return io.Int.Input(
        "run_id",
        default=0,
        min=0,
        max=2**31 - 1,
        optional=True,
        extra_dict=ADVANCED,
        tooltip="Settings that were trained before reuse the file. Change this number to train again.",
    )


def window_inputs(start: float, begins: str, ends: str = "Until which share.", **more: Any) -> list[io.Input]:
    """The part of the sampling in which something acts; begins, ends: the tooltips."""
    share = {"min": 0.0, "max": 1.0, "step": 0.01, **more}
    return [
        io.Float.Input("start_percent", default=start, tooltip=begins, **share),
        io.Float.Input("end_percent", default=1.0, tooltip=ends, **share),
    ]


def shown_mask(what: str) -> io.Input:
    """The optional `mask` of a node that works on finished stickers."""
    return io.Mask.Input(
        "mask", optional=True, tooltip=f"{what} Foreground = 1; one mask for all pictures or one each."
    )


def grow_and_feather(what: str) -> list[io.Input]:
    """`grow` and `feather`, in pixels."""
    return [
        io.Int.Input(
            "grow", default=0, min=-64, max=64, tooltip=f"Grow the {what} by so many pixels; minus shrinks it."
        ),
        io.Float.Input(
            "feather", default=0.0, min=0.0, max=64.0, step=0.5, tooltip="Pixels over which its edge softens."
        ),
    ]


POLARITY = (
    "What 1 means in the mask. auto: whatever touches the picture's border is background, so the inverted MASK of Load "
    "Image comes out right."
)


def polarity_input(tooltip: str = POLARITY, **more: Any) -> io.Input:
    """Which way round a mask is."""
    options = list(POLARITIES)
    return io.Combo.Input("mask_polarity", options=options, default="auto", optional=True, tooltip=tooltip, **more)


def mask_and_polarity(what: str) -> list[io.Input]:
    """A mask from elsewhere, and which way round it is."""
    return [io.Mask.Input("mask", optional=True, tooltip=what), polarity_input()]


def holes_input() -> io.Input:
    """What becomes of enclosed places."""
    return io.Combo.Input(
        "holes",
        options=list(HOLES),
        default="auto",
        optional=True,
        tooltip="Places enclosed by the subject. auto: as the method sees them. keep: all of them are subject, such as "
        "a white face on white paper. cut: those that look like the background are background, such as the inside of "
        "a handle.",
    )


CONFIDENCE = (
    "How sure the masks are, 0 to 1: the overlap with the true subject that can be expected of the least sure "
    "picture. Below 0.9 have a look."
)


def attention_models() -> list[io.Input]:
    """The models and the word for a mask by attention."""
    return [
        io.Model.Input("model", optional=True, tooltip="Only for method attention: a diffusion model."),
        io.Clip.Input("clip", optional=True, tooltip="Only for method attention: its text encoder."),
        io.Vae.Input("vae", optional=True, tooltip="Only for method attention: its VAE."),
        io.String.Input(
            "class_word",
            default="",
            optional=True,
            tooltip="Only for method attention: what the picture shows, in a word or two, e.g. cat.",
        ),
    ]
