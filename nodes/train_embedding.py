"""SEALTrainEmbedding: learn a concept from one sticker, in ComfyUI's process, on the wired models."""

from __future__ import annotations

import json
from typing import Any

import torch

from ..seal_core.messages import log_warning
from ..seal_core.method.configure import configure
from ..seal_core.prompts.attributes import parse_attributes
from .comfy.api import io
from .comfy.comfy_host import ComfyHost
from .comfy.node_ui import picture_on_node
from .comfy.train_again import TrainingNode
from .comfy.training_progress import AUTOMATIC, Preview
from .comfy.training_run import Run, resumed, train_or_reuse
from .input_checks import inputs_checked
from .schema import EmbeddingType, schema
from .shared_inputs import LOSS_OUT
from .training_inputs import optional_inputs, required_inputs


class SEALTrainEmbedding(TrainingNode):
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
            inputs=[*required_inputs(), *optional_inputs()],
            outputs=[
                EmbeddingType.Output("embedding", tooltip="For SEAL Text Encode and SEAL Apply Embedding."),
                io.String.Output("name", tooltip="embedding:NAME for any text encode node; empty for preset hiper."),
                io.Image.Output("loss_plot", tooltip=LOSS_OUT),
                io.Image.Output("attention_map", tooltip="Where the new word looks, and what was learned."),
                io.String.Output("report", tooltip="JSON: settings, seed, device, seconds, losses, warnings."),
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
        preview_every: int = AUTOMATIC,
        run_id: int = 0,
        weights: Any = None,
        quality: str = "normal",
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
            quality=quality,
        )
        # ComfyUI runs nodes in inference mode, whose tensors autograd cannot use.
        with torch.inference_mode(False), torch.enable_grad():
            host = ComfyHost(model, clip, vae)
            run = Run(name, image.clone(), mask.clone(), mask_polarity, preset, config, start, run_id)
            outcome = train_or_reuse(host, run, Preview(preview_prompt, preview_every))
        shown, trouble = picture_on_node(outcome.attention_map, cls)
        shown |= {"text": [outcome.headline], "seal_training": [outcome.panel]}
        if trouble:
            message = f"attention_map: {trouble}"
            log_warning("SEAL: %s", message)
            outcome.report["warnings"].append(message)
            shown["text"].append(message)
        report = json.dumps(outcome.report, indent=2)
        return io.NodeOutput(
            outcome.embedding, outcome.name, outcome.loss_plot, outcome.attention_map, report, ui=shown
        )


NODES = [SEALTrainEmbedding]
