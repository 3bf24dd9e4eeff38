"""SEALTrainEmbedding: learn a concept from one sticker, in ComfyUI's process, on the wired models."""

from __future__ import annotations

import json
from typing import Any

import torch

from ..seal_core.messages import log_warning
from ..seal_core.method.config import ATTENTION_LOSSES
from ..seal_core.method.configure import configure
from ..seal_core.method.presets import PRESETS
from ..seal_core.prompts.attributes import parse_attributes
from .comfy.api import io
from .comfy.comfy_host import ComfyHost
from .comfy.deleted_files import times_deleted
from .comfy.node_ui import picture_on_node
from .comfy.training_run import Preview, Run, resumed, train_or_reuse
from .input_checks import inputs_checked
from .schema import EmbeddingType, LayersType, TokensType, WeightsType, schema


class SEALTrainEmbedding(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTrainEmbedding",
            display_name="SEAL Train Embedding",
            category="SEAL",
            description="Learn a new word for the character on ONE sticker and save it in models/embeddings. The model "
            "itself stays as it is.",
            search_aliases=[
                "seal",
                "train",
                "textual inversion",
                "hiper",
                "lora",
                "embedding",
                "personalize",
                "sticker",
                "character",
                "one image",
            ],
            is_output_node=True,
            inputs=[*_required(), *_optional()],
            outputs=[
                EmbeddingType.Output("embedding", tooltip="For SEAL Text Encode and SEAL Apply Embedding."),
                io.String.Output("name", tooltip="embedding:NAME for any text encode node; empty for preset hiper."),
                io.Image.Output("loss_plot", tooltip="The loss along the steps. It is noisy: look at its trend."),
                io.Image.Output("attention_map", tooltip="Where the new word looks, and what was learned."),
                io.String.Output("report", tooltip="JSON: settings, seed, device, seconds, losses, warnings."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str | None = None, **_: Any) -> int:
        """Changes once a trained file was deleted: otherwise ComfyUI's cache would answer instead of training."""
        return times_deleted(name)

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        image: torch.Tensor,
        mask: torch.Tensor,
        class_word: str,
        name: str,
        concept: str,
        preset: str,
        steps: int,
        learning_rate: float,
        batch_size: int,
        resolution: int,
        seed: int,
        tokens: Any = None,
        layers: Any = None,
        mask_polarity: str = "auto",
        attention_loss: str = "preset",
        attention_weight: float = -1.0,
        background_weight: float = -1.0,
        augment: float = -1.0,
        prompts: str = "",
        reference_attributes: str = "",
        resume: Any = None,
        preview_prompt: str = "a sticker of {}",
        preview_every: int = 0,
        run_id: int = 0,
        weights: Any = None,
    ) -> io.NodeOutput:
        start = resumed(resume)
        config = configure(
            preset,
            name=name,
            class_word=class_word,
            concept=concept,
            resume=start,
            steps=steps,
            learning_rate=learning_rate,
            batch_size=batch_size,
            resolution=resolution,
            seed=seed,
            tokens=tokens,
            layers=layers,
            weights=weights,
            attention_loss=attention_loss,
            attention_weight=attention_weight,
            background_weight=background_weight,
            augment=augment,
            prompts=prompts,
            attributes=parse_attributes(reference_attributes),
        )
        # ComfyUI runs nodes in inference mode, whose tensors autograd cannot use.
        with torch.inference_mode(False), torch.enable_grad():
            host = ComfyHost(model, clip, vae)
            run = Run(name, image.clone(), mask.clone(), mask_polarity, preset, config, start, run_id)
            outcome = train_or_reuse(host, run, Preview(preview_prompt, preview_every))
        shown, trouble = picture_on_node(outcome.attention_map, cls)
        shown["text"] = [outcome.headline]
        if trouble:
            message = f"attention_map: {trouble}"
            log_warning("SEAL: %s", message)
            outcome.report["warnings"].append(message)
            shown["text"].append(message)
        report = json.dumps(outcome.report, indent=2)
        return io.NodeOutput(
            outcome.embedding, outcome.name, outcome.loss_plot, outcome.attention_map, report, ui=shown
        )


def _required() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="A U-Net model: SD 1.x, SD 2.x or SDXL. It is not changed."),
        io.Clip.Input("clip", tooltip="The text encoder of the same checkpoint."),
        io.Vae.Input("vae", tooltip="The VAE of the same checkpoint."),
        io.Image.Input("image", tooltip="The sticker. A batch = several stickers of one character."),
        io.Mask.Input("mask", tooltip="What is the character: from SEAL Semantic Mask, Load Image or a segmentation."),
        io.String.Input(
            "class_word",
            default="",
            tooltip="What the sticker shows, in a word or two: cat. The new word starts from it, and layers that may "
            "not read the new word read this one. Empty with `resume` = as before.",
        ),
        io.String.Input("name", default="my-sticker", tooltip="File name of the concept: letters, digits, _ and -."),
        io.String.Input(
            "concept",
            default="",
            tooltip="What prompts call it; no ordinary word. Empty = the file's name in brackets, <my-sticker>.",
        ),
        io.Combo.Input(
            "preset",
            options=list(PRESETS),
            default="best",
            tooltip="best: start here; a word and a small LoRA. best_embedding: the word alone, a few kilobytes. "
            "paper: SEAL as its abstract describes it, the rest filled in by us. The others: older methods, plain and "
            "under SEAL, to compare with.",
        ),
        io.Int.Input(
            "steps",
            default=0,
            min=0,
            max=100_000,
            tooltip=f"More steps: more like the sticker, less free. 0 = the preset's ({_of('steps')}).",
        ),
        io.Float.Input(
            "learning_rate",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.0001,
            round=False,
            tooltip=f"0 = the preset's ({_of('learning_rate')}).",
        ),
        io.Int.Input(
            "batch_size", default=0, min=0, max=64, tooltip=f"Pictures a step. 0 = the preset's ({_of('batch_size')})."
        ),
        io.Int.Input(
            "resolution",
            default=0,
            min=0,
            max=4096,
            step=8,
            tooltip="Longer side in pixels. 0 = the model's own; smaller is faster and takes less memory. The sticker "
            "is padded, never distorted.",
        ),
        io.Int.Input(
            "seed", default=0, min=0, max=2**53 - 1, control_after_generate=False, tooltip="Same seed, same file."
        ),
    ]


