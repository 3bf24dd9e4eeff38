"""Models that gradients can pass, for as long as a training takes.

On NVIDIA cards newer ComfyUIs stream weights: they stay in host memory and are cast, LoRAs and all, into buffers that
the next layer overwrites (ModelPatcherDynamic, read in 0.33.0 and 0.38.1). The backward pass would then read other
layers' weights without any error. So a training runs on static copies, which ComfyUI makes from the file and which are
freed afterwards.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, cast

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor, nn

from ...seal_core.messages import SealError
from ...seal_core.method.attention import swapped_forwards

_STATIC = "Or start ComfyUI with --disable-dynamic-vram."


def is_dynamic(patcher: comfy.model_patcher.ModelPatcher) -> bool:
    """Whether this ComfyUI streams the patcher's weights while it computes; older ones never do."""
    asked = getattr(patcher, "is_dynamic", None)
    return asked is not None and asked()


def refuse_untrainable(part: str, patcher: comfy.model_patcher.ModelPatcher) -> None:
    """Raises SealError, before anything is loaded, for weights that gradients cannot pass. part: the input's name."""
    state = comfy.model_management
    if state.vram_state is state.VRAMState.NO_VRAM and not state.is_device_cpu(patcher.load_device):
        raise SealError(
            f"{part}: ComfyUI was started with --novram, which takes every weight off the card before the backward "
            "pass needs it; start it without --novram to train."
        )
    if any(_is_quantised(parameter) for parameter in patcher.model.parameters()):
        raise SealError(
            f"{part}: its weights are quantised (GGUF, scaled fp8, int8, 4 bit), and gradients cannot pass them; "
            "load the checkpoint in fp16, bf16 or fp32 to train."
        )


def require_whole(part: str, patcher: comfy.model_patcher.ModelPatcher) -> None:
    """Raises SealError where ComfyUI streams a part, though asked for the whole: it would be gone before backward."""
    if patcher.model.model_lowvram:
        raise SealError(
            f"{part}: only a part of it was loaded, the rest is streamed, and gradients cannot pass that; take it from "
            "ComfyUI's own loader node (without other packs' nodes for devices and offloading) to train."
        )


def _is_quantised(parameter: nn.Parameter) -> bool:
    """Whether it holds packed numbers, or a class that unpacks them (ComfyUI's QuantizedTensor, GGUF's GGMLTensor)."""
    return type(parameter.data) is not Tensor or not parameter.is_floating_point()


@contextlib.contextmanager
def static_parts(model: Any, clip: Any) -> Iterator[tuple[Any, Any, int]]:
    """(model, clip, bytes that copies take): patchers whose weights stay in place while gradients flow.

    Static parts come back as they are, with 0 bytes. Copies are freed on exit.
    Raises SealError where ComfyUI cannot make a copy.
    """
    copies: list[Any] = []
    try:
        if is_dynamic(model):
            model = _copy("model", model)
            copies.append(model)
        if is_dynamic(clip.patcher):
            patcher, clip = _copy("clip", clip.patcher), clip.clone()
            clip.patcher, clip.cond_stage_model = patcher, patcher.model  # CLIP.clone would keep the streamed module
            copies.append(patcher)
        yield model, clip, sum(patcher.model_size() for patcher in copies)
    finally:
        _free(copies)


def _copy(part: str, patcher: Any) -> Any:
    """A static copy: ComfyUI loads the file again and takes over patches and options."""
    if patcher.injections:  # they hold the wired model's own modules: a copy would silently run without them
        raise SealError(
            f"{part}: its LoRA is in bypass mode, which training cannot follow here; load it with Load LoRA. {_STATIC}"
        )
    if any(is_dynamic(other) for other in (*patcher.get_nested_additional_models(), *patcher.model_patches_models())):
        raise SealError(f"{part}: a patch on it streams its own weights; train on the model without it. {_STATIC}")
    if getattr(patcher, "cached_patcher_init", None) is None:
        raise SealError(
            f"{part}: its loader does not say how to load it again, so its weights can only be streamed, and gradients "
            f"cannot pass that; load it with ComfyUI's own loader node. {_STATIC}"
        )
    try:
        return patcher.clone(disable_dynamic=True)
    except OSError as error:
        raise SealError(f"{part}: its file cannot be read again ({error}); put it back to train. {_STATIC}") from None


def _free(copies: list[Any]) -> None:
    """Takes copies off the device and out of ComfyUI's list, which would keep their memory until it needs some."""
    if not copies:
        return
    loaded = comfy.model_management.current_loaded_models
    for entry in [entry for entry in loaded if any(entry.model is patcher for patcher in copies)]:
        entry.model_unload()
        loaded[:] = [other for other in loaded if other is not entry]
    comfy.model_management.soft_empty_cache()


@contextlib.contextmanager
def in_training() -> Iterator[None]:
    """Tells newer ComfyUIs that gradients flow; otherwise some of their fast paths work in place."""
    manage = comfy.model_management
    before = getattr(manage, "in_training", None)
    if before is None:
        yield
        return
    manage.in_training = True
    try:
        yield
    finally:
        manage.in_training = before


def differentiable_products(*roots: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Lets linear layers that multiply in fp8 or by cuBLAS itself, which autograd cannot follow, do so as others do.

    ComfyUI makes such layers for --fast, and of the weight type fp8_e4m3fn_fast.
    """
    own = tuple(getattr(comfy.ops, name).Linear for name in ("fp8_ops", "cublas_ops") if hasattr(comfy.ops, name))
    ordinary = comfy.ops.disable_weight_init.Linear.forward_comfy_cast_weights
    layers = [module for root in roots for module in root.modules() if isinstance(module, own)]
    return swapped_forwards({layer: functools.partial(ordinary, layer) for layer in layers})


class Gradients:
    """Lets gradients pass through loaded modules but not into their weights; `restore` puts the flags back."""

    def __init__(self) -> None:
        self._frozen: list[nn.Parameter] = []

    def let_through(self, root: nn.Module) -> None:
        """Replaces inference tensors by normal ones of the same value, type and place, one by one.

        Autograd cannot save inference tensors. Sampling, and taking a LoRA off, bring some back, so every run checks.
        """
        for module in root.modules():
            for store in cast(list[dict[str, Any]], [module._parameters, module._buffers, vars(module)]):
                for name, tensor in list(store.items()):
                    if isinstance(tensor, Tensor) and tensor.is_inference():
                        store[name] = _normal(tensor)
            for parameter in module._parameters.values():
                if parameter is not None and parameter.requires_grad:
                    parameter.requires_grad_(False)
                    self._frozen.append(parameter)

    def restore(self) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        self._frozen.clear()


def _normal(tensor: Tensor) -> Tensor:
    normal = tensor.detach().clone()
    return nn.Parameter(normal, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else normal


@contextlib.contextmanager
def no_inference_tensors(part: str) -> Iterator[None]:
    """Explains autograd's error about inference tensors: a patch on `part` holds some that we cannot see."""
    try:
        yield
    except RuntimeError as error:
        if "nference tensor" not in str(error) or isinstance(error, torch.OutOfMemoryError):
            raise
        raise SealError(
            f"{part}: a patch on it keeps tensors that gradients cannot pass (a LoRA in bypass mode does); "
            "train on the model without that patch."
        ) from error
