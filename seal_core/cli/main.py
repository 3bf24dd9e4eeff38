"""The command line: train a concept from a sticker, and generate with it, on a local diffusers folder.

Bad input ends with status 2 and one line on stderr, Ctrl-C with 130, SIGTERM with 143. Files appear whole or not at
all.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ..messages import SealError, told, tolerate_all_texts, valid_text
from .demo import demo_command, demo_options
from .options import train_options
from .pack import pack_command, pack_options

DTYPES = ("auto", "float32", "bfloat16", "float16")
WITH_DASHES = (
    "class_word", "learning_rate", "batch_size", "mask_polarity", "merge_at", "context_token", "start_percent",
    "end_percent", "attention_loss", "attention_weight", "background_weight",
)  # fmt: skip
OPTIONS = {"reference_attributes": "attributes", **{name: name.replace("_", "-") for name in WITH_DASHES}}
"""The options of the inputs that errors name, where the two differ."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    tolerate_all_texts()
    options = parser().parse_args(arguments)
    try:
        for name, given in vars(options).items():
            for text in given if isinstance(given, list) else [given]:
                if isinstance(text, str) and name not in ("input", "out"):  # folders, whose names may be any bytes
                    valid_text(text, name)
        with _stoppable(), told():
            _command(options.command)(options)
    except SealError as error:
        return _complain(str(error))
    except MemoryError:
        return _complain("out of memory; use a smaller --resolution or --size, --batch-size 1, or --dtype bfloat16.")
    except KeyboardInterrupt as stop:
        print("\nstopped; no file is half-written.", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, _Signalled) else signal.SIGINT)
    return 0


class _Signalled(KeyboardInterrupt):
    """Like Ctrl-C, so that the same is cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP (a closed terminal) stop the command as Ctrl-C does; a second one is ignored meanwhile."""
    before = {}

    def stop(number: int, _frame: FrameType | None) -> None:
        for ours in before:
            signal.signal(ours, signal.SIG_IGN)
        raise _Signalled(number)

    try:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
                before[number] = signal.signal(number, stop)
    except ValueError:
        pass  # not in the main thread, where signals arrive
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _command(name: str) -> Callable[[argparse.Namespace], None]:
    """Imported late: torch takes seconds, and --help and pack need none of it."""
    if name == "pack":
        return pack_command
    if name == "demo":
        return demo_command
    from .run import generate_command, train_command

    return train_command if name == "train" else generate_command


def _complain(message: str) -> int:
    name, colon, rest = " ".join(message.split()).partition(":")
    print(f"error: {OPTIONS.get(name, name)}{colon}{rest}", file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    """The subcommands and their options."""
    top = argparse.ArgumentParser(
        prog="python -m seal_core",
        description="SEAL: learn a character from ONE sticker as a text embedding, and generate with it. "
        "Works on a local diffusers folder of SD 1.x, SD 2.x or SDXL; nothing is downloaded. "
        "Stickers are packed for chat platforms; nothing is uploaded.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="demo | train | generate | pack")
    demo_options(
        commands.add_parser(
            "demo",
            help="try it: one sticker, Textual Inversion and SEAL side by side, on the tiny model that is included",
            description="Learn one sticker by Textual Inversion and by SEAL on the tiny model that is included, and "
            "write a contact sheet, the mask and a report. Needs no download and no GPU; takes about two minutes.",
            epilog="example: python -m seal_core demo",
        )
    )
    train = commands.add_parser(
        "train",
        help="learn a concept from one sticker",
        description="Learn a concept from one sticker (or several pictures of one character). "
        "Writes NAME.safetensors, NAME.loss.png, NAME.attention.png and NAME.json.",
        epilog="example: python -m seal_core train --model sd15 --image a.png --class-word cat --name my-cat",
    )
    train_options(train)
    _common(train)
    _generate_options(
        commands.add_parser(
            "generate",
            help="generate pictures with a learned concept",
            description="Generate pictures with a learned concept; it enters only the layers it was trained for.",
            epilog="example: python -m seal_core generate --model sd15 --embedding my-cat.safetensors "
            '--prompt "a sticker of <my-cat> jumping"',
        )
    )
    pack_options(
        commands.add_parser(
            "pack",
            help="pack stickers for a chat platform",
            description="Pack a folder of stickers for a chat platform, every file within its limits. "
            "Writes a new folder with the stickers, what else the platform wants, and pack.json.",
            epilog='example: python -m seal_core pack stickers --platform whatsapp --out packs --title "My Cat" '
            "--author Me --emoji 😺",
        )
    )
    return top


def _common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seed", type=int, default=0, help="same seed, same result on one machine (default 0)")
    command.add_argument("--device", default=None, help="cpu, cuda, cuda:1, mps (default: the GPU where there is one)")
    command.add_argument(
        "--dtype", choices=DTYPES, default="auto", help="precision of the U-Net (auto: float32, on CUDA bfloat16)"
    )
    command.add_argument("--out", default=".", metavar="DIR", help="where files go (default: here)")


def _generate_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--model", type=Path, required=True, metavar="DIR", help="diffusers folder, the one with model_index.json")
    add("--embedding", type=Path, required=True, metavar="FILE", help="trained by SEAL, or any Textual Inversion file")
    add("--prompt", required=True, help='the concept\'s name stands for the subject: "a sticker of <my-cat> jumping"')
    add("--negative", default="", metavar="TEXT", help="what pictures should not show")
    add("--steps", type=int, default=25, help="sampling steps (default 25)")
    add("--cfg", type=float, default=7.0, help="guidance scale, 1 = none (default 7)")
    add("--count", type=int, default=1, help="how many pictures, with seeds counting up from --seed (default 1)")
    add("--size", default="", metavar="WxH", help="pixels, e.g. 512 or 768x512 (default: the model's own)")
    add("--strength", type=float, default=1.0, help="0 = class word, 1 = as learned (default)")
    add("--class-word", default="", metavar="WORD", help="for third-party files, which do not say what they show")
    _common(command)
