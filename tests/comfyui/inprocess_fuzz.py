"""The nodes that need a model, on whatever their sockets may bring: SealError or a result without NaN.

Run by ComfyUI's own interpreter: `PYTHON inprocess_fuzz.py COMFY_DIR`. Seeded, so every run has the same cases;
SEAL_FUZZ_CASES=5000 makes more of them, SEAL_FUZZ_SEED=1 others. The other nodes: tests/test_fuzz_nodes.py.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, FOLDER, MODEL, UP, XL, concept, make_clip, run

# isort: split

import itertools
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import folder_paths
import torch
from inprocess_train import ONE, VAE, sticker
from seal_pack.nodes.embedding import SEALApplyEmbedding, SEALTextEncode
from seal_pack.nodes.layers import LayerRestrictionSpec
from seal_pack.nodes.masks import SemanticMask
from seal_pack.nodes.train import SEALTrainEmbedding
from seal_pack.seal_core.config import Layers
from seal_pack.seal_core.embedding import Embedding
from seal_pack.seal_core.errors import SealError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fuzz_material import (  # noqa: E402
    DTYPES, LONG, LOOKS, MOST_SECONDS, PIECES, SPOILED, STRANGE_NUMBERS, STRANGE_WHOLE, Looks, no_silent_nan,
)  # fmt: skip

TIMES = int(os.environ.get("SEAL_FUZZ_CASES", "1000")) / 1000
SEED = int(os.environ.get("SEAL_FUZZ_SEED", "0"))
EMBEDDINGS = (
    Embedding((concept(),)),
    Embedding((concept("<a>", layers=UP), concept("<b>", word="dog", layers=Layers("down", 0.2, 0.7), seed=3))),
    Embedding((concept("<t>", carrier="tail"),)),
    Embedding((concept("x y", word="((", count=9),)),
)
FOREIGN = Embedding((concept("<xl>", widths=XL),))
NAMES = ("<x>", "<a>", "<b>", "<t>", "x y", "embedding:x", "<xl>")


class NoModel:
    """What stands for a MODEL, CLIP or VAE of a checkpoint that has none."""


def text(rng: random.Random) -> str:
    pieces = [rng.choice(PIECES + NAMES * 4) for _ in range(rng.randrange(8))]
    if rng.random() < 0.1:
        return (rng.choice(pieces or ["cat "]) * LONG)[: rng.choice((100, 3000, LONG))]
    return rng.choice(("", " ")).join(pieces)


def number(rng: random.Random, ordinary: float) -> Any:
    return ordinary if rng.random() < 0.8 else rng.choice((*STRANGE_NUMBERS, rng.uniform(-3, 3)))


def whole(rng: random.Random, *ordinary: int) -> Any:
    return rng.choice(ordinary if rng.random() < 0.9 else STRANGE_WHOLE)


def picture(rng: random.Random, mask: bool) -> torch.Tensor:
    if rng.random() < 0.7:
        return sticker()[mask]
    sides = [rng.choice((0, 1, 2, 3, 4, 5, 24, 40)) for _ in range(rng.randrange(6))]
    shape = rng.choice((tuple(sides), (1, 24, 24) if mask else (1, 24, 24, rng.randrange(6)), (2, 40, 24, 4)[: 3 + (not mask)]))
    spoiled = rng.choice((None, None, *SPOILED))
    return Looks(rng.choice(LOOKS), shape, rng.choice((torch.float32, *DTYPES)), spoiled, "plain", rng.randrange(99), mask).tensor()


def embedding(rng: random.Random) -> Embedding:
    return rng.choice((*EMBEDDINGS * 3, FOREIGN))


def fuzz(count: int, case: Callable[[random.Random], Any]) -> None:
    """`case` with so many seeds. SealError is the one exception; neither all nor none of the input may be refused."""
    taken, refused = 0, 0
    for seed in range(SEED * 10**6, SEED * 10**6 + max(10, round(count * TIMES))):
        started = time.process_time()
        try:
            no_silent_nan(case(random.Random(seed)))
            taken += 1
        except SealError as error:
            str(error).encode()
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        took = time.process_time() - started
        assert took < MOST_SECONDS, f"seed {seed}: {took:.1f} s"
    print(f"{taken} taken, {refused} refused")
    assert taken and refused


def part(rng: random.Random, whole_one: Any) -> Any:
    return whole_one if rng.random() < 0.95 else rng.choice((None, NoModel()))


def check_text_encode() -> None:
    def case(rng: random.Random) -> Any:
        clip = part(rng, CLIP)
        return SEALTextEncode.execute(clip, text(rng), embedding(rng), number(rng, rng.random() * 2)).result[0]

    fuzz(150, case)


def check_layer_restriction() -> None:
    presets = [i for i in LayerRestrictionSpec.define_schema().inputs if i.id == "preset"][0].options

    def case(rng: random.Random) -> Any:
        words = rng.choice(("up", "up.0-2, -up.1", "down.0", "all, -mid", "up." + "9" * 5000, text(rng)))
        preset = rng.choice(presets + ["custom"] * 4)
        return LayerRestrictionSpec.execute(part(rng, MODEL), preset, words, number(rng, 0.0), number(rng, 1.0)).result

    fuzz(200, case)


def check_apply() -> None:
    def case(rng: random.Random) -> Any:
        patched = SEALApplyEmbedding.execute(part(rng, MODEL), rng.choice((None, embedding(rng)))).result[0]
        return patched.is_clone(MODEL)

    fuzz(50, case)


def check_attention_mask() -> None:
    def case(rng: random.Random) -> Any:
        image, mask = picture(rng, False), rng.choice((None, picture(rng, True)))
        models = [part(rng, one) for one in (MODEL, CLIP, VAE)]
        method, word = rng.choice(("attention", "attention", "auto")), rng.choice(("cat", "cat", text(rng)))
        grow, feather = whole(rng, 0, 1), number(rng, 0.0)
        return SemanticMask.execute(image, method, grow, feather, mask, "auto", *models, word).result

    fuzz(40, case)


def training(rng: random.Random, stem: str) -> dict[str, Any]:
    """Inputs of SEALTrainEmbedding: ordinary ones, but for two at most."""
    image, mask = sticker()
    given = {"model": MODEL, "clip": CLIP, "vae": VAE, "image": image, "mask": mask, "class_word": "cat", "name": stem}
    given |= {"concept": "", "preset": "best", "steps": 2, "learning_rate": 0.0, "batch_size": 0, "resolution": 64}
    given |= {"seed": 0, "tokens": ONE}
    wild: dict[str, Callable[[], Any]] = {
        **{name: lambda one=one: rng.choice((None, NoModel(), one)) for name, one in (("model", MODEL), ("clip", CLIP), ("vae", VAE))},
        "image": lambda: picture(rng, False), "mask": lambda: picture(rng, True),
        **dict.fromkeys(("class_word", "name", "concept", "prompts", "reference_attributes", "preview_prompt"), lambda: text(rng)),
        "preset": lambda: rng.choice(("best", "paper", "textual_inversion", "hiper")),
        "steps": lambda: rng.choice((1, 2, *STRANGE_WHOLE[1:])), "batch_size": lambda: whole(rng, 1, 2),
        "resolution": lambda: whole(rng, 64, 72, 65, 96), "seed": lambda: whole(rng, 0, 2**53 - 1), "run_id": lambda: whole(rng, 1),
        "preview_every": lambda: whole(rng, 1, 2), "resume": lambda: embedding(rng), "tokens": lambda: None,
        "layers": lambda: Layers(rng.choice(("all", "up", "mid", "up.9", "up." + "9" * 5000, "x")), rng.random() / 2),
        "mask_polarity": lambda: rng.choice(("foreground", "background")),
        "attention_loss": lambda: rng.choice(("none", "mse", "leak", "transport")),
        **{n: lambda: number(rng, rng.random()) for n in ("learning_rate", "attention_weight", "background_weight", "augment")},
    }  # fmt: skip
    return given | {name: wild[name]() for name in rng.sample(sorted(wild), rng.randrange(3))}


def check_train() -> None:
    stems = (f"fuzz{i}" for i in itertools.count())

    def case(rng: random.Random) -> Any:
        out = SEALTrainEmbedding.execute(**training(rng, next(stems)))
        embedding, *rest = out.result
        return [embedding.concepts[0].vectors, *rest, out.ui["text"]]

    fuzz(60, case)


if __name__ == "__main__":
    run(globals())
