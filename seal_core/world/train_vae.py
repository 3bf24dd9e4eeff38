"""Training the tiny model's VAE on renders that are made while it trains (ours).

Losses: absolute difference, differences of neighbouring pixels (edges stay sharp where a plain L1 blurs them), and a
small KL term that keeps the latents near unit variance. First on 64 px crops, which give more steps for the same
pixels, the last third on whole pictures, since group norms and the middle attention see other statistics there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from . import seeds
from .characters import character
from .contexts import random_context
from .files import json_line
from .model import VAE
from .optimiser import Optimiser
from .render import SIZE, render
from .train_kit import WORK

KL = 2e-4
EDGES = 0.6
CROP, WHOLE_FROM = 64, 0.7
"""Crop's side in pixels, and the share of the training after which whole pictures are seen."""
MUON, ADAM, WARM_UP = 5e-3, 1.5e-3, 40
"""Peak learning rates, and steps until they are reached."""
EMA = 0.998
QUIET = -5.0
"""Where the posterior's log variance starts: with noise as large as the latents, the decoder long learns nothing."""


class Renders:
    """A shuffled store of renders, (n, 128, 128, 3) uint8, in which some are replaced before each batch."""

    def __init__(self, seed: int, capacity: int, first: int) -> None:
        self._rng, self._capacity = random.Random(seed), capacity
        self._images: list[np.ndarray] = []
        self.add(first)

    def add(self, count: int) -> None:
        for _ in range(count):
            number = self._rng.randrange(len(seeds.TRAIN))
            image = render(character(seeds.TRAIN[number]), random_context(self._rng), number).image
            if len(self._images) < self._capacity:
                self._images.append(image)
            else:
                self._images[self._rng.randrange(self._capacity)] = image

    def batch(self, count: int, side: int) -> Tensor:
        """(count, 3, side, side) in -1..1: crops at random places, half of them mirrored."""
        rows = []
        for _ in range(count):
            image = self._rng.choice(self._images)
            y, x = (8 * self._rng.randint(0, (SIZE - side) // 8) for _ in range(2))
            crop = image[y : y + side, x : x + side]
            rows.append(crop[:, ::-1] if self._rng.random() < 0.5 else crop)
        return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1


def reconstruction(decoded: Tensor, images: Tensor) -> tuple[Tensor, dict[str, float]]:
    """What the decoded pictures (B, 3, H, W) lack, and its parts: differences of pixels, and of neighbouring pixels."""
    plain = (decoded - images).abs().mean()
    edges = plain.new_zeros(())
    a, b = decoded, images
    for _ in range(2):
        for dim in (2, 3):
            edges = edges + (a.diff(dim=dim) - b.diff(dim=dim)).abs().mean()
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return plain + EDGES * edges / 4, {"l1": float(plain.detach()), "edges": float(edges.detach())}


def losses(vae: AutoencoderKL, images: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch (B, 3, H, W) in -1..1, and its parts."""
    with torch.autocast(images.device.type, torch.bfloat16):
        posterior = vae.encode(images).latent_dist
        decoded = vae.decode(posterior.sample()).sample.float()
    loss, parts = reconstruction(decoded, images)
    kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).mean()
    return loss + KL * kl, parts | {"kl": float(kl.detach())}


def held_out(count: int = 64) -> Tensor:
    """(count, 3, 128, 128) in -1..1: renders of validation characters."""
    rng = random.Random(5)
    rows = [render(character(s), random_context(rng), s).image for s in seeds.VALIDATION[:count]]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def measure(vae: AutoencoderKL, images: Tensor) -> dict[str, Any]:
    """PSNR in dB over all pixels, and mean and standard deviation of each latent channel."""
    latents, decoded = [], []
    for part in images.split(16):
        mode = vae.encode(part).latent_dist.mode()
        latents.append(mode)
        decoded.append(vae.decode(mode).sample.clamp(-1, 1))
    z = torch.cat(latents)
    error = float(((torch.cat(decoded) - images) / 2).pow(2).mean())
    channels = z.transpose(0, 1).flatten(1)
    return {
        "psnr": -10 * math.log10(error),
        "std": float(z.std()),
        "channel_means": [round(float(v), 3) for v in channels.mean(1)],
        "channel_stds": [round(float(v), 3) for v in channels.std(1)],
    }


PARTS = ("vae", "ema", "optimiser")


class _State:
    """Weights, their average, the optimiser and the clock, on disk in two files that belong together."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        torch.manual_seed(0)
        self.vae = AutoencoderKL(**VAE).to(device)  # channels_last is twice as slow on CPUs in bfloat16
        with torch.no_grad():
            half = self.vae.quant_conv.bias.shape[0] // 2
            self.vae.quant_conv.weight[half:] *= 0.1
            self.vae.quant_conv.bias[half:] = QUIET
        self.optimiser = Optimiser(self.vae.named_parameters(), MUON, ADAM)
        self.average = {k: v.detach().clone() for k, v in self.vae.state_dict().items()}
        self.step, self.done, self.seconds, self.images = 0, 0.0, 0.0, 0
        if (folder / "vae.json").exists():
            self._load(device)

    def _load(self, device: str) -> None:
        about = json.loads((self.folder / "vae.json").read_text())
        tensors = load_file(self.folder / about["file"], device=device)
        parts = {p: {k[len(p) + 1 :]: v for k, v in tensors.items() if k.startswith(f"{p}.")} for p in PARTS}
        self.vae.load_state_dict(parts["vae"])
        self.average = parts["ema"]
        self.optimiser.load(parts["optimiser"], about["step"])
        self.step, self.done = about["step"], about["done"]
        self.seconds, self.images = about["seconds"], about["images"]

    def save(self, figures: dict[str, Any]) -> None:
        states = zip(PARTS, (self.vae.state_dict(), self.average, self.optimiser.state()))
        tensors = {f"{part}.{k}": v.contiguous() for part, state in states for k, v in state.items()}
        # Two files in turn: the old one stays whole until the JSON names the new one.
        old = json.loads((self.folder / "vae.json").read_text())["file"] if (self.folder / "vae.json").exists() else ""
        name = "vae-a.safetensors" if old != "vae-a.safetensors" else "vae-b.safetensors"
        save_file(tensors, self.folder / name)
        about = {"file": name, "step": self.step, "done": self.done, "seconds": self.seconds, "images": self.images}
        part = self.folder / ".vae.json.part"
        part.write_text(json.dumps({**about, **figures}))
        os.replace(part, self.folder / "vae.json")

    def averaged(self) -> AutoencoderKL:
        vae = AutoencoderKL(**VAE)
        vae.load_state_dict(self.average)
        return vae.eval()


def train(folder: Path, minutes: float, device: str, batch: int) -> dict[str, Any]:
    """Train for `minutes` (over all runs), saving every two minutes; continues where the folder's state stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    state = _State(folder, device)
    renders, checks = Renders(state.step, 6000, 600), held_out()
    state.done = min(1.0, state.seconds / (minutes * 60))
    budget, started, saved = minutes * 60, time.monotonic() - state.seconds, time.monotonic()
    figures: dict[str, Any] = {}
    with tqdm(total=100, unit="%", desc="VAE", dynamic_ncols=True) as bar, (folder / "vae.jsonl").open("a") as log:
        while state.done < 1:
            state.seconds = time.monotonic() - started
            state.done = min(1.0, state.seconds / budget)
            rate = min(1, (state.step + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * state.done)))
            whole = state.done > WHOLE_FROM
            count = batch // 4 if whole else batch
            renders.add(2)
            images = renders.batch(count, SIZE if whole else CROP).to(device)
            loss, parts = losses(state.vae, images)
            loss.backward()
            state.optimiser.step(rate)
            state.step += 1
            state.images += count
            keep = min(EMA, state.step / (state.step + 20))
            with torch.no_grad():
                for name, value in state.vae.state_dict().items():
                    state.average[name].lerp_(value, 1 - keep)
            if state.step % 20 == 0:
                bar.n = round(100 * state.done, 1)
                bar.set_postfix(step=state.step, **{k: f"{v:.4f}" for k, v in parts.items()})
            if time.monotonic() - saved > 120 or state.done >= 1:
                figures = measure(state.averaged(), checks)
                clock = {"step": state.step, "seconds": round(state.seconds), "rate": rate}
                log.write(json_line({**clock, **parts, **figures}))
                log.flush()
                state.save(figures)
                saved = time.monotonic()
    return {**figures, "steps": state.step, "images": state.images, "seconds": round(state.seconds)}


def trained(folder: Path) -> AutoencoderKL:
    """The averaged VAE of a folder, its scaling factor set so that latents have unit standard deviation."""
    about = json.loads((folder / "vae.json").read_text())
    vae = AutoencoderKL(**{**VAE, "scaling_factor": 1 / about["std"]})
    tensors = load_file(folder / about["file"])
    vae.load_state_dict({k.removeprefix("ema."): v for k, v in tensors.items() if k.startswith("ema.")})
    return vae.eval()


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    parser.add_argument("--minutes", type=float, default=35, help="training time over all runs (%(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="64 px crops a step (%(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def run(options: argparse.Namespace) -> None:
    print(json.dumps(train(options.folder, options.minutes, options.device, options.batch)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    add_options(parser)
    run(parser.parse_args())
