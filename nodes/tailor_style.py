"""SEALTailorStyle: learn a look from a handful of pictures, as a LoRA."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch

from ..seal_core.pictures.inputs import images_of
from ..seal_core.style.tailoring import DRAW_STEPS, GUIDANCE, RANK, RATE, SPLIT, STEPS, tailor_config
from .comfy.api import io
from .comfy.comfy_host import ComfyHost
from .comfy.node_ui import picture_on_node
from .comfy.tailor_run import TailorRun, tailor_or_reuse, with_look
from .comfy.train_again import TrainingNode
from .input_checks import inputs_checked
from .schema import ADVANCED, schema
from .shared_inputs import LOSS_OUT, STYLE, checkpoint_inputs, rate_input, run_id_input, seed_input, training_resolution

CONTENT = """\
a sticker of a cat waving
a sticker of a happy dog running
a sticker of a sleepy rabbit lying down
a sticker of an angry bear, close-up
a sticker of a fox jumping, on a beach
a sticker of a penguin in the snow
a sticker of a frog holding a heart
a sticker of a crying panda sitting
a sticker of a girl with a cup of tea
a sticker of a boy laughing, upper body
a sticker of a house in a forest
a sticker of a bowl of noodles"""
"""Prompts for the content that the model draws itself: many subjects, poses and places."""


class SEALTailorStyle(TrainingNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTailorStyle",
            display_name="SEAL Tailor Style",
            category=STYLE,
            description="Learn a look from a handful of pictures and save it as a LoRA. Layout and how prompts "
            "are followed come from content pictures, which the model draws itself where none are wired. Each step "
            f"costs about three passes of the model per picture, each content picture that it draws {2 * DRAW_STEPS}.",
            search_aliases=["style training", "Style Tailoring", "lora", "train style", "look", "fine-tune"],
            is_output_node=True,
            is_input_list=True,  # pictures of several sizes come as a list
            inputs=[
                *checkpoint_inputs(),
                io.Image.Input(
                    "style",
                    tooltip="Pictures in the wanted look, about a dozen, as different as can be: a batch, or a list of "
                    "any sizes.",
                ),
                io.String.Input(
                    "style_captions",
                    default="",
                    multiline=True,
                    tooltip="What they show, without words for the look: one line for all, or one each. Best twice, "
                    "with a vertical bar between: briefly, as you will prompt, and with all that is seen.",
                ),
                io.String.Input("name", default="my-style", tooltip="File name of the LoRA: letters, digits, _ and -."),
                io.Float.Input(
                    "split",
                    default=SPLIT,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Share of the noise levels that learns from the style pictures; the noisier ones learn "
                    "from the content. Lower: prompts are followed better, less of the look. 1 = plain fine-tuning.",
                ),
                io.Int.Input("steps", default=STEPS, min=1, max=100_000, tooltip="More steps: more of the look."),
                rate_input(RATE),
                io.Int.Input("rank", default=RANK, min=1, max=256, extra_dict=ADVANCED, tooltip="Size of the LoRA."),
                io.Int.Input("batch_size", default=1, min=1, max=64, extra_dict=ADVANCED, tooltip="Pictures a step."),
                training_resolution(),
                seed_input("Same seed, same file.", extra_dict=ADVANCED),
                io.Image.Input(
                    "content", optional=True, tooltip="Content pictures of any look. Unwired: the model draws them."
                ),
                io.String.Input(
                    "content_captions",
                    default=CONTENT,
                    multiline=True,
                    optional=True,
                    tooltip="With `content`: what it shows, one line for all or one each. Without: prompts, of each of "
                    "which the model draws a picture; name what you will ask for. Empty = no content.",
                ),
                run_id_input(),
                io.Float.Input(
                    "content_cfg",
                    default=GUIDANCE,
                    min=1.0,
                    max=100.0,
                    step=0.1,
                    optional=True,
                    extra_dict=ADVANCED,
                    tooltip="Guidance for content that the model draws: the cfg that it is sampled with.",
                ),
                io.Boolean.Input(
                    "mirrored",
                    default=True,
                    optional=True,
                    extra_dict=ADVANCED,
                    tooltip="Learn from the style pictures both ways round: more variety. Off where they show letters.",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="The model with the look, as Load LoRA gives it at strength 1."),
                io.String.Output("name", tooltip="File of the LoRA in models/loras, for Load LoRA."),
                io.Image.Output("loss_plot", tooltip=LOSS_OUT),
                io.String.Output("report", tooltip="JSON: settings, pictures, passes, seconds, losses, warnings."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: list[Any],
        clip: list[Any],
        vae: list[Any],
        style: list[torch.Tensor],
        style_captions: list[str],
        name: list[str],
        split: list[float],
        steps: list[int],
        learning_rate: list[float],
        rank: list[int],
        batch_size: list[int],
        resolution: list[int],
        seed: list[int],
        content: list[torch.Tensor] | None = None,
        content_captions: Sequence[str] = (CONTENT,),
        run_id: Sequence[int] = (0,),
        content_cfg: Sequence[float] = (GUIDANCE,),
        mirrored: Sequence[bool] = (True,),
    ) -> io.NodeOutput:
        config = tailor_config(
            name=name[0],
            steps=steps[0],
            rank=rank[0],
            rate=learning_rate[0],
            batch_size=batch_size[0],
            resolution=resolution[0],
            seed=seed[0],
        )
        # ComfyUI runs nodes in inference mode, whose tensors autograd cannot use.
        with torch.inference_mode(False), torch.enable_grad():
            looks, others = _pictures(style, "style"), _pictures(content, "content") if content else None
            run = TailorRun(
                name=name[0],
                style=looks,
                style_captions=_lines(style_captions),
                content=others,
                content_captions=_lines(content_captions),
                content_cfg=content_cfg[0],
                split=split[0],
                mirrored=mirrored[0],
                config=config,
                run_id=run_id[0],
            )
            outcome = tailor_or_reuse(ComfyHost(model[0], clip[0], vae[0]), run)
        shown, _ = picture_on_node(outcome.loss_plot, cls)
        shown["text"] = [outcome.headline, *outcome.report["warnings"]]
        file = f"{outcome.concept.file}.safetensors"
        report = json.dumps(outcome.report, indent=2)
        return io.NodeOutput(with_look(model[0], outcome.concept), file, outcome.loss_plot, report, ui=shown)


def _pictures(batches: Sequence[torch.Tensor], name: str) -> list[torch.Tensor]:
    """(H, W, C) each, of all batches."""
    return [picture for batch in batches for picture in images_of(batch, name=name).clone()]


def _lines(texts: Sequence[str]) -> list[str]:
    """Of one text, or of a wired list of captions."""
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()]


NODES = [SEALTailorStyle]
