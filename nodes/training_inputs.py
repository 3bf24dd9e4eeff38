"""The inputs of SEALTrainEmbedding. A few show at once; the others are advanced, or come from nodes of their own."""

from __future__ import annotations

from ..seal_core.method.config import ATTENTION_LOSSES
from ..seal_core.method.configure import QUALITIES
from ..seal_core.method.presets import PRESETS
from .comfy.api import io
from .comfy.training_progress import AUTOMATIC
from .schema import ADVANCED, EmbeddingType, LayersType, TokensType, WeightsType, reads
from .shared_inputs import (
    checkpoint_inputs,
    polarity_input,
    preset_numbers,
    run_id_input,
    seed_input,
    training_resolution,
)


def required_inputs() -> list[io.Input]:
    """The models, the sticker and its words, the preset and its numbers."""
    return [
        *checkpoint_inputs(),
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
            extra_dict=ADVANCED,
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
        *preset_numbers(
            "More steps: more like the sticker, less free. preset (0) = as `preset` and `quality` say "
            f"({_of('steps')}).",
            f"preset (0) = {_of('learning_rate')}.",
            f"Pictures a step. preset (0) = {_of('batch_size')}.",
            extra_dict=reads((0, "preset"), advanced=True),
        ),
        training_resolution(" The sticker is padded, never distorted."),
        seed_input("Same seed, same file.", extra_dict=ADVANCED),
    ]


def optional_inputs() -> list[io.Input]:
    """What came later, or is seldom used."""
    preset = {"default": -1.0, "min": -1.0, "extra_dict": reads((-1, "preset"), advanced=True)}
    return [
        TokensType.Input("tokens", optional=True, tooltip="From SEAL Split-Merge Tokens. Replaces the preset's."),
        LayersType.Input("layers", optional=True, tooltip="From SEAL Layer Restriction. Replaces the preset's layers."),
        polarity_input(extra_dict=ADVANCED),
        io.Combo.Input(
            "attention_loss",
            options=["preset", *ATTENTION_LOSSES],
            default="preset",
            optional=True,
            extra_dict=ADVANCED,
            tooltip="Keeps the new word on the character. mse: its attention looks like the mask. leak: none outside. "
            "transport: the shortest way onto the mask. none: off.",
        ),
        io.Float.Input(
            "attention_weight",
            max=1000.0,
            step=0.001,
            round=False,
            optional=True,
            tooltip="Weight of the attention loss. preset (-1) = the preset's own.",
            **preset,
        ),
        io.Float.Input(
            "background_weight",
            max=1.0,
            step=0.05,
            round=False,
            optional=True,
            tooltip="How much the sticker's background counts: 0 not at all, 1 fully. preset (-1) = the preset's own.",
            **preset,
        ),
        io.Float.Input(
            "augment",
            max=1.0,
            step=0.05,
            round=False,
            optional=True,
            tooltip="Share of the pictures with the character moved, scaled and mirrored on another background. "
            "preset (-1) = the preset's own.",
            **preset,
        ),
        io.String.Input(
            "prompts",
            default="",
            multiline=True,
            optional=True,
            extra_dict=ADVANCED,
            tooltip="Training prompts, one a line, with {} in place of the concept. Empty = the preset's.",
        ),
        io.String.Input(
            "reference_attributes",
            default="",
            optional=True,
            extra_dict=ADVANCED,
            tooltip="What the sticker shows besides the character: wire `attributes` of SEAL Sticker Attribute Prompt, "
            'or write {"emotion": "sleepy"}. Training prompts say it, so the new word need not mean it. '
            "Where you leave out background, action or emotion, preset best lets the model name it.",
        ),
        EmbeddingType.Input("resume", optional=True, tooltip="Go on from this concept instead of the class word."),
        io.String.Input(
            "preview_prompt",
            default="a sticker of {}",
            optional=True,
            extra_dict=ADVANCED,
            tooltip="What the live preview draws; {} is the concept.",
        ),
        io.Int.Input(
            "preview_every",
            default=AUTOMATIC,
            min=AUTOMATIC,
            max=100_000,
            optional=True,
            extra_dict=reads((AUTOMATIC, "auto"), (0, "off"), advanced=True),
            tooltip="Draw the preview every so many steps; one takes as long as about 6. auto (-1) = five times, where "
            "somebody looks; off (0) = only loss and attention.",
        ),
        run_id_input(),
        WeightsType.Input("weights", optional=True, tooltip="From SEAL Low-Rank Weights. Changes the preset's."),
        io.Combo.Input(
            "quality",
            options=list(QUALITIES),
            default="normal",
            optional=True,
            tooltip="How long to train. normal: the preset's steps. quick: half of them, for a first look. thorough: "
            "twice as many. `steps` of your own win.",
        ),
    ]


def _of(field: str) -> str:
    return ", ".join(f"{name} {getattr(config, field):g}" for name, config in PRESETS.items())
