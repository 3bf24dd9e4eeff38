"""`python -m seal_core.world COMMAND`: the trainings, the judges and the evaluation.

Runs from a checkout of the repository; neither the registry's archive nor the wheel contains it. Each command is a
module with `add_options(parser)` and `run(options)`, imported only when called: torch and diffusers load slowly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ..messages import SealError, make_output_tolerant

COMMANDS = {
    "train vae": ("trainings.train_vae", "1. the autoencoder, on renders made during training"),
    "train latents": ("trainings.latents", "2. renders as latents on disk; call again for more"),
    "train unet": ("trainings.train_unet", "3. U-Net and text encoder; continues a stopped or a finished training"),
    "train motion": (
        "trainings.train_temporal",
        "temporal layers on the finished model; makes its clips first",
    ),
    "train decoder": ("trainings.train_decoder", "trains the autoencoder's decoder further, any time after 2."),
    "train export": ("trainings.export", "4. the trained model as the file that ships"),
    "words": ("vocabulary.make_words", "the words that the search of `described` tries, out of WordNet"),
    "built-in": ("renderer.built_in", "draw the demo's stickers again, as the files that ship"),
    "render": ("renderer.folder", "stickers with their masks and tags, as a folder"),
    "segmenter": ("mask_networks.train_segmenter", "train and measure the segmenter that cut-outs use"),
    "edges": ("mask_networks.train_edges", "train and measure the network that refines cut-outs' edges"),
    "judges": ("judges.train_judges", "train and measure the judges"),
    "eval": ("evaluation.command", "compare methods on unseen characters: results.json, table and figures"),
    "eval-motion": ("evaluation.motion_trials", "compare temporal layers on clips of unseen characters"),
    "eval-move": ("evaluation.moved_trials", "learn motions from one clip each, and how others move like it"),
    "eval-acting": ("evaluation.acting_trials", "learned characters that jump and wave by temporal layers"),
    "eval-style": ("evaluation.style_trials", "compare ways to restyle a picture with the renderer's truth"),
    "eval-tailor": ("evaluation.tailor_trials", "learn a style that the model never saw, and what it costs"),
    "demo": ("evaluation.scored_demo", "the demo of `python -m seal_core demo`, with the judges' scores"),
    "readme": ("evaluation.readme", "the README's table and contact sheet from an evaluation and a demo run"),
}
"""Command -> (module, help)."""
STEPS = [name.removeprefix("train ") for name in COMMANDS if name.startswith("train ")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 2 and one line on stderr for bad input, 130 for Ctrl-C."""
    make_output_tolerant()
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser(given).parse_args(given)
    name = f"train {options.step}" if options.command == "train" else options.command
    try:
        import_module(f".{COMMANDS[name][0]}", __package__).run(options)
    except SealError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; saved files are whole, and the same command resumes.", file=sys.stderr)
        return 130
    return 0


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The commands, and the options of the one that `arguments` call."""
    words = [word for word in arguments if not word.startswith("-")][:2]
    called = " ".join(words) if words[:1] == ["train"] else " ".join(words[:1])
    top = argparse.ArgumentParser(
        prog="python -m seal_core.world",
        description="StickerWorld: procedural stickers with exact truth, a tiny diffusion model trained on them, judges"
        " and an evaluation. To make the model: train vae, train latents, train unet, train export, in this order. "
        "The longer ones take a time budget (--minutes) and can be called again.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    steps = commands.add_parser("train", help=f"make the tiny model: {', '.join(STEPS)}").add_subparsers(
        dest="step", required=True, metavar="STEP"
    )
    for name, (module, text) in COMMANDS.items():
        where = steps if name.startswith("train ") else commands
        command = where.add_parser(name.removeprefix("train "), help=text, description=text)
        if name == called:
            import_module(f".{module}", __package__).add_options(command)
    return top
