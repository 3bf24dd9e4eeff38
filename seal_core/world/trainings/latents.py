"""Renders as latents for the U-Net, encoded once and kept on disk in chunks (ours).

A chunk is one file, written whole, so encoding can stop, resume, add more later, and run beside a training that reads.
Captions are drawn anew at each use; a record only says who is shown in which scene. The folder's name is a hash of the
encoder and of the renderer's output, so latents of other VAEs or pictures never mix.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ...demo.attribute_values import SCENE, VALUES
from ...demo.model import LATENT, VAE, load_model, moved
from ...files.tensor_file import read_shipped_tensors
from ...messages import SealError
from ..array_files import write_array
from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.render import render
from ..renderer.scenes import Scene, random_scene
from .ready_vae import KEY, READY, REMEDY, ready_vae, write_ready_vae
from .time_budget import WORK, cores
from .train_vae import STATE, trained

CHUNK = 500
HELD_OUT = 256
"""Pictures of validation characters that monitor a training."""
RECORD = np.dtype(
    [
        ("character", "<i8"),
        ("context", "u1", (len(SCENE),)),
        ("latents", "<f2", (4, LATENT, LATENT)),
        ("focus", "<f2", (LATENT, LATENT)),
    ]
)
"""character: seed. context: index of each attribute's value in VALUES. latents: scaled. focus: weights of mean 1."""


# -- the VAE ---------------------------------------------------------------------------------------


@torch.no_grad()
def balance(vae: AutoencoderKL, means: Tensor, stds: Tensor) -> None:
    """Normalise the VAE's latents per channel, (z - means) / stds, in place, without changing its pictures. Both (4,).

    diffusers and ComfyUI have one scaling factor for all channels; a diffusion model wants each at zero mean and unit
    variance. Both quantisation layers are 1x1 convolutions, so the change folds into them exactly.
    """
    count = len(means)
    weight, bias = vae.get_parameter("quant_conv.weight"), vae.get_parameter("quant_conv.bias")
    weight[:count] /= stds.view(-1, 1, 1, 1)
    bias[:count] = (bias[:count] - means) / stds
    bias[count:] -= 2 * stds.log()  # log variance
    weight, bias = vae.get_parameter("post_quant_conv.weight"), vae.get_parameter("post_quant_conv.bias")
    bias += weight[:, :, 0, 0] @ means
    weight *= stds.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=1.0)


def prepare_vae(folder: Path, device: str = "cpu") -> Path:
    """Write the trained, averaged VAE with balanced channels to folder/READY, unless it is up to date."""
    state, path = folder / STATE, folder / READY
    if not state.exists():
        if path.exists():
            return path
        raise SealError(f"folder: {folder} has no trained VAE; run `python -m seal_core.world train vae` first.")
    vae, step = trained(folder)
    if path.exists() and read_shipped_tensors(path, KEY, "folder", REMEDY)[1]["step"] == step:
        return path
    moved(vae, device)
    vae.register_to_config(scaling_factor=1.0)
    rng = random.Random("balance")
    images = [render(character(rng.choice(seeds.TRAIN)), random_scene(rng), i).image for i in range(HELD_OUT)]
    latents = encode(vae, np.stack(images)).transpose(0, 1).flatten(1)
    means, stds = latents.mean(1), latents.std(1)
    balance(vae, means.to(device), stds.to(device))
    return write_ready_vae(folder, vae, {"step": step, "config": {**VAE, "scaling_factor": 1.0}})


def adopt_vae(folder: Path, model: Path) -> Path:
    """Give a training folder without a VAE that of a finished model, so that training can go on from the model."""
    if (folder / READY).exists():
        return folder / READY
    folder.mkdir(parents=True, exist_ok=True)
    finished = load_model(model)
    scale = finished.vae.config["scaling_factor"]
    about = {"model": model.name, "config": {**finished.config["vae"], "scaling_factor": scale}}
    return write_ready_vae(folder, finished.vae, about)


