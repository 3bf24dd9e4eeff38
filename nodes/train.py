"""SEALTrainEmbedding: learn a concept from one sticker, in ComfyUI's process, on the wired models."""

from __future__ import annotations

import json
from typing import Any

import torch

from ..seal_core.messages import escaped_surrogates, log_warning
from ..seal_core.method.choices import configure
from ..seal_core.method.config import ATTENTION_LOSSES
from ..seal_core.method.presets import PRESETS
from ..seal_core.prompts.attributes import parse_attributes
from .comfy.api import io, ui
from .comfy.handed_out import losses
from .comfy.host import ComfyHost
from .comfy.training_run import Preview, Run, resumed, train_or_reuse
from .schema import EmbeddingType, LayersType, TokensType, inputs_checked, schema


class SEALTrainEmbedding(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTrainEmbedding",
            display_name="SEAL Train Embedding",
            category="SEAL",
            description="Learns a new concept from ONE sticker as a text embedding and saves it under "
            "models/embeddings. The model itself stays as it is.",
            search_aliases=["seal", "train", "textual inversion", "hiper", "embedding", "personalize", "sticker"],
            is_output_node=True,
            inputs=[*_required(), *_optional()],
            outputs=[
                EmbeddingType.Output("embedding", tooltip="The learned concept, for SEAL Text Encode and SEAL Apply."),
                io.String.Output("name", tooltip="embedding:NAME for any CLIP Text Encode; empty for a tail (hiper)."),
                io.Image.Output("loss_plot", tooltip="The loss along the steps."),
                io.Image.Output("attention_map", tooltip="Where the token looks, before and after, over the sticker."),
                io.String.Output("report", tooltip="JSON: settings, seed, device, seconds, losses, leakage, warnings."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str | None = None, **_: Any) -> int:
        """Another value when a trained file has gone since, or ComfyUI's cache would answer instead of training."""
        return losses(name)

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
        shown = {"text": [outcome.headline]}
        try:
            shown |= ui.PreviewImage(outcome.attention_map, cls=cls).as_dict()
        except Exception as error:  # whatever it is: the concept is trained and saved
            message = escaped_surrogates(
                f"attention_map: is not shown here, since ComfyUI's temp folder does not take it ({error})."
            )
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
        io.Clip.Input("clip", tooltip="The text encoder(s) of the same checkpoint."),
        io.Vae.Input("vae", tooltip="The VAE of the same checkpoint."),
        io.Image.Input("image", tooltip="The sticker. Several images of one size are several references."),
        io.Mask.Input("mask", tooltip="The sticker's subject: from SemanticMask, LoadImage or any segmentation."),
        io.String.Input(
            "class_word",
            default="",
            tooltip="What the sticker shows, in a word or two: cat. The token starts from it, and layers that it "
            "may not enter read it. With `resume`, empty = that of the concept resumed.",
        ),
        io.String.Input("name", default="my-sticker", tooltip="File name of the concept: letters, digits, _ and -."),
        io.String.Input(
            "concept",
            default="",
            tooltip="What prompts call it; no ordinary word. Empty = <name>: <my-sticker>.",
        ),
        io.Combo.Input(
            "preset",
            options=["best", "paper", "textual_inversion", "hiper"],
            default="best",
            tooltip="best: what we favour so far. paper: our reading of SEAL's abstract. Others: plain baselines.",
        ),
        io.Int.Input("steps", default=0, min=0, max=100_000, tooltip=f"0 = the preset's ({_of('steps')})."),
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
            "batch_size", default=0, min=0, max=64, tooltip=f"Draws a step; 0 = the preset's ({_of('batch_size')})."
        ),
        io.Int.Input(
            "resolution",
            default=0,
            min=0,
            max=4096,
            step=8,
            tooltip="Longer side in pixels, 0 = the model's own. The sticker is fitted and padded, never distorted.",
        ),
        io.Int.Input(
            "seed", default=0, min=0, max=2**53 - 1, control_after_generate=False, tooltip="Same seed, same file."
        ),
    ]


def _optional() -> list[io.Input]:
    return [
        TokensType.Input("tokens", optional=True, tooltip="From SEAL Split-Merge Tokens: what is set there."),
        LayersType.Input("layers", optional=True, tooltip="From SEAL Layer Restriction; replaces the preset's."),
        io.Combo.Input(
            "mask_polarity",
            options=["auto", "foreground", "background"],
            default="auto",
            optional=True,
            tooltip="What 1 means in the mask. auto takes what the frame's border shows as background, so LoadImage's "
            "inverted mask works as it is.",
        ),
        io.Combo.Input(
            "attention_loss",
            options=["preset", *ATTENTION_LOSSES],
            default="preset",
            optional=True,
            tooltip="How the token is kept on the subject: mse (map like the mask), leak (nothing outside), transport.",
        ),
        io.Float.Input(
            "attention_weight",
            default=-1.0,
            min=-1.0,
            max=1000.0,
            step=0.001,
            round=False,
            optional=True,
            tooltip="Weight of the attention loss; -1 = the preset's.",
        ),
        io.Float.Input(
            "background_weight",
            default=-1.0,
            min=-1.0,
            max=1.0,
            step=0.05,
            round=False,
            optional=True,
            tooltip="How much the background counts in the denoising loss: 0 not at all, 1 fully; -1 = the preset's.",
        ),
        io.Float.Input(
            "augment",
            default=-1.0,
            min=-1.0,
            max=1.0,
            step=0.05,
            round=False,
            optional=True,
            tooltip="Share of the draws with the subject on another ground, shifted, scaled, mirrored; -1 = preset's.",
        ),
        io.String.Input(
            "prompts",
            default="",
            multiline=True,
            optional=True,
            tooltip="Training prompts, one a line, {} where the concept stands; empty = the preset's.",
        ),
        io.String.Input(
            "reference_attributes",
            default="",
            multiline=True,
            optional=True,
            tooltip='What is known of the sticker, as JSON from StickerAttributePrompt: {"emotion": "sleepy"}. '
            "Prompts then say it, and the token need not learn it.",
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
            tooltip="Draw the preview prompt every so many steps (slow on a CPU); 0 = only the attention map.",
        ),
        io.Int.Input(
            "run_id",
            default=0,
            min=0,
            max=2**31 - 1,
            optional=True,
            tooltip="The same settings reuse the trained file. Change this number to train again.",
        ),
    ]


def _of(field: str) -> str:
    return ", ".join(f"{name} {getattr(config, field):g}" for name, config in PRESETS.items())


NODES = [SEALTrainEmbedding]
