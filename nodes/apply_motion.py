"""SEALApplyMotion: a model that draws frames which move as an example did."""

from __future__ import annotations

from typing import Any

from ..seal_core.messages import SealError
from ..seal_core.motion.temporal.clip_host import DRAWN_NOISE
from ..seal_core.motion.temporal.learn_motion import FRAMES
from ..seal_core.motion.temporal.motion_file import LearnedMotion, load_learned_motion
from .comfy.api import io
from .comfy.folders import found_or_why, listed_motions, path_of_motion
from .comfy.motion_sampling import with_motion
from .input_checks import inputs_checked
from .schema import ADVANCED, MotionType, schema
from .shared_inputs import MOTION, PATCHED_OUT, strength_input

WIRED = "(the wired motion)"


class SEALApplyMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALApplyMotion",
            display_name="SEAL Apply Motion",
            category=MOTION,
            description="Let a model draw the frames of a sticker that moves as an example did. Wire the model into "
            "KSampler with a latent batch of as many pictures as frames; the frames share most of their noise, which "
            "this node sees to.",
            search_aliases=["motion", "animate", "animation", "AnimateDiff", "load motion", "frames"],
            inputs=[
                io.Model.Input("model", tooltip="A model of the kind that the motion was learned on. LoRAs stay."),
                io.Combo.Input(
                    "file",
                    options=[WIRED, *listed_motions()],
                    default=WIRED,
                    tooltip="A file in models/seal_motion, or what is wired to `motion`.",
                ),
                strength_input(
                    "How far it goes: 0 = no motion, 1 = as learned; more exaggerates, 1.5 spoils the picture.",
                    most=4.0,
                ),
                io.Int.Input(
                    "frames",
                    default=FRAMES,
                    min=2,
                    max=64,
                    tooltip="Frames of a clip. The latent batch is so many pictures, or a multiple: so many clips.",
                ),
                io.Float.Input(
                    "shared_noise",
                    default=DRAWN_NOISE,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    extra_dict=ADVANCED,
                    tooltip="Share of the noise that the frames of a clip have in common. Lower: more motion, and "
                    "looks that change from frame to frame.",
                ),
                MotionType.Input("motion", optional=True, tooltip="From SEAL Train Motion. It goes before `file`."),
                io.Latent.Input(
                    "first_frame",
                    optional=True,
                    tooltip="One picture through VAE Encode that is the first frame of each clip. For motions that "
                    "were learned with first_frame_share above 0.",
                ),
            ],
            outputs=[io.Model.Output("model", tooltip=PATCHED_OUT)],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: Any,
        file: str,
        strength: float,
        frames: int,
        shared_noise: float,
        motion: LearnedMotion | None = None,
        first_frame: dict[str, Any] | None = None,
    ) -> io.NodeOutput:
        if motion is None:
            if file == WIRED:
                raise SealError("motion: nothing is wired; wire SEAL Train Motion, or choose a file.")
            motion = load_learned_motion(path_of_motion(file))
        first = None if first_frame is None else first_frame["samples"]
        return io.NodeOutput(
            with_motion(model, motion, strength=strength, frames=frames, shared=shared_noise, first=first)
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return file == WIRED or found_or_why(path_of_motion, file)

    @classmethod
    def fingerprint_inputs(cls, file: str | None, **_: Any) -> Any:
        files = [] if file == WIRED else listed_motions() if file is None else [file]
        stats = {name: path_of_motion(name).stat() for name in files}
        return [[name, stat.st_mtime_ns, stat.st_size] for name, stat in stats.items()]


NODES = [SEALApplyMotion]
