"""The judges: small networks that tell a StickerWorld picture's attributes and its character (ours).

Both see the picture alone, at 128 px. `train_judges` trained them on characters that no method and no test uses. They
are separate networks, because identity must not depend on the scene, nor the scene's attributes on the character.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ...demo.attribute_values import VALUES
from ...files.tensor_file import read_shipped_tensors
from ...files.whole_file import write_output
from ...masks.small_networks import Residual, channels_last, conv, fold
from ...messages import SealError
from ..renderer.characters import TRAITS

JUDGES_FILE = Path(__file__).parents[1] / "data" / "judges.safetensors"
SIZE = 128
"""Side of the pictures that the networks see, in pixels; others are resized."""
HEADS: Mapping[str, tuple[str, ...]] = {**VALUES, **TRAITS}
"""What the classifier tells, with the values of each."""
_KEY = "judges"
_FORMAT = 1
_REMEDY = "`python -m seal_core.world judges` makes one"
_BATCH = 64


@dataclass(frozen=True)
class JudgeLayout:
    """A network's shape: numbers out, side of the stem's patches in pixels, channels per level (each half the size of
    the one before)."""

    outputs: int
    patch: int = 4
    widths: tuple[int, ...] = (64, 96, 128, 160)
    hidden: int = 256


class JudgeNetwork(nn.Module):
    """Patches -> residual levels -> mean and maximum over the picture -> numbers.

    norm: with batch normalisation, for training; `folded` computes the same without.
    """

    def __init__(self, layout: JudgeLayout, norm: bool = False) -> None:
        super().__init__()
        self.layout = layout
        widths = layout.widths
        self.stem = conv(3 * layout.patch**2, widths[0], norm)
        self.down = nn.ModuleList(conv(a, b, norm, stride=2) for a, b in itertools.pairwise(widths))
        self.level = nn.ModuleList(Residual(b, norm) for b in widths[1:])
        self.hidden = nn.Linear(2 * widths[-1], layout.hidden)
        self.out = nn.Linear(layout.hidden, layout.outputs)

    def forward(self, images: Tensor) -> Tensor:
        """images: (B, 3, SIZE, SIZE) in [0, 1] -> (B, outputs)."""
        return self.out(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """The same images -> (B, hidden), what the numbers are read from."""
        x = F.pixel_unshuffle(images - 0.5, self.layout.patch).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.stem(x))
        for down, level in zip(self.down, self.level):
            x = level(F.relu(down(x)))
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)
        return F.relu(self.hidden(pooled))

    def folded(self) -> JudgeNetwork:
        """The same function, with the normalisations' running statistics folded into the convolutions."""
        return fold(self, JudgeNetwork(self.layout))


@dataclass(eq=False)
class Judges:
    """Both judges. card: how they were trained and what they scored on held-out characters."""

    classifier: JudgeNetwork
    encoder: JudgeNetwork
    card: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str = JUDGES_FILE, device: str | torch.device = "cpu") -> Judges:
        """The judges in a file. Raises SealError if it is missing, damaged or made for other values."""
        path = Path(path)
        tensors, card = read_shipped_tensors(path, _KEY, "judges", _REMEDY)
        if card.get("format") != _FORMAT:
            raise SealError(f"judges: {path} has format {card.get('format')}, this version reads {_FORMAT}; {_REMEDY}.")
        try:
            heads = {name: tuple(values) for name, values in card["heads"].items()}
            networks = [_restored(tensors, name, card["layouts"][name]) for name in ("classifier", "encoder")]
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            raise SealError(f"judges: {path} holds no whole judges ({error!r}); {_REMEDY}.") from None
        if heads != dict(HEADS):
            other = [name for name in {**heads, **HEADS} if heads.get(name) != HEADS.get(name)]
            raise SealError(f"judges: {path} was trained for other values of {', '.join(other)}; {_REMEDY}.")
        return cls(networks[0].to(device), networks[1].to(device), card)

    def save(self, path: Path | str) -> None:
        """Both networks in fp16 and the card in one metadata key; the file appears whole or not at all."""
        networks = {"classifier": self.classifier, "encoder": self.encoder}
        card = self.card | {
            "format": _FORMAT,
            "heads": {name: list(values) for name, values in HEADS.items()},
            "layouts": {name: vars(network.layout) for name, network in networks.items()},
        }
        tensors = {
            f"{name}.{key}": value.detach().to("cpu", torch.float16).contiguous()
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        }
        text = json.dumps(card, sort_keys=True, separators=(",", ":"), allow_nan=False)
        write_output(Path(path), to_bytes(tensors, metadata={_KEY: text}))

    @torch.inference_mode()
    def classify(self, images: Tensor) -> dict[str, Tensor]:
        """Probabilities (B, number of values) for each of HEADS, on the CPU, float32.

        images: (B, H, W, 3) in [0, 1]. Guesses where the picture does not show it: an action without
        `Scene.shows`, a second colour without a pattern, the colour of no accessory.
        """
        logits = self._run(self.classifier, _pictures(images))
        parts = logits.split([len(values) for values in HEADS.values()], dim=1)
        return {name: part.softmax(dim=1) for name, part in zip(HEADS, parts)}

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """What the classifier reads all its answers from, (B, D): for judges of more than these (`look_judge`)."""
        return self._run(self.classifier, _pictures(images), self.classifier.features)

    @torch.inference_mode()
    def identity(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """Who is on each picture: unit vectors (B, D), on the CPU, float32; their dot product is the similarity.

        masks: (B, H, W) foreground in [0, 1]; paints the background mid-grey first. Compare masked pictures only
        with masked ones.
        """
        pictures = _pictures(images)
        if masks is not None:
            if masks.ndim != 3 or len(masks) != len(images):
                raise SealError(f"masks: {tuple(masks.shape)} does not fit {len(images)} images; give (B, H, W).")
            alpha = _resized(masks.float()[:, None]).to(pictures.device)
            pictures = pictures * alpha + 0.5 * (1 - alpha)
        return F.normalize(self._run(self.encoder, pictures), dim=1)

    def _run(self, network: JudgeNetwork, pictures: Tensor, read: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        device = next(network.parameters()).device
        read = read or network
        if not len(pictures):
            return torch.zeros(0, network.layout.outputs)
        return torch.cat([read(part.to(device)).float().cpu() for part in pictures.split(_BATCH)])


def _restored(tensors: Mapping[str, Tensor], name: str, layout: Mapping[str, Any]) -> JudgeNetwork:
    network = JudgeNetwork(JudgeLayout(**{**layout, "widths": tuple(layout["widths"])}))
    network.load_state_dict({k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")})
    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise ValueError(f"{name} holds values that are not finite")
    return channels_last(network).eval().requires_grad_(False)


def _pictures(images: Tensor) -> Tensor:
    """(B, H, W, 3) in [0, 1] -> (B, 3, SIZE, SIZE)."""
    if images.ndim != 4 or images.shape[-1] != 3 or not images.is_floating_point():
        raise SealError(f"images: {tuple(images.shape)} {images.dtype} is not (B, H, W, 3) of floats in [0, 1].")
    if not bool(torch.isfinite(images).all()):
        raise SealError("images: hold values that are not finite (NaN); look at what made them.")
    return _resized(images.float().clamp(0, 1).movedim(-1, 1))


def _resized(pictures: Tensor) -> Tensor:
    if pictures.shape[-2:] == (SIZE, SIZE) or not len(pictures):
        return pictures
    return F.interpolate(pictures, (SIZE, SIZE), mode="bilinear", antialias=True)
