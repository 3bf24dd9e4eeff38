"""What a command does without --model: the included tiny model, its own budget, and a built-in sticker."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

from ..messages import SealError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..hosts.diffusers.host import DiffusersHost


def open_included(device: torch.device | None, dtype: torch.dtype | None) -> DiffusersHost:
    """The included model. device, dtype: None = the CPU, where it is quick; float32."""
    from ..demo.model import host, load_model, moved

    model = load_model(device=device or "cpu")
    if dtype is not None:
        moved(model.unet, dtype)
    return host(model)


def complete(options: Namespace) -> None:
    """Give a `train` without --model what it leaves open; without --image that is a built-in sticker.

    Raises SealError where another model has no sticker, or a mask no image.
    """
    from ..demo.sticker_files import BUILT_IN, built_in_sticker

    if options.model is not None:
        if not options.image:
            raise SealError("image: give the sticker: --image a.png (without --model, a built-in one is learned).")
        return
    if not options.image:
        if options.mask:
            raise SealError("mask: it belongs to no image; give the sticker too: --image a.png.")
        name = next(iter(BUILT_IN))
        options.class_word = options.class_word or built_in_sticker(name).class_word
        options.attributes = options.attributes or json.dumps(dict(BUILT_IN[name]))
        print(f"sticker: {name}, a built-in one (--image takes yours)")
    take_tuned(options)
    print("model: the included tiny one (--model takes SD 1.x, SD 2.x and SDXL); about two minutes on two cores")


def take_tuned(options: Namespace) -> None:
    """The included model's own steps and rates, where the options leave them open."""
    from ..demo.tuned_presets import tuned_preset
    from ..method.configure import QUALITIES

    tuned = tuned_preset(options.preset)
    options.steps = options.steps or round(QUALITIES[options.quality] * tuned.steps)
    for field in ("learning_rate", "batch_size", "weights_rate"):
        setattr(options, field, getattr(options, field) or getattr(tuned, field))


def built_in_pictures() -> tuple[list[Tensor], list[Tensor]]:
    """The first built-in sticker (H, W, 3) with its ground, and its mask (H, W)."""
    import numpy as np
    import torch

    from ..demo.sticker_files import BUILT_IN, built_in_sticker

    sticker = built_in_sticker(next(iter(BUILT_IN)))
    image, mask = (torch.from_numpy(np.float32(part) / 255) for part in (sticker.image, sticker.mask))
    return [image], [mask]


def usual_guidance(options: Namespace) -> float:
    """The guidance scale that fits the model."""
    from ..demo.generation import CFG

    return CFG if options.model is None else 7.0
