"""Inputs of the fuzz tests, and the rule for outputs. Without hypothesis, which ComfyUI's interpreters lack."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

MOST_SECONDS = 100.0
"""Most processor seconds of one case: a guard against unbounded work, which takes hours. The slowest case, a border of
512 px, takes 2 s, or 5 s on a busy machine."""


def no_silent_nan(value: Any, where: str = "output") -> None:
    """Every number in an output, however deep, is one; every text can be encoded."""
    if isinstance(value, torch.Tensor):
        assert not value.is_floating_point() or bool(value.isfinite().all()), f"{where}: a tensor with NaN"
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind != "f" or np.isfinite(value).all(), f"{where}: an array with NaN"
    elif isinstance(value, float):
        assert math.isfinite(value), f"{where}: {value}"
    elif isinstance(value, str):
        value.encode()
        with contextlib.suppress(ValueError):
            json.loads(value, parse_constant=lambda name: _fail(f"{where}: {name} in JSON"))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            no_silent_nan(inner, f"{where}.{key}")
    elif isinstance(value, Sequence):
        for i, inner in enumerate(value):
            no_silent_nan(inner, f"{where}[{i}]")
    elif dataclasses.is_dataclass(value):
        no_silent_nan(vars(value), where)


def _fail(why: str) -> None:
    raise AssertionError(why)


# -- texts and numbers -----------------------------------------------------------------------------

PIECES = (
    "", " ", ",", ", ", ";", "\n", "\r\n", "\t", "\0", "\x1b[31m", "\u2028", "\ufeff", "\u200b", "\ud800", "\udcff",
    "{", "}", "{}", "{concept}", "{emotion}", "{0}", "{concept.__class__}", "{concept!r:>99}", "[", "]", "(", ")",
    "((x))", "(x:1.2)", "(x:nan)", "(x:1e999)", ":", "::", "\\", "\\(", '"', "'", "<x>", "<", "%", "%s", "%d%n", "$x",
    "embedding:", "embedding:x", "embedding:x.", "embedding:../x", "embedding: x", "cat", "happy", "a sticker of <x>",
    "שלום", "\u202eabc", "مرحبا", "日本語", "😀", "👩‍👩‍👧", "🇩🇪", "e\u0301", "ﷺ", "ẞ", "\U0010ffff",

    "#ffffff", "#f", "white", "../", "/etc/passwd", "C:\\x", "CON",
    "COM¹", "NUL.txt", "~", ".", "..", "-", "--x", "NaN", "inf", "1e999", "-1",
    "٣", "²", "up.3-5", "up.0", "-mid", "all", "sad = 😢", "=", "😀=", "null", "true", '{"emotion": "sad"}', '{"a":',
    "9" * 5000,
)  # fmt: skip
LONG = 100_000

STRANGE_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, 1e-320, 1e308, -1e308, 1e-9, 2.0**63, 10**400)
STRANGE_WHOLE = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**5000, True, 3.0, 2.5, math.nan)


# -- pictures and masks ----------------------------------------------------------------------------

DTYPES = (
    torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.bool, torch.complex64, torch.float8_e4m3fn,
)  # fmt: skip
LOOKS = ("disc", "disc on alpha", "inverted alpha", "noise", "black", "white", "clear", "half", "hairline", "corner")
SPOILED = (math.nan, math.inf, -math.inf, 1e38, -1.0, 2.0, 300.0, 1e-40)


@dataclasses.dataclass(frozen=True)
class Looks:
    """A picture's recipe, as hypothesis prints it; `tensor` makes the picture."""

    look: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    spoiled: float | None = None
    layout: str = "plain"
    seed: int = 0
    mask: bool = False

    def tensor(self) -> torch.Tensor:
        values = torch.from_numpy(self._values())
        if self.spoiled is not None and values.numel():
            values.view(-1)[self.seed % values.numel()] = self.spoiled
        if self.dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
            values = values.nan_to_num(0, 0, 0).clamp(-128, 1e9) * 255
        values = values.to(self.dtype)
        if self.layout == "flipped" and values.ndim:
            values = values.transpose(0, -1).contiguous().transpose(0, -1)
        elif self.layout == "expanded" and values.ndim and values.shape[0]:
            values = values[:1].expand(values.shape)
        elif self.layout == "needs grad" and values.is_floating_point():
            values.requires_grad_()
        elif self.layout == "sparse" and values.ndim and self.dtype != torch.float8_e4m3fn:  # not sparse
            values = values.to_sparse()
        return values

    def _values(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        if len(self.shape) < (2 if self.mask else 3) or self.look == "noise":
            return rng.random(self.shape, np.float32)
        height, width, channels = (*self.shape[-2:], 1) if self.mask else self.shape[-3:]
        y, x = np.mgrid[:height, :width]
        inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) * 0.35) ** 2
        inside |= (self.look == "hairline") & (x == width // 3)
        inside &= self.look != "corner" or (x < width / 2)
        picture = np.where(inside[..., None], rng.random(channels) * 0.7, rng.random(channels) * 0.1 + 0.9)
        flat = {"black": 0.0, "white": 1.0, "half": 0.5}
        if self.look in flat:
            picture[:] = flat[self.look]
        elif self.mask:
            picture = inside[..., None] != (self.look == "inverted alpha")
        if channels >= 4:
            shown = {"disc on alpha": inside, "inverted alpha": ~inside, "clear": np.zeros_like(inside)}
            picture[..., 3] = shown.get(self.look, np.ones_like(inside))
        if self.mask:
            picture = picture[..., 0]
        return np.ascontiguousarray(np.broadcast_to(picture, self.shape), np.float32)
