"""One trial of an evaluation: one method learns one unseen character, answers the prompts, and is judged (ours).

Judges see generated pictures only. Every method answers the same prompts from the same noise.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...concept.concept import Concept
from ...demo.attribute_values import SCENE, VALUES
from ...demo.generation import CFG, STEPS, generate_pictures
from ...demo.tuned_presets import CONCEPT_NAME
from ...hosts.base import Host, Prompt
from ...masks.segmenter import coarse_mask
from ...method.attention import route, tap
from ...method.config import TEMPLATES, TrainConfig
from ...method.fit_references import fit_references
from ...method.losses import leakage
from ...method.references import Reference, shrunk_mask
from ...method.results import Progress, TrainResult
from ...method.sampling import generate_context
from ...method.sites import supervised
from ...method.training import train
from ...pictures.inputs import resize_mask
from ...style.style_source import with_reference
from ..renderer.characters import TRAITS, Character, character, twin
from ..renderer.scenes import random_scene
from .character_plan import Ask, CharacterPlan, plan_character
from .compared_methods import Method
from .trial_kit import FORMAT, TrialKit

TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the sampling at which attention is measured."""
KEPT = ("config", "losses", "described", "seen", "leakage", "restored", "warnings")
"""Parts of a training's report that a trial keeps."""
TWINS = 3
"""Characters alike in all that has a name, against which a picture is compared."""


@dataclass(frozen=True)
class Setup:
    """How pictures are made: prompts per character, samples per prompt, Euler steps and guidance."""

    prompts: int = 16
    samples: int = 2
    sampling_steps: int = STEPS
    cfg: float = CFG


def run_trial(kit: TrialKit, method: Method, seed: int, setup: Setup) -> tuple[dict[str, Any], np.ndarray]:
    """(the trial as plain JSON values, one sample per prompt, side by side (H, P * W, 3) uint8)."""
    plan, who = plan_character(seed, setup.prompts, setup.samples), character(seed)
    targets = torch.stack([_targets(kit, plan, one) for one in (who, *_twins(who))])
    trial: dict[str, Any] = {
        "format": FORMAT,
        "method": method.name,
        "seed": seed,
        "traits": who.traits(),
        "reference": plan.reference.asdict(),
        "prompts": [
            {"kind": a.kind, "vary": a.vary, "values": dict(a.values), "text": a.text(who.species)} for a in plan.asks
        ],
        "seconds": 0.0,
    }
    sticker = kit.render(who, plan.reference, seed=seed)
    mask = _float(sticker.mask)
    if method.name == "oracle":
        images = _oracle(kit, plan, who)
    else:
        reference, concept = reference_of(kit, sticker), None
        if method.config is not None:
            config = config_of(kit, method, plan, who)
            result, looks, trial["seconds"] = _trained(kit.host, reference, config, method.snapshots)
            concept = result.concept
            trial["training"] = {k: result.report[k] for k in KEPT}
            trial["snapshots"] = {
                str(step): _judged(kit, plan, who, mask, targets, _pictures(kit.host, c, plan, CONCEPT_NAME, setup))
                for step, c in looks.items()
            }
        subject = CONCEPT_NAME if concept else who.in_words() if method.told else who.species
        host: Any = kit.host
        if method.looking:
            host = with_reference(host, reference.image, reference.mask, setup.sampling_steps, method.looking)
        images = _pictures(host, concept, plan, subject, setup, method.guided)
        trial["attention"] = _attention(kit.host, concept, who.species, reference, seed)
    trial["samples"] = _judged(kit, plan, who, mask, targets, images)
    first = images[:: plan.samples].mul(255).round().byte()
    return trial, torch.cat(list(first), dim=1).numpy()


def reference_of(kit: TrialKit, sticker: Any) -> Reference:
    """A rendered sticker with its true mask, as trainings take it."""
    image, mask = _float(sticker.image)[None], _float(sticker.mask)[None]
    return fit_references(image, mask, kit.host.resolution, "foreground")[0][0]


def config_of(kit: TrialKit, method: Method, plan: CharacterPlan, who: Character) -> TrainConfig:
    """How a method learns a plan's character."""
    attributes = plan.reference.asdict()
    return method.for_reference(who.species, attributes, kit.host.resolution, plan.seed % 1_000_003, who.in_words())


def _float(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(image, np.float32) / 255)


def _twins(who: Character) -> list[Character]:
    """Seeds follow the character's own in a range that no split uses."""
    return [twin(who, 1_000_000_000 + TWINS * who.seed + i) for i in range(TWINS)]


def _targets(kit: TrialKit, plan: CharacterPlan, who: Character) -> Tensor:
    """Identity (P, D) of the character as rendered in each prompt's scene."""
    drawn = [_float(kit.render(who, ask.filled, seed=plan.seed + 1).image) for ask in plan.asks]
    return kit.judges.identity(torch.stack(drawn))


def _oracle(kit: TrialKit, plan: CharacterPlan, who: Character) -> Tensor:
    """What a perfect method would draw: the character as asked, with random values for what is left open."""
    images = []
    for i, ask in enumerate(plan.asks):
        for j in range(plan.samples):
            rng = random.Random(f"oracle {plan.seed} {i} {j}")
            images.append(_float(kit.render(who, random_scene(rng, **ask.values), seed=plan.seed + 2 + j).image))
    return torch.stack(images)


