"""Masks from the wired model's own attention: the one mask method that needs a diffusion model."""

from __future__ import annotations

from typing import Any

import torch

from ...seal_core.masks.methods import AttentionMask
from ...seal_core.masks.self_attention import attention_mask
from ...seal_core.messages import SealError
from .member_lookup import lacks


def attention_method(method: str, model: Any, clip: Any, vae: Any, class_word: str) -> AttentionMask | None:
    """What `semantic_mask` calls where other methods found nothing; None where not everything is wired for it.

    Raises SealError where `method` is attention and something is missing.
    """
    given = {"model": model, "clip": clip, "vae": vae, "class_word": class_word.strip() or None}
    missing = ", ".join(name for name, value in given.items() if value is None)
    if missing and method == "attention":
        raise SealError(f"{missing}: method attention needs model, clip, vae and class_word; add what is missing.")
    if missing:
        return None

    def find(image: torch.Tensor) -> torch.Tensor:
        # Imported late: the mask nodes also run in a ComfyUI that lacks what ComfyHost needs.
        if lacking := lacks("text", "sites", "training"):
            raise SealError(f"model: this ComfyUI has no {lacking}; choose method border or learned, or wire a mask.")
        from .comfy_host import ComfyHost

        with torch.inference_mode(False), torch.no_grad(), ComfyHost(model, clip, vae, gradients=False) as host:
            return attention_mask(host, image, class_word)

    return find
