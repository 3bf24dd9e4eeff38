"""What train and generate read: the model, a concept's file; and how their errors name it."""

from __future__ import annotations

import contextlib
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..concept.concept import Concept
from ..concept.concept_file import load_concept
from ..messages import SealError
from .included import open_included

if TYPE_CHECKING:
    from ..hosts.diffusers.host import DiffusersHost


def open_model(options: Namespace) -> DiffusersHost:
    """The model in --model, or the included one, on --device.

    Raises SealError naming the option, also where diffusers is not installed.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # transformers reads it when it is imported
    try:
        from ..hosts.diffusers.host import DiffusersHost, quiet
    except ImportError as error:
        raise SealError(
            f"model: the command line needs diffusers and transformers ({error}); "
            'install them: pip install "seal-stickers[cli]".'
        ) from error
    quiet()
    try:
        device = torch.device(options.device) if options.device else None
    except RuntimeError:
        raise SealError(f"device: {options.device!r} is not known; use cpu, cuda, cuda:1 or mps.") from None
    dtype = None if options.dtype == "auto" else getattr(torch, options.dtype)
    if options.model is None:
        return open_included(device, dtype)
    return DiffusersHost.from_folder(options.model, device, dtype)


def read_concept(option: str, path: Path, class_word: str) -> Concept:
    """The concept in a file. Errors name the option instead of the node's input `name`."""
    with errors_name_option(f"name: {path.name}", f"{option}: {path}"):
        return load_concept(path, class_word)


@contextlib.contextmanager
def errors_name_option(start: str, option: str) -> Iterator[None]:
    """An error that begins with `start` begins with the command's option instead."""
    try:
        yield
    except SealError as error:
        if not str(error).startswith(start):
            raise
        raise SealError(option + str(error).removeprefix(start)) from error


@contextlib.contextmanager
def memory_errors_of_device() -> Iterator[None]:
    """A device that is out of memory raises Python's own MemoryError."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
