"""Options of the train command, and the training that they ask for. Imports no torch."""

from __future__ import annotations

import argparse
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..concept.settings import INITS, LAYERS, MERGES, NORMS, Layers
from ..method.config import ATTENTION_LOSSES, TrainConfig
from ..method.configure import ON_OFF, PRESET, QUALITIES, TokenChoices, WeightChoices, configure
from ..method.presets import PRESETS
from ..prompts.attributes import parse_attributes
from .shared_options import add_model_option, add_run_options

if TYPE_CHECKING:
    from ..concept.concept import Concept

POLARITIES = ("auto", "foreground", "background")


def add_options(command: argparse.ArgumentParser) -> None:
    """Options of `python -m seal_core train`."""
    add_model_option(command)
    add = command.add_argument
    add(
        "--image",
        type=Path,
        nargs="+",
        default=(),
        metavar="PNG",
        help="the sticker; several pictures = several references (default with the included model: a built-in one)",
    )
    add(
        "--class-word",
        default="",
        metavar="WORD",
        help="what it shows, in a word or two: cat (may be left out with --resume)",
    )
    name = "the files' name without ending: letters, digits, _ and - (default: my-sticker)"
    add("--name", default="my-sticker", help=name)
    add("--concept", default="", metavar="TEXT", help="its name in prompts; not an ordinary word (default: <NAME>)")
    found = "the image's alpha, else a cut-out by the background's colour, else by the model's attention"
    add(
        "--mask",
        type=Path,
        nargs="+",
        metavar="PNG",
        help=f"the subject: one mask for each picture, or one for all (default: {found})",
    )
    add("--mask-polarity", choices=POLARITIES, default="auto", help="what white means in --mask")
    example = '{"emotion": "sleepy", "background": "beach"}'
    told = "(default: presets best let the model name background, action and emotion)"
    add("--attributes", default="", metavar="JSON", help=f"what words can say of the sticker: '{example}' {told}")
    add(
        "--prompts",
        nargs="+",
        default=(),
        metavar="TEXT",
        help="training prompts, {} for the concept (default: preset's)",
    )
    add("--resume", type=Path, metavar="FILE", help="continue from this trained embedding")
    add_training_options(command)
    add_run_options(command)


def add_training_options(command: argparse.ArgumentParser) -> None:
    """What is changed of a training's preset, whatever the picture."""
    add = command.add_argument
    add("--preset", choices=tuple(PRESETS), default="best", help="default: best")
    length = "how long to train: the preset's steps (normal, the default), half or twice as many"
    add("--quality", choices=tuple(QUALITIES), default="normal", help=length)
    add("--steps", type=int, default=0, help="training steps (default: as --quality says)")
    add("--learning-rate", type=float, default=0.0, metavar="LR", help="default: the preset's")
    add("--batch-size", type=int, default=0, metavar="N", help="examples a step (default: the preset's)")
    add("--resolution", type=int, default=0, metavar="PIXELS", help="longer side (default: the model's own)")
    _token_options(command.add_argument_group("tokens", "default: the preset's"))
    _loss_options(command.add_argument_group("layers and losses", "default: the preset's"))
    _weight_options(command.add_argument_group("low-rank weights", "default: the preset's"))


def _token_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--split", type=int, default=0, metavar="N", help="vectors for the one concept, 1 to 16")
    add(
        "--merge",
        choices=(PRESET, *MERGES),
        default=PRESET,
        help="how they become one: mean, concat (in a row) or none",
    )
    add("--merge-at", type=float, default=-1.0, metavar="SHARE", help="share of the steps after which they merge")
    add(
        "--context-token",
        choices=(PRESET, *ON_OFF),
        default=PRESET,
        help="one more vector that learns the background and is thrown away",
    )
    add("--init", choices=(PRESET, *INITS), default=PRESET, help="where they start")
    add("--norm", choices=(PRESET, *NORMS), default=PRESET, help="fixed: keep them as long as ordinary words' vectors")


def _loss_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--layers", metavar="EXPR", help='where the token may enter: all, up, appearance or e.g. "up.2-8, down.0"')
    add("--start-percent", type=float, metavar="SHARE", help="start of the part of the sampling, 0 = noisiest")
    add("--end-percent", type=float, metavar="SHARE", help="end of that part, 1 = cleanest")
    add("--attention-loss", choices=(PRESET, *ATTENTION_LOSSES), default=PRESET, help="keeps the token on the subject")
    add("--attention-weight", type=float, default=-1.0, metavar="W", help="its weight")
    add(
        "--background-weight",
        type=float,
        default=-1.0,
        metavar="W",
        help="of the background in the denoising loss, 0 to 1",
    )
    add(
        "--augment",
        type=float,
        default=-1.0,
        metavar="SHARE",
        help="of the examples that show the subject on another background",
    )


def _weight_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--rank", type=int, default=-1, metavar="N", help="of the weights beside the vectors, 1 to 256; 0 = none")
    add("--alpha", type=float, default=-1.0, metavar="A", help="they count A / rank; 0 = as they are")
    add("--parts", default=PRESET, metavar="NAMES", help=f"where they sit, comma-separated: {', '.join(LAYERS)}")
    add("--weights-rate", type=float, default=0.0, metavar="LR", help="their learning rate")
    add("--kept", type=float, default=0.0, metavar="SHARE", help="how much of them is kept, 0.01 to 1")
    add("--locality", type=float, default=-1.0, metavar="W", help="how strongly prompts without the concept must stay")


def train_config(options: Namespace, resume: Concept | None) -> TrainConfig:
    """The training that the options ask for, made as the node makes it from its inputs."""
    return configure(
        options.preset,
        name=options.name,
        class_word=options.class_word,
        concept=options.concept,
        resume=resume,
        steps=options.steps,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
        resolution=options.resolution,
        seed=options.seed,
        tokens=TokenChoices(
            options.split, options.merge, options.merge_at, options.context_token, options.init, options.norm
        ),
        layers=_layers(options),
        weights=WeightChoices(
            options.rank, options.alpha, options.parts, options.kept, options.weights_rate, options.locality
        ),
        attention_loss=options.attention_loss,
        attention_weight=options.attention_weight,
        background_weight=options.background_weight,
        augment=options.augment,
        prompts="\n".join(options.prompts),
        attributes=parse_attributes(options.attributes),
        quality=options.quality,
    )


def _layers(options: Namespace) -> Layers | None:
    """The preset's layers with what is given; None where nothing is."""
    asked = {"sites": options.layers, "start_percent": options.start_percent, "end_percent": options.end_percent}
    given = {name: value for name, value in asked.items() if value is not None}
    return replace(PRESETS[options.preset].layers, **given) if given else None
