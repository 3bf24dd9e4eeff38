"""`python -m seal_core COMMAND`: try, train, generate, animate and pack on a local diffusers folder.

Bad input ends with status 2 and one line on stderr, Ctrl-C with 130, SIGTERM with 143. A file appears whole or not at
all.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pkgutil import resolve_name
from types import FrameType
from typing import NamedTuple

from ..messages import SealError, make_output_tolerant, notices_on_stderr, require_utf8


class Command(NamedTuple):
    """options: the function that adds a command's options; work: the one that does the work. "module:function".

    Both are imported only when the command is called: torch takes seconds, and no --help needs it.
    """

    options: str
    work: str
    help: str
    description: str
    epilog: str


COMMANDS = {
    "demo": Command(
        "cli.demo:demo_options",
        "cli.demo:demo_command",
        "try it: one sticker, Textual Inversion and SEAL side by side, on the included tiny model",
        "Learn one sticker by Textual Inversion and by SEAL on the included tiny model, then write a contact sheet, "
        "the mask and a report. Needs no other model, no GPU and no network; takes about two minutes.",
        "example: python -m seal_core demo",
    ),
    "train": Command(
        "cli.train_options:add_options",
        "cli.train:run",
        "learn a concept from one sticker",
        "Learn a concept from one sticker, or from several pictures of one character. "
        "Writes NAME.safetensors, NAME.loss.png, NAME.attention.png and NAME.json. Without --model it learns on the "
        "included tiny model and draws with it, too: NAME.pictures.png.",
        "example: python -m seal_core train --model sd15 --image a.png --class-word cat --name my-cat",
    ),
    "batch": Command(
        "cli.batch_options:add_options",
        "cli.batch:run",
        "learn a concept from each picture of a folder",
        "Learn a concept from each picture of a folder; the same command continues. Writes concepts/NAME.safetensors "
        "with report and preview, index.jsonl and index.html; with --prompts also pictures, with --pack packs.",
        "example: python -m seal_core batch stickers --model sd15 --class-word cat --out learned --jobs 2",
    ),
    "generate": Command(
        "cli.generate_options:add_options",
        "cli.generate:run",
        "generate pictures with a learned concept",
        "Generate pictures with a learned concept. It enters only the layers it was trained for.",
        "example: python -m seal_core generate --model sd15 --embedding my-cat.safetensors "
        '--prompt "a sticker of <my-cat> jumping"',
    ),
    "restyle": Command(
        "cli.restyle_options:add_options",
        "cli.restyle_pictures:run",
        "pictures in the look of others, region by region",
        "Redraw pictures in the look of style pictures: fur from fur, ground from ground. Writes NAME-restyled.png and "
        "NAME-restyled.regions.png, which shows what took its look from where.",
        "example: python -m seal_core restyle cat.png --style painting.png --model sd15",
    ),
    "tailor": Command(
        "cli.tailor_options:add_options",
        "cli.tailor:run",
        "learn a look from a handful of pictures, as a LoRA",
        "Learn a look from a handful of pictures; layout and obedience come from content pictures, which the model "
        "draws itself from --content-captions where none are given. Writes NAME.safetensors, a LoRA that "
        "python -m seal_core generate draws with, too, NAME.loss.png and NAME.json.",
        "example: python -m seal_core tailor inks/*.png --style-captions inks.txt --content-captions prompts.txt "
        "--name ink --model sd15",
    ),
    "animate": Command(
        "cli.animate:add_options",
        "cli.animate:run",
        "let stickers move, without a model",
        "Let stickers bounce, shake, pop, wobble, swing or float, or go from key pose to key pose, in a seamless loop. "
        "Needs no model. Writes NAME-MOTION.webp; python -m seal_core pack makes such files fit a chat platform.",
        "example: python -m seal_core animate cat.png --motion wobble --overlay hearts",
    ),
    "move": Command(
        "cli.move_options:add_options",
        "cli.move:run",
        "learn how one animated sticker moves, and draw another that moves like it",
        "Learn how ONE animated sticker moves, and draw what --prompt says moving like it. Writes NAME.safetensors, "
        "the motion, which SEAL Apply Motion and this command draw with, NAME.loss.png, NAME.json, and NAME-SEED.webp.",
        'example: python -m seal_core move wave.gif --caption "a sticker of a cat, waving" --prompt "a sticker of a '
        'dog, waving" --name wave --model sd15',
    ),
    "pack": Command(
        "cli.pack:add_options",
        "cli.pack:run",
        "pack stickers for a chat platform",
        "Pack a folder of stickers for a chat platform, with every file within the platform's limits. "
        "Writes a new folder with the stickers, what else the platform wants, and pack.json.",
        'example: python -m seal_core pack stickers --platform whatsapp --out packs --title "My Cat" '
        "--author Me --emoji 😺",
    ),
}

WITHOUT_TORCH = ("pack",)

_CORE = __name__.removesuffix(".cli.main")

OPTION_OF_INPUT = {"reference_attributes": "attributes"}
"""Errors name node inputs. These options have another name; all others only have dashes for underscores."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    make_output_tolerant()
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser(given).parse_args(given)
    try:
        _require_valid_texts(options)
        _say_what_takes_long(options.command)
        with _signals_interrupt(), notices_on_stderr():
            _function(COMMANDS[options.command].work)(options)
    except SealError as error:
        return _complain(str(error), vars(options))
    except MemoryError:
        return _complain("out of memory; use a smaller --resolution or --size, --batch-size 1, or --dtype bfloat16.")
    except KeyboardInterrupt as stop:
        print("\nstopped; no file is half-written.", file=sys.stderr)
        return 128 + (stop.number if isinstance(stop, _Signalled) else signal.SIGINT)
    return 0


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The commands, and the options of the one that `arguments` call."""
    top = argparse.ArgumentParser(
        prog="python -m seal_core",
        description="SEAL: learn a character from ONE sticker as a text embedding, and generate with it. "
        "Works on a local diffusers folder of SD 1.x, SD 2.x or SDXL; downloads nothing. "
        "Lets stickers move, and packs them for chat platforms; uploads nothing.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, command in COMMANDS.items():
        parser = commands.add_parser(name, help=command.help, description=command.description, epilog=command.epilog)
        if name in arguments[:1]:
            _function(command.options)(parser)
    return top


def _function(path: str) -> Callable[..., None]:
    """The function at "module:function" within seal_core."""
    return resolve_name(f"{_CORE}.{path}")


def _say_what_takes_long(command: str) -> None:
    """A line before torch is imported: where its files were never read, that takes half a minute."""
    if command not in WITHOUT_TORCH and "torch" not in sys.modules:
        print("loading PyTorch (seconds; longer the first time)", file=sys.stderr, flush=True)


def _require_valid_texts(options: argparse.Namespace) -> None:
    for name, given in vars(options).items():
        if name in ("input", "out"):  # folders: their names may be any bytes
            continue
        for text in given if isinstance(given, list) else [given]:
            if isinstance(text, str):
                require_utf8(text, name)


class _Signalled(KeyboardInterrupt):
    """Another signal than Ctrl-C's, raised as Ctrl-C is, so that the same is cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP (a closed terminal) stop the command as Ctrl-C does. A second one is ignored meanwhile."""
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


def _complain(message: str, options: Mapping[str, object] | None = None) -> int:
    """Print an error as one line. An input's name becomes that of its option."""
    name, colon, rest = " ".join(message.split()).partition(":")
    option = OPTION_OF_INPUT.get(name, name)
    if option in (options or {}):
        option = option.replace("_", "-")
    print(f"error: {option}{colon}{rest}", file=sys.stderr)
    return 2
