"""Training of the tiny model's VAE on renders made on the fly (ours).

Losses: L1 on pixels, L1 on differences of neighbouring pixels (keeps edges sharp that plain L1 blurs), and a small KL
term that keeps latents near unit variance. First on 64 px crops, which give more steps for the same pixels; the last
third on whole pictures, where group norms and the middle attention see other statistics.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from ...demo.model import VAE, moved
from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.render import SIZE, render
from ..renderer.scenes import random_scene
from .state import Weights, scale_at
from .time_budget import SAVE_SECONDS, WORK, TimeBudget

KL = 2e-4
EDGES = 0.6
CROP, WHOLE_FROM = 64, 0.7
"""Crop's side in pixels; share of the training after which pictures are whole."""
RATE, WARM_UP = 5e-3, 40
"""Peak learning rate of matrices, and steps until it is reached."""
STATE = "vae.safetensors"
QUIET = -5.0
"""Initial log variance of the posterior; at 0 the noise drowns the latents, and the decoder learns late."""


class Renders:
    """A pool of renders, (128, 128, 3) uint8 each; every batch replaces a few."""

    def __init__(self, seed: int, capacity: int, first: int) -> None:
        self._rng, self._capacity = random.Random(seed), capacity
        self._images: list[np.ndarray] = []
        self.add(first)

    def add(self, count: int) -> None:
        for _ in range(count):
            number = self._rng.randrange(len(seeds.TRAIN))
            image = render(character(seeds.TRAIN[number]), random_scene(self._rng), number).image
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
    """Reconstruction loss of decoded pictures (B, 3, H, W), and its two parts: L1 on pixels and on edges."""
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
    rows = [render(character(s), random_scene(rng), s).image for s in seeds.VALIDATION[:count]]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def measure_vae(vae: AutoencoderKL, images: Tensor) -> dict[str, Any]:
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


class VaeTraining:
    """The autoencoder in training and its state in `folder`."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, torch.device(device)
        torch.manual_seed(0)
        self.vae = AutoencoderKL(**VAE)  # in the plain layout: channels_last is twice as slow on CPUs in bfloat16
        with torch.no_grad():
            bias = self.vae.get_parameter("quant_conv.bias")
            half = len(bias) // 2
            self.vae.get_parameter("quant_conv.weight")[half:] *= 0.1
            bias[half:] = QUIET
        moved(self.vae, self.device)
        self.weights = Weights({"vae": self.vae}, torch.float32, RATE)
        self.about: dict[str, Any] = {"seconds": 0.0, "images": 0, "run": {}}
        if (folder / STATE).exists():
            self.about = self.weights.load(folder / STATE)

    @functools.cached_property
    def renders(self) -> Renders:
        return Renders(self.weights.steps, 6000, 600)

    def step(self, count: int, side: int, scale: float) -> dict[str, float]:
        """One step on `count` crops of `side` pixels: the parts of the loss."""
        self.renders.add(2)
        loss, parts = losses(self.vae, self.renders.batch(count, side).to(self.device))
        loss.backward()
        self.weights.step(scale)
        self.about["images"] += count
        return parts

    def averaged(self) -> AutoencoderKL:
        """An autoencoder with the averaged weights, on the CPU."""
        vae = AutoencoderKL(**VAE)
        vae.load_state_dict(self.weights.averaged("vae"))
        return vae.eval()


def train_vae(folder: Path, minutes: float, device: str, batch: int) -> dict[str, Any]:
    """Train for `minutes`, saving every two. A stopped run resumes; after a finished one a new run begins."""
    job, checks = VaeTraining(folder, device), held_out()
    run, figures = TimeBudget(job.about, minutes, job.weights.steps), {}
    with tqdm(total=100, unit="%", desc="VAE", mininterval=5) as bar, (folder / "vae.jsonl").open("a") as log:
        while run.done < 1:
            whole = run.done > WHOLE_FROM
            count, side = (batch // 4, SIZE) if whole else (batch, CROP)
            parts = job.step(count, side, scale_at(run.done, job.weights.steps - run.first_step, WARM_UP))
            run.tick()
            bar.n = round(100 * run.done, 1)
            bar.set_postfix({"step": job.weights.steps, **{k: f"{v:.4f}" for k, v in parts.items()}}, refresh=False)
            bar.update(0)
            if run.due("save", SAVE_SECONDS):
                figures = measure_vae(job.averaged(), checks)
                job.weights.save(folder / STATE, job.about)
                log.write(json.dumps({"step": job.weights.steps, **job.about, **parts, **figures}) + "\n")
                log.flush()
    return {**figures, "steps": job.weights.steps, "images": job.about["images"]}


def trained(folder: Path) -> tuple[AutoencoderKL, int]:
    """The averaged autoencoder of a folder, and its step."""
    job = VaeTraining(folder, "cpu")
    return job.averaged(), job.weights.steps


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    parser.add_argument("--minutes", type=float, default=35, help="time budget of a new run (%(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="64 px crops a step (%(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def run(options: argparse.Namespace) -> None:
    print(json.dumps(train_vae(options.folder, options.minutes, options.device, options.batch)))
