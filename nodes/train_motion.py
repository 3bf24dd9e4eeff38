"""SEALTrainMotion: learn how one animated sticker moves."""

from __future__ import annotations

import json
from typing import Any

import torch

from ..seal_core.concept.settings import Layers
from ..seal_core.motion.temporal.learn_motion import MotionConfig
from ..seal_core.motion.temporal.motion_file import LearnedMotion
from ..seal_core.motion.temporal.temporal_layers import LAYERS
from .comfy.api import io
from .comfy.comfy_host import ComfyHost
from .comfy.motion_run import MotionRun, learn_or_reuse
from .comfy.node_ui import picture_on_node
from .comfy.train_again import TrainingNode
from .input_checks import inputs_checked
from .schema import ADVANCED, LayersType, MotionType, schema
from .shared_inputs import (
    LOSS_OUT,
    MOTION,
    checkpoint_inputs,
    polarity_input,
    rate_input,
    run_id_input,
    seed_input,
    training_resolution,
)

DEFAULT = MotionConfig()


class SEALTrainMotion(TrainingNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTrainMotion",
            display_name="SEAL Train Motion",
            category=MOTION,
            description="Learn how ONE animated sticker moves, so that another character can move like it. Small "
            "layers between the frames are learned and saved as a file of their own; the model is not changed. Each "
            "step is a pass of the model over all frames, and back.",
            search_aliases=["motion", "animate", "gif", "animation", "motion lora", "AnimateDiff", "move like"],
            is_output_node=True,
            inputs=[
                *checkpoint_inputs(),
                io.Image.Input(
                    "image",
                    tooltip="The frames of one animated sticker in order, one play of the loop: a GIF in Load Image. "
                    "More or fewer than `frames` are taken at even distances.",
                ),
                io.String.Input(
                    "caption",
                    default="a sticker of a cat, waving",
                    multiline=True,
                    tooltip="What the example shows: who it is, what it does, in what style. What is said here is not "
                    "learned as part of the motion.",
                ),
                io.String.Input("name", default="my-motion", tooltip="Name of the file: letters, digits, _ and -."),
                io.Int.Input(
                    "steps",
                    default=DEFAULT.steps,
                    min=1,
                    max=100_000,
                    tooltip="More steps: closer to the example, and more of its looks.",
                ),
                io.Combo.Input(
                    "layer",
                    options=list(LAYERS),
                    default=DEFAULT.layer,
                    extra_dict=ADVANCED,
                    tooltip="What lets frames see each other. attention: each place sees itself in all frames. sti: "
                    "all places see each other, too. conv3d: each place sees its neighbours in time.",
                ),
                rate_input(DEFAULT.learning_rate),
                io.Int.Input(
                    "width",
                    default=DEFAULT.inner,
                    min=0,
                    max=4096,
                    extra_dict=ADVANCED,
                    tooltip="Channels that the layers work in. Narrow layers hold less of the example's looks and "
                    "make a small file. 0 = as wide as the model.",
                ),
                io.Float.Input(
                    "first_frame_share",
                    default=DEFAULT.given,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    extra_dict=ADVANCED,
                    tooltip="Share of the steps that get the first frame as it is. Raise it to use `first_frame` of "
                    "SEAL Apply Motion.",
                ),
                io.Int.Input(
                    "frames", default=DEFAULT.frames, min=2, max=64, extra_dict=ADVANCED, tooltip="Frames of the loop."
                ),
                training_resolution(),
                seed_input("Same seed, same file.", extra_dict=ADVANCED),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the subject is, one mask for each frame or one for all. Unwired: the frames' alpha, "
                    "else the whole picture counts.",
                ),
                polarity_input(
                    "What 1 means in the mask. auto: whatever touches the picture's border is ground.",
                    extra_dict=ADVANCED,
                ),
                LayersType.Input(
                    "layers",
                    optional=True,
                    tooltip="Where and when the motion acts. Unwired: all layers, the first "
                    f"{DEFAULT.layers.end_percent:.0%} of the sampling, in which layout is decided.",
                ),
                MotionType.Input("resume", optional=True, tooltip="A motion of the same settings to go on from."),
                run_id_input(),
            ],
            outputs=[
                MotionType.Output("motion", tooltip="For SEAL Apply Motion."),
                io.String.Output("name", tooltip="Its file in models/seal_motion."),
                io.Image.Output("frames", tooltip="The example as it was looked at."),
                io.Image.Output("loss_plot", tooltip=LOSS_OUT),
                io.String.Output("report", tooltip="JSON: settings, sites, losses, seconds, warnings."),
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
        caption: str,
        name: str,
        steps: int,
        layer: str,
        learning_rate: float,
        width: int,
        first_frame_share: float,
        frames: int,
        resolution: int,
        seed: int,
        mask: torch.Tensor | None = None,
        mask_polarity: str = "auto",
        layers: Layers | None = None,
        resume: LearnedMotion | None = None,
        run_id: int = 0,
    ) -> io.NodeOutput:
        config = MotionConfig(
            layer=layer,
            steps=steps,
            learning_rate=learning_rate,
            inner=width,
            layers=layers or DEFAULT.layers,
            given=first_frame_share,
            frames=frames,
            resolution=resolution,
            seed=seed,
        )
        # ComfyUI runs nodes in inference mode, whose tensors autograd cannot use.
        with torch.inference_mode(False), torch.enable_grad():
            shown = None if mask is None else mask.clone()
            run = MotionRun(name, image.clone(), shown, mask_polarity, caption, config, resume, run_id)
            outcome = learn_or_reuse(ComfyHost(model, clip, vae), run)
        ui, _ = picture_on_node(outcome.loss_plot, cls)
        ui["text"] = [outcome.headline, *outcome.report["warnings"]]
        report = json.dumps(outcome.report, indent=2)
        file = f"{outcome.motion.file}.safetensors"
        return io.NodeOutput(outcome.motion, file, outcome.frames, outcome.loss_plot, report, ui=ui)


NODES = [SEALTrainMotion]
