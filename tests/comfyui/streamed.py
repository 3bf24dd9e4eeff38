"""A stand-in on the CPU for the patcher that newer ComfyUIs use on NVIDIA cards (ModelPatcherDynamic).

What matters for gradients: weights stay as loaded, under inference mode; each layer casts its own into ONE buffer of
raw memory, so autograd does not see it being overwritten; patches apply while casting; loading requests are ignored;
`clone(disable_dynamic=True)` gives an ordinary patcher with its own modules. Built on ComfyUI's ModelPatcher, it works
the same in ComfyUIs that never stream.
"""

from __future__ import annotations

import contextlib

import comfy.lora
import comfy.model_patcher
import comfy.ops
import numpy as np
import torch

_BUFFER = np.zeros(1 << 22, dtype=np.float32)


class StreamedPatcher(comfy.model_patcher.ModelPatcher):
    cached_patcher_init = None

    def is_dynamic(self):
        return True

    def clone(self, disable_dynamic=False, **more):
        if hasattr(comfy.model_patcher.ModelPatcher, "is_dynamic"):
            return super().clone(disable_dynamic=disable_dynamic, **more)
        clone = super().clone()
        clone.cached_patcher_init = self.cached_patcher_init
        if disable_dynamic:  # as newer ComfyUIs do it
            load, arguments = self.cached_patcher_init
            clone.__class__, clone.model = (
                comfy.model_patcher.ModelPatcher,
                load(*arguments, disable_dynamic=True).model,
            )
            clone.backup, clone.object_patches_backup, clone.pinned = {}, {}, set()
        return clone

    def partially_load(self, device_to, extra_memory=0, force_patch_weights=False):
        assert not force_patch_weights
        self.unpatch_model(unpatch_weights=False)
        self.patch_model(load_weights=False)
        for name, module in self.model.named_modules():
            if hasattr(module, "comfy_cast_weights"):
                module.comfy_cast_weights = True
                module.streamed = (name, self.patches)
        self.model.device = device_to
        self.model.current_weight_patches_uuid = self.patches_uuid

    def unpatch_model(self, device_to=None, unpatch_weights=True):
        super().unpatch_model(device_to=None, unpatch_weights=False)

    def loaded_size(self):
        return 0

    def unpin_all_weights(self):
        pass


_cast = comfy.ops.cast_bias_weight


def _streamed_cast(layer, input=None, dtype=None, device=None, bias_dtype=None, offloadable=False, **more):
    if not hasattr(layer, "streamed"):
        return _cast(layer, input, dtype, device, bias_dtype, offloadable, **more)
    name, patches = layer.streamed
    cast, used = [], 0
    for kind in ("weight", "bias"):
        weight = getattr(layer, kind, None)
        if weight is not None:
            key = f"{name}.{kind}"
            if key in patches:
                weight = comfy.lora.calculate_weight(patches[key], weight.detach().clone(), key)
            place = torch.from_numpy(_BUFFER[used : used + weight.numel()]).view(weight.shape)
            used += weight.numel()
            weight = place.copy_(weight.detach())
        cast.append(weight)
    return (*cast, None) if offloadable else tuple(cast)


@contextlib.contextmanager
def streaming():
    """Layers of streamed models cast as described while this is entered."""
    comfy.ops.cast_bias_weight = _streamed_cast
    try:
        yield
    finally:
        comfy.ops.cast_bias_weight = _cast


def streamed_model(make):
    """make() as ComfyUI's loader returns it on such a card; `make` returns an ordinary MODEL."""

    def load(disable_dynamic=False):
        patcher = make()
        if not disable_dynamic:
            patcher.__class__ = StreamedPatcher
        patcher.cached_patcher_init = (load, ())
        return patcher

    return load()


def streamed_clip(make):
    """make() as ComfyUI's loader returns it on such a card; `make` returns an ordinary CLIP."""
    clip = make()
    clip.patcher.__class__ = StreamedPatcher
    clip.patcher.cached_patcher_init = (lambda disable_dynamic=False: make().patcher, ())
    return clip
