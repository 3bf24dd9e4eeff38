"""Trains the VAE's decoder further, so that latents and the U-Net trained on them stay valid (ours).

The first training divides its time between both halves and mostly sees crops. Here only the decoder learns, on whole
pictures, from latents with a little noise, because a diffusion model never hits the exact latent of a picture.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save as to_bytes
from torch import Tensor
from tqdm import tqdm

from ...demo.model import moved
from ...files.tensor_file import read_shipped_tensors
from ...files.whole_file import write_output
from ..renderer.render import SIZE
from .ready_vae import KEY, READY, REMEDY, ready_vae
from .state import Weights, scale_at
from .time_budget import SAVE_SECONDS, WORK, TimeBudget
from .train_vae import Renders, held_out, measure_vae, reconstruction

STATE = "decoder.safetensors"
RATE = 2e-3
NOISE = 0.08
"""Largest standard deviation of the noise on latents of unit variance; each picture draws its own, from 0 up."""


class DecoderTraining:
    """The decoder in training and its state in `folder`."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, torch.device(device)
        self.vae = moved(ready_vae(folder), device)
        parts = {"decoder": self.vae.decoder, "post_quant_conv": self.vae.post_quant_conv}
        self.weights = Weights(parts, torch.float32, RATE)
        self.about: dict[str, Any] = {"seconds": 0.0, "images": 0, "run": {}}
        if (folder / STATE).exists():
            self.about = self.weights.load(folder / STATE)
        self.renders = Renders(self.weights.steps, 4000, 200)

    def step(self, count: int, scale: float) -> float:
        """One step on `count` pictures: the loss."""
        self.renders.add(2)
        images = self.renders.batch(count, SIZE).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.no_grad():
                latents = self.vae.encode(images).latent_dist.mode().float()
                amount = NOISE * torch.rand(count, 1, 1, 1, device=self.device)
                latents = latents + amount * torch.randn_like(latents)
            decoded = self.vae.decode(latents).sample.float()
        loss, _ = reconstruction(decoded, images)
        loss.backward()
        self.weights.step(scale)
        self.about["images"] += count
        return float(loss.detach())

    def averaged(self) -> AutoencoderKL:
        """The VAE with the decoder's averaged weights, on the CPU."""
        vae = ready_vae(self.folder)
        for part in ("decoder", "post_quant_conv"):
            vae.get_submodule(part).load_state_dict(self.weights.averaged(part))
        return vae

    def save(self, checks: Tensor) -> dict[str, Any]:
        """Write the state and the VAE that latents and exports use. Returns the held-out figures."""
        vae = self.averaged()
        figures = measure_vae(vae, checks)
        _, about = read_shipped_tensors(self.folder / READY, KEY, "folder", REMEDY)
        about |= {"decoder_steps": self.weights.steps, "psnr": figures["psnr"]}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in vae.state_dict().items()}
        write_output(self.folder / READY, to_bytes(tensors, metadata={KEY: json.dumps(about)}))
        self.weights.save(self.folder / STATE, self.about)
        return figures


def train_decoder(folder: Path, minutes: float, device: str, batch: int) -> dict[str, Any]:
    """Train for `minutes`, saving every two. A stopped run resumes; after a finished one a new run begins."""
    job, checks = DecoderTraining(folder, device), held_out()
    run, figures = TimeBudget(job.about, minutes, job.weights.steps), {}
    with tqdm(total=100, unit="%", desc="decoder", mininterval=5) as bar, (folder / "decoder.jsonl").open("a") as log:
        while run.done < 1:
            loss = job.step(batch, scale_at(run.done, job.weights.steps - run.first_step, warm_up=20))
            run.tick()
            bar.n = round(100 * run.done, 1)
            bar.set_postfix(step=job.weights.steps, loss=f"{loss:.4f}", refresh=False)
            bar.update(0)
            if run.due("save", SAVE_SECONDS):
                figures = job.save(checks)
                log.write(json.dumps({"step": job.weights.steps, "loss": loss, **job.about, **figures}) + "\n")
                log.flush()
    return {**figures, "steps": job.weights.steps, "images": job.about["images"]}


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    add("--minutes", type=float, default=20, help="time budget of a new run (%(default)s)")
    add("--batch", type=int, default=6, help="pictures a step (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    print(json.dumps(train_decoder(options.folder, options.minutes, options.device, options.batch)))
