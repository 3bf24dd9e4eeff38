"""The nodes that need a model, on any input: SealError or a result without NaN.

Run by ComfyUI's own interpreter: `PYTHON inprocess_fuzz.py COMFY_DIR`. Seeded: every run has the same cases;
SEAL_FUZZ_CASES=5000 makes more, SEAL_FUZZ_SEED=1 others. The other nodes: tests/fuzz/test_fuzz_nodes.py.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, MODEL, UP, XL, concept, refused, run

# isort: split

import itertools
import os
import random
import time
from collections.abc import Callable
from typing import Any

import torch
from fuzz_material import (
    DTYPES,
    LONG,
    LOOKS,
    MOST_SECONDS,
    PIECES,
    SPOILED,
    STRANGE_NUMBERS,
    STRANGE_WHOLE,
    Looks,
    no_silent_nan,
)  # fmt: skip
from inprocess_train import ONE, VAE, sticker
from seal_pack.nodes.apply_embedding import SEALApplyEmbedding
from seal_pack.nodes.layer_restriction_spec import LayerRestrictionSpec
from seal_pack.nodes.semantic_mask import SemanticMask
from seal_pack.nodes.text_encode import SEALTextEncode
from seal_pack.nodes.train_embedding import SEALTrainEmbedding
from seal_pack.seal_core.concept.concept import Embedding
from seal_pack.seal_core.concept.settings import Layers
from seal_pack.seal_core.messages import SealError

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
    """What ComfyUI passes for a MODEL, CLIP or VAE that a checkpoint lacks."""


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
    usual = (1, 24, 24), (2, 40, 24)
    shape = rng.choice((tuple(sides), *(s if mask else (*s, rng.randrange(6)) for s in usual)))
    dtype, spoiled = rng.choice((torch.float32, *DTYPES)), rng.choice((None, None, *SPOILED))
    return Looks(rng.choice(LOOKS), shape, dtype, spoiled, "plain", rng.randrange(99), mask).tensor()


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
            assert 0 < len(str(error).encode()) < LONG
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


def check_weights_that_are_no_numbers() -> None:
    for words in ("(<x>:nan)", "a cat (sitting:1e999) by <x>", "(happy:-inf)"):
        with refused("text: encodes to values that are not numbers"):
            SEALTextEncode.execute(CLIP, words, EMBEDDINGS[0], 1.0)


def check_models_that_are_none() -> None:
    image, mask = sticker()
    settings = {"image": image, "mask": mask, "class_word": "cat", "name": "none", "concept": "", "preset": "best"}
    settings |= {"steps": 2, "learning_rate": 0.0, "batch_size": 0, "resolution": 64, "seed": 0}
    for nothing in (None, NoModel()):
        for name in ("model", "clip", "vae"):
            with refused(f"^{name}: "):
                wired = {"model": MODEL, "clip": CLIP, "vae": VAE} | {name: nothing}
                SEALTrainEmbedding.execute(**wired, **settings)
        with refused("^clip: "):
            SEALTextEncode.execute(nothing, "a <x>", EMBEDDINGS[0], 1.0)
        with refused("^model: "):
            SEALApplyEmbedding.execute(nothing)
        with refused("^model: "):
            LayerRestrictionSpec.execute(nothing, "up", "", 0.0, 1.0)


def check_layer_restriction() -> None:
    presets = ["appearance", "all", "up", "custom", "custom", "custom", "nothing"]

    def case(rng: random.Random) -> Any:
        words = rng.choice(("up", "up.0-2, -up.1", "down.0", "all, -mid", "up." + "9" * 5000, text(rng)))
        shares = number(rng, 0.0), number(rng, 1.0)
        return LayerRestrictionSpec.execute(part(rng, MODEL), rng.choice(presets), words, *shares).result

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
    """Inputs of SEALTrainEmbedding, at most three of them unusual."""
    image, mask = sticker()
    given = {"model": MODEL, "clip": CLIP, "vae": VAE, "image": image, "mask": mask, "class_word": "cat", "name": stem}
    given |= {"concept": "", "preset": "best", "steps": 2, "learning_rate": 0.0, "batch_size": 0, "resolution": 64}
    given |= {"seed": 0, "tokens": ONE}
    anything = text(rng)
    wild: dict[str, Any] = dict.fromkeys(("class_word", "name", "concept", "prompts", "preview_prompt"), anything)
    wild |= {"reference_attributes": rng.choice((anything, '{"emotion": "sad"}', "[" * LONG, '{"a":' * 9000))}
    shares = "learning_rate", "attention_weight", "background_weight", "augment"
    wild |= {name: number(rng, rng.random()) for name in shares}
    wild |= {"model": part(rng, MODEL), "clip": part(rng, CLIP), "vae": part(rng, VAE)}
    wild |= {"image": picture(rng, False), "mask": picture(rng, True), "resume": embedding(rng), "tokens": None}
    wild |= {"steps": rng.choice((1, 2, 3, *STRANGE_WHOLE[1:])), "batch_size": whole(rng, 1, 2)}
    wild |= {"resolution": whole(rng, 64, 72, 65, 96), "seed": whole(rng, 0, 2**53 - 1), "run_id": whole(rng, 1)}
    wild |= {"preview_every": whole(rng, 1, 2), "mask_polarity": rng.choice(("foreground", "background", anything))}
    wild |= {"preset": rng.choice(("best", "paper", "textual_inversion", "hiper", anything))}
    wild |= {"attention_loss": rng.choice(("none", "mse", "leak", "transport", anything))}
    wild |= {"layers": Layers(rng.choice(("all", "up", "mid", "up.9", "up." + "9" * 5000, "x")), rng.random() / 2)}
    return given | {name: wild[name] for name in rng.sample(sorted(wild), rng.randrange(4))}


def check_train() -> None:
    stems = (f"fuzz{i}" for i in itertools.count())

    def case(rng: random.Random) -> Any:
        out = SEALTrainEmbedding.execute(**training(rng, next(stems)))
        embedding, *rest = out.result
        return [embedding.concepts[0].vectors, *rest, out.ui["text"]]

    fuzz(60, case)


if __name__ == "__main__":
    run(globals())
