"""Nodes that report the state of MODEL, CLIP and VAE, and of the process."""

from __future__ import annotations

import collections
import ctypes
import gc
import json
import os
import time
import zlib
from typing import Any

import torch
from comfy_api.latest import io, ui

HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)  # fmt: skip


def module_state(module: torch.nn.Module) -> dict[str, Any]:
    """Everything that a training might leave behind in a module tree."""
    hooks: collections.Counter[str] = collections.Counter()
    own: list[str] = []
    for path, part in module.named_modules():
        hooks.update({kind: len(getattr(part, kind)) for kind in HOOKS if getattr(part, kind, None)})
        # Instance attributes that shadow a method of the class: a replaced forward, a wrapped encode.
        own += [f"{path}.{name}" for name, value in vars(part).items() if callable(value) and hasattr(type(part), name)]
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    checksum = 0
    for name in sorted(tensors):
        data = tensors[name].detach().contiguous().view(-1)
        raw = data.view(torch.uint8) if data.numel() else data
        checksum = zlib.crc32(raw.numpy(), zlib.crc32(name.encode(), checksum))
    return {
        "hooks": dict(hooks),
        "shadowed": sorted(own),
        "requires_grad": sum(p.requires_grad for p in module.parameters()),
        "gradients": sum(p.grad is not None for p in module.parameters() if p.is_leaf),
        "training": sum(m.training for m in module.modules()),
        "dtypes": dict(sorted(collections.Counter(str(t.dtype) for t in tensors.values()).items())),
        "tensors": len(tensors),
        "checksum": checksum,
    }


def keys(value: Any) -> Any:
    """The skeleton of nested options: names, lengths and kinds, no values."""
    if isinstance(value, dict):
        return {str(name): keys(part) for name, part in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, (list, tuple)):
        return [keys(part) for part in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__


def patcher_state(patcher: Any) -> dict[str, Any]:
    return {
        "model_options": keys(patcher.model_options),
        "patches": sorted(patcher.patches),
        "object_patches": sorted(patcher.object_patches),
        "wrappers": keys(patcher.wrappers),
        "callbacks": keys(patcher.callbacks),
        "attachments": sorted(patcher.attachments),
        "injections": sorted(patcher.injections),
        "additional_models": sorted(patcher.additional_models),
    }


def process_state() -> dict[str, Any]:
    """Module globals and class methods that must not stay replaced."""
    import comfy.clip_model
    import comfy.ldm.modules.attention as attention
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import TimestepEmbedSequential, UNetModel

    functions = {
        "optimized_attention": attention.optimized_attention,
        "optimized_attention_masked": attention.optimized_attention_masked,
        "CrossAttention": attention.CrossAttention.forward,
        "BasicTransformerBlock": attention.BasicTransformerBlock.forward,
        "CLIPLayer": comfy.clip_model.CLIPLayer.forward,
        "UNetModel": UNetModel.forward,
        "UNetModel._forward": UNetModel._forward,
        "TimestepEmbedSequential": TimestepEmbedSequential.forward,
        "Linear": comfy.ops.disable_weight_init.Linear.forward,
        "manual_cast.Linear": comfy.ops.manual_cast.Linear.forward,
    }
    return {
        **{name: f"{function.__module__}.{function.__qualname__}" for name, function in functions.items()},
        "threads": torch.get_num_threads(),
        "default_dtype": str(torch.get_default_dtype()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


class SEALProbeAudit(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SEALProbeAudit",
            category="SEAL/tests",
            is_output_node=True,
            inputs=[
                io.Model.Input("model"), io.Clip.Input("clip"), io.Vae.Input("vae"), io.Int.Input("nonce", default=0),
            ],
            outputs=[io.String.Output()],
        )  # fmt: skip

    @classmethod
    def execute(cls, model: Any, clip: Any, vae: Any, nonce: int) -> io.NodeOutput:
        sampling = model.get_model_object("model_sampling")
        text = json.dumps({
            "model": module_state(model.model),
            "clip": module_state(clip.cond_stage_model),
            "vae": module_state(vae.first_stage_model),
            "model_patcher": patcher_state(model),
            "clip_patcher": patcher_state(clip.patcher),
            "vae_patcher": patcher_state(vae.patcher),
            "sampling": [type(sampling).__name__, [c.__name__ for c in type(sampling).__mro__]],
            "kind": [type(model.model).__name__, type(model.model.model_config).__name__, model.model.model_type.name],
            "clip_layer": clip.layer_idx,
            "clip_options": keys({k: v for k, v in vars(clip.tokenizer).items() if isinstance(v, (str, int, float))}),
            "tokenizer": sorted(n for part in vars(clip.tokenizer).values() for n in getattr(part, "__dict__", {})),
            "process": process_state(),
        })  # fmt: skip
        return io.NodeOutput(text, ui=ui.PreviewText(text))


def _settled_pages() -> int:
    """Resident pages of this process after freeing all that can be freed."""
    time.sleep(0.2)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


class SEALProbeMemory(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SEALProbeMemory",
            category="SEAL/tests",
            is_output_node=True,
            inputs=[io.Int.Input("nonce", default=0)],
        )

    @classmethod
    def execute(cls, nonce: int) -> io.NodeOutput:
        pages = min(_settled_pages() for _ in range(4))  # the server's own threads are at work for a moment longer
        tensors = [o for o in gc.get_objects() if type(o) is torch.Tensor or type(o) is torch.nn.Parameter]
        report = {
            "resident": pages * os.sysconf("SC_PAGE_SIZE"),
            "tensors": len(tensors),
            "bytes": sum(t.numel() * t.element_size() for t in tensors),
        }
        return io.NodeOutput(ui=ui.PreviewText(json.dumps(report)))
