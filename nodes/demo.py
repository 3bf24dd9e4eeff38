"""SEALDemoModel: a whole small model and a sticker, without any download."""

from __future__ import annotations

import json

import torch

from ..seal_core.demo.sticker_files import BUILT_IN, built_in_sticker
from .comfy.api import io
from .comfy.demo_model import load_demo
from .schema import schema


class SEALDemoModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALDemoModel",
            display_name="SEAL Demo Model",
            category="SEAL/demo",
            description="A tiny sticker model that comes with the pack, as MODEL, CLIP and VAE, and a sticker of a "
            "character it never saw. It draws 128 x 128 px and runs on a CPU; good for trying every workflow.",
            search_aliases=["seal", "demo", "tiny model", "example", "stickerworld", "no download"],
            inputs=[
                io.Combo.Input(
                    "example",
                    options=list(BUILT_IN),
                    default=next(iter(BUILT_IN)),
                    optional=True,
                    tooltip="Which built-in sticker comes out. The animal in its name is the class word to train with.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="For KSampler, SEAL Train Embedding and all else; 128 x 128 px."),
                io.Clip.Output("clip", tooltip="Its text encoder; knows the words of the built-in attributes best."),
                io.Vae.Output("vae", tooltip="Its VAE: 8 pixels a latent, 4 channels, as for SD 1.x."),
                io.Image.Output("image", tooltip="The example sticker, 128 x 128 px."),
                io.Mask.Output("mask", tooltip="Its exact mask, foreground = 1."),
                io.String.Output(
                    "attributes",
                    tooltip="JSON of what the sticker shows besides the character (emotion, action, ...), for "
                    "reference_attributes.",
                ),
            ],
        )

    @classmethod
    def execute(cls, example: str = next(iter(BUILT_IN))) -> io.NodeOutput:
        sticker = built_in_sticker(example)
        image = torch.tensor(sticker.image).float()[None] / 255
        mask = torch.tensor(sticker.mask).float()[None] / 255
        attributes = json.dumps(dict(sticker.attributes))
        return io.NodeOutput(*load_demo(), image, mask, attributes)


NODES = [SEALDemoModel]
