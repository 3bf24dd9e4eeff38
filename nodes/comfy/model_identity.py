"""What a training depends on in the wired models, as a hash that survives a restart.

Weights count as they were loaded, and patches apart from them with key, strength and tensors. So nothing has to be on
the device, and it does not matter whether ComfyUI has applied a LoRA yet.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
from torch import Tensor

from ...seal_core.hosts.settings_digest import SettingsDigest
from ...seal_core.hosts.weights_digest import add_weights
from .noising import Noising
from .routing.route import KEY
from .text_encoders import family, text_models

_OF_A_PASS = ("optimized_attention_override", "cond_or_uncond", "sigmas", "sample_sigmas", "uuids")
"""transformer_options that every pass sets anew."""


@dataclass(frozen=True)
class Identity:
    """hash: of models and patches. unread: kinds of objects in patches that it leaves out, since none can read them."""

    hash: str
    unread: tuple[str, ...]


def identity(model: Any, clip: Any, vae: Any) -> Identity:
    """Of a MODEL, CLIP and VAE as they are wired, with LoRAs, patches, sampling settings and CLIP skip."""
    names = [(f"unet.{name}", module) for name, module in model.model.named_modules() if name != "model_sampling"]
    parts = (model, clip.patcher, vae.patcher)
    wired = {id(patcher.model) for patcher in parts}

    def said(patcher: Any) -> dict[str, Any]:
        return {**_settings(patcher), "model": None if id(patcher.model) in wired else _weights(patcher)}

    read = SettingsDigest(names, [(comfy.model_patcher.ModelPatcher, said)])
    settings = {
        "family": str(family(clip)),
        "clip skip": clip.layer_idx,
        "tokenizer": getattr(clip, "tokenizer_options", {}),
        "dtype": (model.get_model_object("manual_cast_dtype"), model.model.get_dtype()),
        "sampling": model.get_model_object("model_sampling"),
        "latents": model.get_model_object("latent_format"),
        "patches": [_settings(patcher) for patcher in parts],
    }
    digest = hashlib.sha256(read(settings))
    add_weights(digest, Noising(settings["sampling"]).samples())  # every node mixes its classes anew
    unused = _unused(clip)
    for patcher, prefix in zip(parts, ("diffusion_model.", None, None), strict=True):
        add_weights(digest, ((key, weight) for key, weight in _weights(patcher, prefix).items() if key not in unused))
    return Identity(digest.hexdigest()[:16], tuple(sorted(read.unread)))


def _settings(patcher: Any) -> dict[str, Any]:
    """The settings of a patcher that change a training pass, without those that only sampling reads."""
    options = patcher.model_options.get("transformer_options", {})
    hooks = getattr(patcher, "forced_hooks", None)
    return {
        "weights": patcher.patches,
        "weight wrappers": patcher.weight_wrapper_patches,
        "objects": patcher.object_patches,
        "options": {name: value for name, value in options.items() if name not in _OF_A_PASS},
        "wrappers": _filled(not_ours(patcher.wrappers)),
        "callbacks": _filled(patcher.callbacks),
        "injections": patcher.injections,
        "hooks": hooks and [hooks.hooks, [patcher.hook_patches.get(hook.hook_ref) for hook in hooks.hooks]],
        "more models": patcher.additional_models,
    }


def not_ours(wrappers: dict[str, Any]) -> dict[str, Any]:
    """Without SEALApplyEmbedding's wrappers, which act only while routed prompts are sampled."""
    return {kind: {key: found for key, found in by_key.items() if key != KEY} for kind, by_key in wrappers.items()}


def _filled(by_kind: dict[str, Any]) -> dict[str, Any]:
    """Without kinds that nobody uses: newer ComfyUIs know more kinds."""
    return {kind: by_key for kind, by_key in by_kind.items() if any(by_key.values())}


def _weights(patcher: Any, prefix: str | None = None) -> dict[str, Tensor]:
    """Every weight, or those whose name begins so, as it was before patches."""
    return {key: entries[0][0] for key, entries in patcher.get_key_patches(prefix).items()}


def _unused(clip: Any) -> set[str]:
    """Weights of text encoders that files of SD 1.x and SDXL lack: ComfyUI leaves them uninitialised."""
    found = {f"{name}.logit_scale" for name in text_models(clip)}
    return found | {"clip_l.transformer.text_projection.weight", "clip_h.transformer.text_projection.weight"}