@torch.no_grad()
def encode(vae: AutoencoderKL, images: NDArray[np.uint8]) -> Tensor:
    """(B, 4, H / 8, W / 8) float32 scaled latents (the posterior's mode) of images (B, H, W, 3), on the CPU."""
    device, parts = vae.device, []
    for part in np.array_split(images, -(-len(images) // 25)):
        pixels = torch.from_numpy(part).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        parts.append(vae.encode(pixels).latent_dist.mode().float().cpu() * vae.config["scaling_factor"])
    return torch.cat(parts)


# -- chunks ----------------------------------------------------------------------------------------


def latents_fingerprint(vae: AutoencoderKL) -> str:
    """12 hex digits of the encoder's weights and of a few renders."""
    digest = hashlib.sha256(repr(RECORD).encode())
    for name, tensor in sorted(vae.state_dict().items()):
        if name.startswith(("encoder.", "quant_conv.")):
            digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    rng = random.Random("fingerprint")
    for i in range(12):
        digest.update(render(character(i), random_scene(rng), i).image.tobytes())
    return digest.hexdigest()[:12]


def latent_chunk(
    vae: AutoencoderKL, name: str, count: int, who: range, draw: Callable[..., Any] = render
) -> NDArray[np.void]:
    """`count` records of characters from the range `who`. Same name, same pictures."""
    rng, result, images = random.Random(f"latents {name}"), np.zeros(count, RECORD), []
    for record in result:
        seed, scene = who[rng.randrange(len(who))], random_scene(rng)
        sticker = draw(character(seed), scene, rng.getrandbits(31))
        images.append(sticker.image)
        record["character"], record["focus"] = seed, sticker.focus
        record["context"] = [VALUES[n].index(getattr(scene, n)) for n in SCENE]
    result["latents"] = encode(vae, np.stack(images)).numpy()
    return result


def scene_of(record: np.void) -> Scene:
    return Scene(**{name: VALUES[name][int(i)] for name, i in zip(SCENE, record["context"])})


_worker: dict[str, AutoencoderKL] = {}


def _start(folder: Path, device: str) -> None:
    torch.set_num_threads(1)
    _worker["vae"] = moved(ready_vae(folder), device)


def _make(path: Path, name: str, count: int, who: range) -> Path:
    write_array(path, latent_chunk(_worker["vae"], name, count, who))
    return path


def make_latents(folder: Path, images: int, workers: int, device: str) -> Path:
    """Encode until there are `images` training pictures (in whole chunks); returns the folder of the chunks."""
    prepare_vae(folder, device)
    chunks = folder / "latents" / latents_fingerprint(ready_vae(folder))
    jobs: list[tuple[Path, str, int, range]] = []
    if not (chunks / "held-out.npy").exists():
        jobs.append((chunks / "held-out.npy", "held-out", HELD_OUT, seeds.VALIDATION))
    total = -(-images // CHUNK)
    missing = [i for i in range(total) if not (chunks / f"{i:05d}.npy").exists()]
    jobs += [(chunks / f"{i:05d}.npy", str(i), CHUNK, seeds.TRAIN) for i in missing]
    if not jobs:
        return chunks
    with (
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (folder, device)) as pool,
        tqdm(total=total, initial=total - len(missing), desc=f"chunks of {CHUNK}", dynamic_ncols=True) as bar,
    ):
        for done in as_completed([pool.submit(_make, *job) for job in jobs]):
            bar.update(done.result().name != "held-out.npy")
    return chunks


class Latents:
    """The chunks of a folder, memory-mapped. Raises SealError if there are none."""

    def __init__(self, chunks: Path, remedy: str = REMEDY) -> None:
        """remedy: how to make them."""
        self._folder, self._names = chunks, set[str]()
        self._chunks: list[NDArray[np.void]] = []
        if not self.refresh():
            raise SealError(f"folder: {chunks} holds no latents; {remedy} first.")
        self.held_out: NDArray[np.void] = np.load(chunks / "held-out.npy")

    def __len__(self) -> int:
        return sum(len(chunk) for chunk in self._chunks)

    def refresh(self) -> int:
        """Load chunks written since. Returns how many there are."""
        names = {name for name in os.listdir(self._folder) if name[:5].isdigit()} if self._folder.is_dir() else set()
        for name in sorted(names - self._names):
            self._chunks.append(np.load(self._folder / name, mmap_mode="r"))
        self._names |= names
        return len(self._chunks)

    def draw(self, rng: random.Random, count: int) -> NDArray[np.void]:
        """`count` records at random."""
        size = len(self._chunks[0])  # of every chunk
        rows = [rng.randrange(len(self)) for _ in range(count)]
        return np.stack([self._chunks[i // size][i % size] for i in rows])


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    add("--begin", type=Path, metavar="MODEL", help="take the autoencoder of this finished model")
    add("--images", type=int, default=60_000, help="encode until there are so many; existing ones count (%(default)s)")
    add("--workers", type=int, default=cores(), help="processes (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    if options.begin:
        adopt_vae(options.folder, options.begin)
    print(make_latents(options.folder, options.images, options.workers, options.device))