def _optional() -> list[io.Input]:
    return [
        TokensType.Input("tokens", optional=True, tooltip="From SEAL Split-Merge Tokens. Replaces the preset's."),
        LayersType.Input("layers", optional=True, tooltip="From SEAL Layer Restriction. Replaces the preset's layers."),
        io.Combo.Input(
            "mask_polarity",
            options=["auto", "foreground", "background"],
            default="auto",
            optional=True,
            tooltip="What 1 means in the mask. auto: whatever touches the picture's border is background, so the "
            "inverted MASK of Load Image comes out right.",
        ),
        io.Combo.Input(
            "attention_loss",
            options=["preset", *ATTENTION_LOSSES],
            default="preset",
            optional=True,
            tooltip="Keeps the new word on the character. mse: its attention looks like the mask. leak: none outside. "
            "transport: the shortest way onto the mask. none: off.",
        ),
        io.Float.Input(
            "attention_weight",
            default=-1.0,
            min=-1.0,
            max=1000.0,
            step=0.001,
            round=False,
            optional=True,
            tooltip="Weight of the attention loss. -1 = the preset's.",
        ),
        io.Float.Input(
            "background_weight",
            default=-1.0,
            min=-1.0,
            max=1.0,
            step=0.05,
            round=False,
            optional=True,
            tooltip="How much the sticker's background counts: 0 not at all, 1 fully. -1 = the preset's.",
        ),
        io.Float.Input(
            "augment",
            default=-1.0,
            min=-1.0,
            max=1.0,
            step=0.05,
            round=False,
            optional=True,
            tooltip="Share of the pictures with the character moved, scaled and mirrored on another background; "
            "-1 = the preset's.",
        ),
        io.String.Input(
            "prompts",
            default="",
            multiline=True,
            optional=True,
            tooltip="Training prompts, one a line, with {} in place of the concept. Empty = the preset's.",
        ),
        io.String.Input(
            "reference_attributes",
            default="",
            multiline=True,
            optional=True,
            tooltip="What the sticker shows besides the character: wire `attributes` of SEAL Sticker Attribute Prompt, "
            'or write {"emotion": "sleepy"}. Training prompts say it, so the new word need not mean it.',
        ),
        EmbeddingType.Input("resume", optional=True, tooltip="Go on from this concept instead of the class word."),
        io.String.Input(
            "preview_prompt",
            default="a sticker of {}",
            optional=True,
            tooltip="What the live preview draws; {} is the concept.",
        ),
        io.Int.Input(
            "preview_every",
            default=0,
            min=0,
            max=100_000,
            optional=True,
            tooltip="Draw the preview every so many steps (slow without a GPU). 0 = only loss and attention.",
        ),
        io.Int.Input(
            "run_id",
            default=0,
            min=0,
            max=2**31 - 1,
            optional=True,
            tooltip="Settings that were trained before reuse the file. Change this number to train again.",
        ),
        WeightsType.Input("weights", optional=True, tooltip="From SEAL Low-Rank Weights. Changes the preset's."),
    ]


def _of(field: str) -> str:
    return ", ".join(f"{name} {getattr(config, field):g}" for name, config in PRESETS.items())


NODES = [SEALTrainEmbedding]
