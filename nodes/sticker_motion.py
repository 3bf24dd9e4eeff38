"""SEALStickerMotion: stickers that move, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..seal_core.motion.motion_laws import MOTIONS
from ..seal_core.motion.moving_stickers import (
    FEWEST_FRAMES,
    MOST_FPS,
    MOST_FRAMES,
    STRONGEST,
    MotionSettings,
    moving_stickers,
)
from ..seal_core.motion.overlay_laws import NONE, OVERLAYS
from ..seal_core.stickers.canvas import rgba8
from ..seal_core.stickers.pack.clip import Clip
from .comfy.api import io
from .comfy.moving_ui import clips_on_node
from .comfy.node_ui import notes_on_node, progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import SHOWN_OUT, STICKERS, strength_input


class SEALStickerMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerMotion",
            display_name="SEAL Sticker Motion",
            category=STICKERS,
            description="Let stickers move without any model: each picture bounces, shakes, pops, wobbles, swings or "
            "floats, or key poses follow each other, in a seamless loop. Wire it to SEAL Save Sticker Pack.",
            search_aliases=[
                *("animate", "animated sticker", "animation", "bounce", "shake", "wobble", "swing", "float"),
                *("squash and stretch", "loop", "gif", "key poses", "hearts", "sparkle"),
            ],
            is_output_node=True,
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="Stickers, best cut out (RGBA), as a batch or a list. Each becomes an animation of its "
                    "own. For motion poses: 2 to 8 key poses, as one batch or as the list that a sweep gives.",
                ),
                io.Combo.Input(
                    "motion",
                    options=list(MOTIONS),
                    default="bounce",
                    tooltip="poses: the pictures themselves, one after the other, ducking and springing in between. "
                    "Others move each picture.",
                ),
                strength_input(
                    "How far it goes. The subject is scaled so that nothing leaves the picture. 0: only the overlay "
                    "moves.",
                    most=STRONGEST,
                ),
                io.Int.Input(
                    "frames",
                    default=16,
                    min=FEWEST_FRAMES,
                    max=MOST_FRAMES,
                    tooltip="Frames of one loop. For poses 8 for each key pose look best. LINE takes 20 at most.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=MOST_FPS,
                    step=0.1,
                    tooltip="Frames a second. 0: the motion's own pace, e.g. a bounce in 0.8 s, a pose in 0.6 s.",
                ),
                io.Combo.Input(
                    "overlay",
                    options=list(OVERLAYS),
                    default=NONE,
                    tooltip="What moves around the subject. It gets a white line where the sticker has one.",
                ),
                io.Float.Input(
                    "shadow",
                    default=0.35,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Opacity of the shadow on the ground, which follows the height; 0 = none. pop and swing "
                    "have none.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What of the pictures is the subject, for pictures without transparency: one mask for all "
                    "or one each. Without it the subject is found as SEAL Sticker Cutout does.",
                ),
            ],
            outputs=[
                io.Image.Output("images", is_output_list=True, tooltip="One batch of frames (RGBA) for each sticker."),
                io.Mask.Output("mask", is_output_list=True, tooltip=SHOWN_OUT),
                io.Float.Output(
                    "fps", is_output_list=True, tooltip="Frames a second of each, for `fps` of SEAL Save Sticker Pack."
                ),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        image: list[torch.Tensor],
        motion: list[str],
        strength: list[float],
        frames: list[int],
        fps: list[float],
        overlay: list[str],
        shadow: list[float],
        mask: Sequence[torch.Tensor] = (),
    ) -> io.NodeOutput:
        settings = MotionSettings(motion[0], strength[0], frames[0], fps[0], shadow[0], overlay[0])
        with notes_on_node() as notes:
            made = moving_stickers(image, mask, settings, progress_bar())
        clips = [Clip.at_rate(rgba8(sticker.images.numpy()), sticker.fps) for sticker in made]
        return io.NodeOutput(
            [sticker.images for sticker in made],
            [sticker.images[..., 3].clone() for sticker in made],
            [sticker.fps for sticker in made],
            ui={**clips_on_node(clips), **notes},
        )


NODES = [SEALStickerMotion]
