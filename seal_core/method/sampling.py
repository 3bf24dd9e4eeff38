"""Generating with a learned concept on any host: its contexts, and a deterministic Euler sampler."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..concept.concept import Concept
from ..concept.low_rank import added, layers_named
from ..concept.mentions import concepts_named, replace_names
from ..concept.settings import NO_CARRIER
from ..concept.strength import check_strength, context_with_tail, vectors_at_strength
from ..hosts.base import Context, Host, Prompt, Site, stack_contexts
from ..messages import SealError, notify_user
from .attention import route
from .sites import saved_sites, select

PIXELS = 8
"""Pixels per latent along each side: the VAEs of all models that SEAL takes."""


@dataclass(frozen=True)
class RoutedContext:
    """A prompt in two readings: with the learned token, and with the class word in its place.

    The learned one enters at `sites` only, and only between the two percents of the sampling (0 = noisiest). Everything
    else, the pooled vector too, reads the plain one. weights: (layer, down, up) of what is added to the model's layers
    between the same two percents.
    """

    learned: Context
    plain: Context
    sites: tuple[Site, ...]
    start_percent: float = 0.0
    end_percent: float = 1.0
    weights: tuple[tuple[nn.Module, Tensor, Tensor], ...] = ()

    def active(self, timestep: float, last: int) -> bool:
        """Whether the token is active at a (fractional) training timestep of 0..last; percent p is (1 - p) last."""
        percent = 1 - timestep / last
        return self.start_percent - 1e-6 <= percent <= self.end_percent + 1e-6


def generate_context(host: Host, concept: Concept, text: str, strength: float = 1.0) -> RoutedContext:
    """The contexts (one row) of a prompt in which the concept is named where the subject stands (see `mentions`).

    strength: 0 = class word, 1 = as learned; between them the token embeddings (or the tail) lie on the straight line,
    a class word of several tokens interpolated along the word. A tail replaces the last n positions of the class-word
    prompt's context (HiPer); a prompt that reaches into them is cut there, with a warning. A look is not named. Raises
    SealError where the text does not name the concept, or the concept was trained for another model family.
    """
    check_strength(strength)
    if not concept.family.fits(host.family):
        raise SealError(f"embedding: {concept.name} was trained for {concept.family}, the model is {host.family}.")
    prompt = Prompt(text) if concept.carrier == NO_CARRIER else subject_prompt(concept, text)
    class_prompt = prompt.fill({"concept": concept.class_word})
    with torch.no_grad():
        plain = host.encode([class_prompt], {})
        if strength == 0 or concept.carrier == NO_CARRIER:
            learned = plain
        elif concept.carrier == "tail":
            learned = _with_tail(host, concept, class_prompt, plain, strength)
        else:
            learned = replace(
                host.encode([prompt], {"concept": vectors_at_strength(host, concept, strength)}), pooled=plain.pooled
            )
    sites = host.sites()
    allowed = select(saved_sites(concept.layers.sites, sites), sites)
    found = zip(layers_named(sites, list(concept.weights)), concept.weights.values())
    weights = tuple((layer, w.down.to(host.device), strength * w.up.to(host.device)) for layer, w in found)
    window = concept.layers.start_percent, concept.layers.end_percent
    return RoutedContext(learned, plain, tuple(allowed), *window, weights)


def subject_prompt(concept: Concept, text: str) -> Prompt:
    """The text as a prompt with the slot {concept} where the concept is named. Raises SealError if it is not."""
    if not concepts_named(text, [concept]):
        raise SealError(
            f"prompt: {text!r} does not name the concept; write {concept.name} where the subject stands, "
            f'e.g. "a sticker of {concept.name} jumping".'
        )
    return Prompt(replace_names(text, [concept], lambda _: "{concept}"))


def _with_tail(host: Host, concept: Concept, prompt: Prompt, plain: Context, strength: float) -> Context:
    tail = concept.vectors["tail"]
    room = host.max_tokens - len(tail)
    used = max(len(host.token_ids(encoder, prompt.text)) for encoder in host.family.encoders) + 2
    if used > room:
        notify_user(f"prompt: {used} tokens; those after the first {room} give way to the learned tail.")
    return replace(plain, cross=context_with_tail(plain.cross, tail, strength))


def schedule(sigmas: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """(timesteps (steps,), sigmas (steps + 1,) ending in 0): evenly spaced in training time, noisiest first.

    sigmas: the model's training noise levels (T,), rising. Between two of them log sigma is interpolated.
    """
    if not 1 <= steps <= len(sigmas):
        raise SealError(f"steps: {steps} is out of range; use 1 to {len(sigmas)}, e.g. 25.")
    timesteps = torch.linspace(len(sigmas) - 1, 0, steps)
    low, share = timesteps.floor().long(), timesteps.frac()
    high = (low + 1).clamp(max=len(sigmas) - 1)
    logs = sigmas.log()
    between = ((1 - share) * logs[low] + share * logs[high]).exp()
    levels = torch.where(share == 0, sigmas[low], between)  # exp(log(s)) is not quite s
    return timesteps, torch.cat([levels, torch.zeros(1)])


@torch.no_grad()
def sample(
    host: Host,
    positive: Context | RoutedContext,
    negative: Context,
    *,
    height: int,
    width: int,
    steps: int,
    cfg: float,
    generator: torch.Generator,
    concept_cfg: float = 0.0,
    on_step: Callable[[int, int, Tensor], object] | None = None,
) -> Tensor:
    """Latents (B, 4, height / 8, width / 8) float32 by Euler's method on the probability-flow ODE (2206.00364).

    positive: B rows, plain or routed; negative: B rows or one. height, width in pixels, multiples of 8.
    cfg: classifier-free guidance scale, 1 = none (the negative is not computed). concept_cfg: how far to go on from the
    class word to the concept, for one more pass a step; 0 = no further (ours). generator: on the CPU, so that a seed
    means the same noise on every device. on_step(step, steps, x_0) is called after
    every step and may raise to stop. Raises SealError for sizes and steps out of range.
    """
    if min(height, width) < PIXELS or height % PIXELS or width % PIXELS:
        raise SealError(f"size: {width} x {height} is not possible; use multiples of {PIXELS} pixels, e.g. 512 x 512.")
    timesteps, sigmas = schedule(host.sigmas, steps)
    routed = positive if isinstance(positive, RoutedContext) else None
    main = positive.plain if isinstance(positive, RoutedContext) else positive
    count = main.cross.shape[0]
    guided = cfg != 1
    if guided:
        negative = negative if negative.cross.shape[0] == count else negative.rows([0] * count)
        main = stack_contexts([main, negative])
    learned = None
    if routed:
        learned = torch.cat([routed.learned.cross, negative.cross]) if guided else routed.learned.cross
    noise = torch.randn(count, 4, height // PIXELS, width // PIXELS, generator=generator).to(host.device)
    x = host.add_noise(torch.zeros_like(noise), noise, sigmas[:1].to(host.device).expand(count))
    for i, timestep in enumerate(timesteps.tolist()):
        sigma, following = sigmas[i].item(), sigmas[i + 1].item()
        rows = torch.cat([x, x]) if guided else x
        level = torch.full((rows.shape[0],), sigma, device=x.device)
        acting = routed if routed is not None and routed.active(timestep, len(host.sigmas) - 1) else None
        with contextlib.ExitStack() as stack:
            if acting is not None and learned is not None:
                stack.enter_context(route(acting.sites, learned))
                stack.enter_context(added(acting.weights))
            x0 = host.denoise(rows, level, main)
        wanted = x0[:count]
        if guided:
            x0 = x0[count:] + cfg * (wanted - x0[count:])
        if acting is not None and concept_cfg:
            x0 = x0 + concept_cfg * (wanted - host.denoise(x, level[:count], acting.plain))
        x = x + (x - x0) / sigma * (following - sigma)
        if on_step is not None:
            on_step(i + 1, steps, x0)
    return x