def _trained(
    host: Host, reference: Reference, config: TrainConfig, snapshots: Sequence[int]
) -> tuple[TrainResult, dict[int, Concept], float]:
    """The training's result, the concept at the snapshots, and the seconds."""
    looks: dict[int, Concept] = {}

    def look(progress: Progress) -> None:
        if progress.step in snapshots:
            looks[progress.step] = progress.concept()

    started = time.perf_counter()
    result = train(host, [reference], config, look if snapshots else None)
    return result, looks, round(time.perf_counter() - started, 3)


def _pictures(
    host: Host, concept: Concept | None, plan: CharacterPlan, subject: str, setup: Setup, guided: float = 0.0
) -> Tensor:
    """(P * S, H, W, 3) in [0, 1]: the samples of the first prompt, then those of the second, ..."""
    texts = [ask.text(subject) for ask in plan.asks]
    return generate_pictures(
        host,
        concept,
        texts,
        plan.samples,
        seed=plan.seed,
        steps=setup.sampling_steps,
        cfg=setup.cfg,
        concept_cfg=guided,
    )


def _judged(
    kit: TrialKit, plan: CharacterPlan, who: Character, mask: Tensor, targets: Tensor, images: Tensor
) -> list[dict[str, Any]]:
    """The judges' answers for each picture, and its figure's overlap with the reference's on plain backgrounds.

    targets (1 + TWINS, P, D): the character's identity in each prompt's scene, and its twins'.
    """
    classified = kit.judges.classify(images)
    found = {name: p.argmax(dim=1).tolist() for name, p in classified.items()}
    sure, sharp = torch.stack([p.amax(1) for p in classified.values()]).mean(0), sharpness(images)
    similarity = (kit.judges.identity(images) * targets.repeat_interleave(plan.samples, dim=1)).sum(dim=2)
    own = similarity[0] > similarity[1:].amax(0)
    truth, samples = who.traits(), []
    for i, image in enumerate(images):
        ask = plan.asks[i // plan.samples]
        traits = {t: TRAITS[t][found[t][i]] == truth[t] for t in TRAITS if t in found and shows(who, t)}
        samples.append(
            {
                "prompt": i // plan.samples,
                "judged": {a: VALUES[a][found[a][i]] for a in SCENE},
                "traits": traits,
                "identity": round(float(similarity[0, i]), 5),
                "own": bool(own[i]),
                "readable": round(float(sure[i]), 5),
                "sharp": round(float(sharp[i]), 5),
                "iou": _overlap(torch.from_numpy(coarse_mask(image.numpy())), mask) if _on_plain_ground(ask) else None,
            }
        )
    return samples


def sharpness(images: Tensor) -> Tensor:
    """(B,) of images (B, H, W, 3): the change of brightness between two pixels side by side that 5 % exceed."""
    light = images.float().mean(3)
    return (light[:, :, 1:] - light[:, :, :-1]).abs().flatten(1).quantile(0.95, dim=1)


def shows(who: Character, trait: str) -> bool:
    """Whether a picture of the character can show the trait: no second colour without a pattern."""
    absent = {"second": who.pattern == "plain", "accessory_colour": who.accessory == "nothing"}
    return not absent.get(trait, False)


def _on_plain_ground(ask: Ask) -> bool:
    return ask.values.get("background", "").startswith("plain") and ask.kind == "full"


def _overlap(one: Tensor, other: Tensor) -> float:
    """Intersection over union of two masks."""
    a, b = one > 0.5, resize_mask(other, *one.shape) > 0.5
    return round(float((a & b).sum() / (a | b).sum().clamp(min=1)), 5)


@torch.no_grad()
def _attention(
    host: Host, concept: Concept | None, class_word: str, reference: Reference, seed: int
) -> Mapping[str, Any]:
    """Share of the token's attention outside the subject, on the noised reference.

    outside: mean over TIMES and over the sites that the attention loss reads, among those the token enters. sites: site
    -> a share for each of TIMES, for all sites that the token enters. Without a concept: the class word's.
    """
    text = TEMPLATES[0]
    if concept is None:
        words = {e: host.vocabulary(e)[host.token_ids(e, class_word)].float() for e in host.family.encoders}
        learned = plain = host.encode([Prompt(text.replace("{}", "{concept}"))], {"concept": words})
        allowed = host.sites()
    else:
        routed = generate_context(host, concept, text.replace("{}", CONCEPT_NAME))
        learned, plain, allowed = routed.learned, routed.plain, routed.sites
    length = learned.cross.shape[1]
    if concept is not None and concept.carrier == "tail":
        at = range(length - len(concept.vectors["tail"]), length)
    else:
        at = learned.positions[0]["concept"]
    last = len(host.sigmas) - 1
    sigma = host.sigmas[[round((1 - t) * last) for t in TIMES]].to(host.device)
    latent = host.encode_image(reference.image[None])
    noise = torch.randn(len(TIMES), *latent.shape[1:], generator=torch.Generator().manual_seed(seed)).to(latent)
    noisy = host.add_noise(latent.expand_as(noise), noise, sigma)
    repeat = [0] * len(TIMES)
    with tap(allowed) as maps, route(allowed, learned.cross.expand(len(TIMES), -1, -1)):
        host.denoise(noisy, sigma, plain.rows(repeat))
    shares: dict[str, list[float]] = {}
    for site in allowed:
        size = site.map_size(*latent.shape[-2:])
        heat = maps.probabilities(site)[:, :, list(at)].sum(-1).unflatten(-1, size)
        small = shrunk_mask(reference.mask.to(heat), *size)[None]
        shares[site.name] = [round(v, 5) for v in leakage(heat, small).tolist()]
    watched = [shares[s.name] for s in supervised(allowed)]
    return {"outside": round(float(np.mean(watched)), 5), "sites": shares, "times": list(TIMES)}
