"""The judges' training pictures: renders of characters reserved for them, cached on disk (ours).

A chunk is CHARACTERS characters in POSES scenes each: one file, written whole, so that several processes can render
while one trains. The folder's name is a hash of the renderer's output, so a changed renderer never reads old pictures.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ...demo.attribute_values import VALUES
from ...messages import SealError
from ..array_files import write_array
from ..renderer import seeds
from ..renderer.characters import Character, character, twin
from ..renderer.scenes import Scene, random_scene
from .judge_networks import HEADS, SIZE
from .round_trip import RoundTrip, round_trip

CHARACTERS, POSES = 256, 4
PAIR = 2
"""Contexts of a character in one step of the identity encoder."""
CACHE = Path.home() / ".cache" / "seal-world" / "judges"
HELD_OUT = range(seeds.JUDGE.stop - 1_000_000, seeds.JUDGE.stop)
"""Characters that the judges are measured on and never trained on."""
TRAINING = range(seeds.JUDGE.start, HELD_OUT.start)
RECORD = np.dtype(
    [("image", "u1", (SIZE, SIZE, 3)), ("mask", "u1", (SIZE * SIZE // 8,)), ("label", "i1", (len(HEADS),))]
)
"""mask: 1 bit a pixel, set where the foreground covers more than half. label: index of the value of each of HEADS, -1
where the picture does not show it."""

Draw = Callable[[Character, Scene, int], Any]
"""(character, scene, seed) -> sticker with `.image` and `.mask`, as `render.render` gives."""


def draw(who: Character, scene: Scene, seed: int) -> Any:
    """The renderer at the judges' size."""
    from ..renderer.render import render

    return render(who, scene, seed=seed, size=SIZE)


def seen(who: Character, scene: Scene) -> dict[str, str]:
    """The values of HEADS that the picture shows: no action without a body, no second colour without a pattern, no
    colour of an absent accessory."""
    told = {name: value for name, value in scene.asdict().items() if scene.shows(name)} | who.traits()
    if who.pattern == "plain":
        del told["second"]
    if not who.wears():
        del told["accessory_colour"]
    return told


def records(characters: range, poses: int = POSES, draw: Draw = draw) -> NDArray[np.void]:
    """len(characters) * poses records, a character's poses in a row. Deterministic.

    Every character of an odd seed is the twin of the one before: alike in all that has a name.
    """
    result = np.zeros(len(characters) * poses, RECORD)
    for i, seed in enumerate(characters):
        who = twin(character(seed - 1), seed) if seed % 2 else character(seed)
        rng = random.Random(f"judge {seed}")
        for pose in range(poses):
            scene, record = random_scene(rng), result[i * poses + pose]
            sticker = draw(who, scene, rng.getrandbits(31))
            record["image"] = sticker.image
            record["mask"] = np.packbits(np.asarray(sticker.mask) > 127)
            told = seen(who, scene)
            record["label"] = [values.index(told[name]) if name in told else -1 for name, values in HEADS.items()]
    return result


