"""What the small networks we ship share: their blocks and their safetensors files (ours)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ..files.tensor_file import read_shipped_tensors
from ..messages import SealError

FORMAT = 1

N = TypeVar("N", bound=nn.Module)


class Residual(nn.Module):
    """x + two convolutions of it (He et al. 2016), (B, width, H, W) -> the same."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.first, self.second = conv(width, width, norm), conv(width, width, norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


def conv(inputs: int, outputs: int, norm: bool, stride: int = 1, size: int = 3) -> nn.Sequential:
    """A convolution. norm: followed by batch normalisation, for training."""
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=not norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(layer)


def channels_last(network: N) -> N:
    """The network in the memory layout that makes convolutions fastest on a CPU."""
    return cast(Any, network).to(memory_format=torch.channels_last)  # torch's types lack this way to call it


@torch.no_grad()
def fold(trained: nn.Module, plain: N) -> N:
    """Makes `plain`, a network without normalisations, compute the same as `trained`, which has them.

    Their running statistics are folded into the convolutions.
    """
    ours: dict[str, Any] = dict(trained.named_modules())
    for name, module in plain.named_modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        norm = ours.get(f"{name.rpartition('.')[0]}.1")  # beside its convolution: see conv
        if norm is None or not isinstance(norm, nn.BatchNorm2d):
            module.load_state_dict(ours[name].state_dict())
            continue
        figures = norm.state_dict()
        scale = norm.weight / (figures["running_var"] + norm.eps).sqrt()
        weight = ours[name].weight * scale[:, None, None, None]
        module.load_state_dict({"weight": weight, "bias": norm.bias - figures["running_mean"] * scale})
    return plain.eval()


def cached_network(load: Callable[[Path], tuple[N, dict[str, Any]]], path: Path) -> N:
    """The network that `load` reads from a file, read again only if the file has changed."""
    return _cached(load, path, path.stat().st_mtime_ns if path.exists() else 0)


@functools.lru_cache(maxsize=4)
def _cached(load: Callable[[Path], tuple[N, dict[str, Any]]], path: Path, changed: int) -> N:
    return load(path)[0]


def network_bytes(network: Any, key: str, card: Mapping[str, Any]) -> bytes:
    """A network with a `layout`, in float16 as a safetensors file. key: what it is. card: how it was trained and
    what it scored."""
    about = {"format": FORMAT, "layout": asdict(network.layout), "card": dict(card)}
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in network.named_parameters()}
    return to_bytes(tensors, metadata={key: json.dumps(about, sort_keys=True, allow_nan=False)})


def load_network(
    path: Path, key: str, build: Callable[[Mapping[str, Any]], N], remedy: str
) -> tuple[N, dict[str, Any]]:
    """The network in a file, ready for use, and its card. build: makes a network from its layout's values.

    Raises SealError, naming `key` and the remedy, if the file is missing or damaged.
    """
    tensors, about = read_shipped_tensors(path, key, key, remedy)
    try:
        if about["format"] != FORMAT:
            raise SealError(f"{key}: {path} has format {about['format']}, this version reads {FORMAT}; {remedy}.")
        with torch.device("meta"):  # random weights would advance the global generator
            network = build(about["layout"])
        network = network.to_empty(device="cpu")
        network.load_state_dict(tensors)
        if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
            raise ValueError("values that are not finite")
        card = dict(about["card"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise SealError(f"{key}: {path} holds no whole {key} ({error!r}); {remedy}.") from None
    return channels_last(network).eval().requires_grad_(False), card
