"""SEALDemoModel: a whole small model and a sticker, without any download."""

from __future__ import annotations

import json

import torch

from ..seal_core.demo.model_file import MOTION_FILE
from ..seal_core.demo.sticker_files import BUILT_IN, built_in_sticker
from ..seal_core.motion.temporal.motion_file import load_learned_motion
from .comfy.api import io
from .comfy.tiny_model import load_tiny_model
from .schema import MotionType, schema


class SEALDemoModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALDemoModel",
            display_name="SEAL Demo Model",
            category="SEAL/demo",
            description="A tiny sticker model that comes with the pack, and a sticker of a character that it never "
            "saw. It draws 128 x 128 px and runs on a CPU, so you can try every workflow without a download.",
            search_aliases=["seal", "demo", "tiny model", "example", "stickerworld", "no download", "character"],
            inputs=[
                io.Combo.Input(
                    "example",
                    options=list(BUILT_IN),
                    default=next(iter(BUILT_IN)),
                    optional=True,
                    tooltip="Which built-in sticker comes out. Train with the animal in its name as class word.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="A model for 128 x 128 px, for KSampler and SEAL Train Embedding."),
                io.Clip.Output("clip", tooltip="Its text encoder. It knows the built-in attributes' words best."),
                io.Vae.Output("vae", tooltip="Its VAE: 8 pixels a latent, 4 channels, as in SD 1.x."),
                io.Image.Output("image", tooltip="The example sticker, 128 x 128 px."),
                io.Mask.Output("mask", tooltip="Its exact mask: the animal is 1."),
                io.String.Output(
                    "attributes",
                    tooltip="What else the sticker shows (emotion, action, ...) as JSON, for `reference_attributes` of "
                    "SEAL Train Embedding.",
                ),
                MotionType.Output("motion", tooltip="What it knows of moving, for SEAL Apply Motion: 8 frames."),
            ],
        )

    @classmethod
    def execute(cls, example: str = next(iter(BUILT_IN))) -> io.NodeOutput:
        sticker = built_in_sticker(example)
        image = torch.tensor(sticker.image).float()[None] / 255
        mask = torch.tensor(sticker.mask).float()[None] / 255
        attributes = json.dumps(dict(sticker.attributes))
        return io.NodeOutput(*load_tiny_model(), image, mask, attributes, load_learned_motion(MOTION_FILE))


NODES = [SEALDemoModel]
