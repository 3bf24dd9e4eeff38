"""Rendered clips as latents for `train motion`, encoded once and kept on disk in chunks, as `latents` keeps stills."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from tqdm import tqdm

from ...demo.attribute_values import SCENE, VALUES
from ...demo.model import LATENT
from ..array_files import write_array
from ..renderer import seeds
from ..renderer.characters import character
from ..renderer.movements import FRAMES, Movement
from ..renderer.render import render_clip
from ..renderer.scenes import Scene, random_scene
from .latents import encode, latents_fingerprint, scene_of

CLIPS, HELD_OUT_CLIPS = 50, 24
"""Clips of a chunk, and clips of validation characters."""
EMOTIONS = VALUES["emotion"]
STILLS, CHANGES, WHOLE = 0.05, 0.25, 0.6
"""Shares of clips of one frame only, of those whose emotion changes, and of those that show the whole body for sure."""
CLIP_RECORD = np.dtype(
    [
        ("character", "<i8"),
        ("context", "u1", (len(SCENE),)),
        ("becomes", "u1"),
        ("frames", "u1"),
        ("latents", "<f2", (FRAMES, 4, LATENT, LATENT)),
        ("focus", "<f2", (FRAMES, LATENT, LATENT)),
    ]
)
"""As `latents.RECORD`. becomes: index of the second half's emotion. frames: how many are real; the rest repeat them."""


def clip_chunk(vae: AutoencoderKL, name: str, count: int, who: range) -> NDArray[np.void]:
    """`count` clips of characters from the range `who`. Same name, same clips."""
    rng, result = random.Random(f"clips {name}"), np.zeros(count, CLIP_RECORD)
    for record in result:
        seed = who[rng.randrange(len(who))]
        whole = {"camera": "full body"} if rng.random() < WHOLE else {}
        scene, movement = random_scene(rng, **whole), Movement()
        if rng.random() < CHANGES:
            movement = Movement(becomes=rng.choice([e for e in EMOTIONS if e != scene.emotion]))
        frames = 1 if rng.random() < STILLS else FRAMES
        clip = render_clip(character(seed), scene, movement, rng.getrandbits(31), FRAMES)
        shown = [min(i, frames - 1) for i in range(FRAMES)]
        record["character"], record["frames"] = seed, frames
        record["context"] = [VALUES[n].index(getattr(scene, n)) for n in SCENE]
        record["becomes"] = EMOTIONS.index(movement.becomes or scene.emotion)
        record["focus"] = clip.focus[shown]
        record["latents"] = encode(vae, clip.images[: max(shown) + 1]).numpy()[shown]
    return result


def clip_fingerprint(vae: AutoencoderKL) -> str:
    """12 hex digits of the encoder, the stills, and a few clips."""
    digest = hashlib.sha256(f"{latents_fingerprint(vae)} {CLIP_RECORD!r}".encode())
    rng = random.Random("fingerprint")
    for i in range(6):
        scene = random_scene(rng, action=VALUES["action"][i])
        digest.update(render_clip(character(i), scene, Movement(), i, 3).images.tobytes())
    return digest.hexdigest()[:12]


def make_clips(folder: Path, vae: AutoencoderKL, clips: int) -> Path:
    """Encode until there are `clips` training clips (in whole chunks); returns the folder of the chunks."""
    chunks = folder / "clips" / clip_fingerprint(vae)
    jobs = [("held-out", HELD_OUT_CLIPS, seeds.VALIDATION)]
    jobs += [(f"{i:05d}", CLIPS, seeds.TRAIN) for i in range(-(-clips // CLIPS))]
    missing = [job for job in jobs if not (chunks / f"{job[0]}.npy").exists()]
    for name, count, who in tqdm(missing, desc=f"chunks of {CLIPS} clips", disable=not missing):
        write_array(chunks / f"{name}.npy", clip_chunk(vae, name, count, who))
    return chunks


def movement_of(record: np.void) -> tuple[Scene, Movement]:
    scene, becomes = scene_of(record), EMOTIONS[int(record["becomes"])]
    return scene, Movement(becomes="" if becomes == scene.emotion else becomes)