def pictures(records: np.ndarray) -> Tensor:
    """(B, 3, SIZE, SIZE) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(records["image"])).movedim(-1, 1).float() / 255


def masks(records: np.ndarray) -> Tensor:
    """(B, SIZE, SIZE), 0 or 1."""
    bits = np.unpackbits(np.ascontiguousarray(records["mask"]), axis=1)
    return torch.from_numpy(bits).view(-1, SIZE, SIZE).float()


def labels(records: np.ndarray) -> Tensor:
    """(B, len(HEADS)), -1 where the picture does not show it."""
    return torch.from_numpy(records["label"].astype(np.int64))


def renderer_fingerprint(draw: Draw = draw) -> str:
    """12 hex digits of what the renderer draws: a few stickers that show every value at least once."""
    digest, rng = hashlib.sha256(repr((RECORD, dict(HEADS))).encode()), random.Random("fingerprint")
    for i in range(max(len(values) for values in HEADS.values())):
        fixed = {name: values[i % len(values)] for name, values in VALUES.items()}
        who = character(seeds.JUDGE.start + i, accessory=HEADS["accessory"][i % len(HEADS["accessory"])])
        sticker = draw(who, random_scene(rng, **fixed), i)
        digest.update(np.asarray(sticker.image).tobytes() + np.asarray(sticker.mask).tobytes())
    return digest.hexdigest()[:12]


class RenderCache:
    """Chunks in a folder. `held_out` ones come from HELD_OUT, the others from TRAINING."""

    def __init__(self, folder: Path = CACHE, draw: Draw = draw) -> None:
        self.draw = draw
        self.folder = Path(folder) / renderer_fingerprint(draw)

    def path(self, number: int, held_out: bool = False) -> Path:
        return self.folder / f"{'held' if held_out else 'chunk'}-{number:04d}.npy"

    def seeds(self, number: int, held_out: bool = False) -> range:
        """The chunk's characters."""
        found = (HELD_OUT if held_out else TRAINING)[number * CHARACTERS : (number + 1) * CHARACTERS]
        if len(found) < CHARACTERS:
            raise SealError(f"chunks: {number} is past the judges' characters; ask for fewer.")
        return found

    def make(self, number: int, held_out: bool = False) -> Path:
        """The chunk's file, rendered now if it is missing."""
        path = self.path(number, held_out)
        if not path.exists():
            write_array(path, records(self.seeds(number, held_out), draw=self.draw))
        return path

    def load(self, number: int, held_out: bool = False) -> NDArray[np.void]:
        """A chunk's records, mapped from disk (made now if need be)."""
        path = self.make(number, held_out)
        try:
            chunk = np.load(path, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise SealError(f"cache: {path} cannot be read ({error}); delete it and try again.") from None
        if chunk.dtype != RECORD or len(chunk) != CHARACTERS * POSES:
            raise SealError(f"cache: {path} is another kind of file; delete it and try again.")
        return chunk

    def decoded(self, number: int, through: RoundTrip, name: str) -> Path:
        """A training chunk's pictures (N, SIZE, SIZE, 3) uint8 as an autoencoder decodes them, half of them from noised
        latents; a file, made now if it is missing. name: hash of the autoencoder's weights."""
        path = self.folder / f"decoded-{name}-{number:04d}.npy"
        if not path.exists():
            chunk, generator = self.load(number), torch.Generator().manual_seed(number)
            parts = []
            for start in range(0, len(chunk), 32):
                noise = max(0.0, 0.6 * float(torch.rand((), generator=generator)) - 0.3)
                images = through(pictures(chunk[start : start + 32]), noise, generator)
                parts.append(images.mul(255).round().byte().movedim(1, -1).numpy())
            write_array(path, np.concatenate(parts))
        return path

    def ready(self, count: int) -> list[int]:
        """Numbers of the training chunks under `count` that are on disk."""
        return [number for number in range(count) if self.path(number).exists()]

    @contextlib.contextmanager
    def grow(self, count: int, workers: int) -> Iterator[None]:
        """Render training chunks 0..count-1 that are missing, in `workers` background processes at low priority, or
        in this one if there are none. A context manager: leaving it drops chunks not yet begun."""
        missing = [number for number in range(count) if not self.path(number).exists()]
        pool = ProcessPoolExecutor(workers, initializer=_humble) if missing and workers else None
        try:
            for number in missing:
                pool.submit(self.make, number) if pool else self.make(number)
            yield
        finally:
            if pool:
                pool.shutdown(wait=True, cancel_futures=True)


class RecordSampler:
    """Records of the chunks on disk, drawn at random; looks for new chunks now and then."""

    def __init__(self, cache: RenderCache, chunks: int, generator: np.random.Generator) -> None:
        self.cache, self.chunks, self.generator = cache, chunks, generator
        self.numbers: list[int] = []
        self.records = np.zeros(0, RECORD)
        self.decoded: dict[int, np.ndarray] = {}
        """Chunk's first record -> its decoded pictures."""

    def refresh(self) -> None:
        """Load new chunks; render the first one here if there is none."""
        new = sorted(set(self.cache.ready(self.chunks) or [0]) - set(self.numbers))
        if new:
            self.numbers += new
            self.records = np.concatenate([self.records, *(self.cache.load(number) for number in new)])

    def decode(self, count: int, vae: Path, quiet: bool) -> None:
        """Show half of the pictures of `count` chunks as an autoencoder decodes them."""
        through, name = round_trip(vae)
        for number in tqdm(range(min(count, self.chunks)), "round trips", disable=quiet):
            path = self.cache.decoded(number, through, name)
            if number not in self.numbers:
                self.numbers.append(number)
                self.records = np.concatenate([self.records, self.cache.load(number)])
            length = len(self.records) // len(self.numbers)
            self.decoded[self.numbers.index(number) * length] = np.load(path, mmap_mode="r")

    def _take(self, index: np.ndarray) -> np.ndarray:
        records, wanted = self.records[index], self.generator.random(len(index)) < 0.5
        for first, images in self.decoded.items():
            here = wanted & (index >= first) & (index < first + len(images))
            records["image"][here] = images[index[here] - first]
        return records

    def any(self, count: int) -> np.ndarray:
        """`count` records of any characters and scenes."""
        return self._take(self.generator.integers(len(self.records), size=count))

    def characters(self, count: int) -> np.ndarray:
        """`count` characters in PAIR scenes each, in rows. Two times in three they are hard to tell apart: of two
        species only, or twins."""
        among, kind = np.arange(len(self.records) // POSES), self.generator.random()
        if kind < 1 / 3:
            pairs = self.generator.choice(len(among) // 2, size=min(-(-count // 2), len(among) // 2), replace=False)
            among = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
        elif kind < 2 / 3:
            species = self.records["label"][::POSES, list(HEADS).index("species")]
            wanted = self.generator.choice(len(HEADS["species"]), size=2, replace=False)
            among = among[np.isin(species, wanted)]
        chosen = self.generator.choice(among, size=min(count, len(among)), replace=False)
        poses = self.generator.permuted(np.tile(np.arange(POSES), (len(chosen), 1)), axis=1)[:, :PAIR]
        return self._take((chosen[:, None] * POSES + poses).ravel())


def _humble() -> None:
    if hasattr(os, "nice"):
        os.nice(10)
