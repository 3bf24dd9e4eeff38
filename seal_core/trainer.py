"""The one training loop. Baselines and ablations are configurations of it (see `config.PRESETS`)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from . import __version__
from .attention import route, tap
from .carriers import make_carrier, plain_prompt
from .config import TrainConfig
from .draws import Draw, Draws
from .embedding import Concept
from .errors import SealError
from .host import Context, Host, Prompt
from .loss_scale import LossScale
from .losses import attention_loss, denoising_loss, leakage
from .prefix import FrozenPrefix
from .references import Reference
from .sites import parse_sites, select, supervised
from .vocabulary import check

PROBES = 10
"""How often, at most, the attention is looked at during a training."""


@dataclass(frozen=True)
class Progress:
    """What a callback sees after each step; raising in the callback ends the training, leaving nothing behind.

    loss: of this step. attention: (h, w) map of the token on the first reference when it was last
    looked at. concept: makes the concept as learned so far.
    """

    step: int
    steps: int
    loss: float
    losses: Sequence[float]
    attention: Tensor
    concept: Callable[[], Concept]


@dataclass(frozen=True)
class TrainResult:
    """A learned concept and how it came about. Maps are (h, w); report holds plain JSON values."""

    concept: Concept
    losses: list[float]
    attention_before: Tensor
    attention_after: Tensor
    reference: Reference
    merged_at: int | None
    report: dict[str, Any] = field(default_factory=dict)


class Training:
    """One run: everything that is fixed before the first step."""

    def __init__(
        self, host: Host, references: Sequence[Reference], config: TrainConfig, resume: Concept | None = None
    ) -> None:
        if not references:
            raise SealError("image: no reference given; wire the sticker.")
        check(host, config.tokens)
        self.host = host
        sites = host.sites()
        self.allowed = select(parse_sites(config.layers.sites, sites), sites)
        self.everywhere = len(self.allowed) == len(sites)
        self.watched = supervised(self.allowed)
        self.config = replace(config, layers=replace(config.layers, sites=", ".join(s.name for s in self.allowed)))
        self.references = references
        self.warnings: list[str] = []
        if config.attention_loss == "none" and config.attention_weight > 0:
            self.warnings.append(
                "attention_weight: without effect, since attention_loss is none; choose mse, leak or transport."
            )
        stages = host.stages() if config.pool and not self.everywhere else None
        prefix = FrozenPrefix.find(stages, self.allowed[0], config.pool_bytes)
        self.prefix = prefix
        # A finite pool only pays where its draws are replayed; otherwise every step gets a fresh draw.
        self.draws = Draws(host, references, config, pool=config.pool if prefix else 0)
        self.carrier = make_carrier(host, config, torch.Generator().manual_seed(config.seed + 1), resume)
        self._plain: dict[Prompt, Context] = {}
        self.merge_step = self._merge_step(resume)
        self._check_prompts()

    def _merge_step(self, resume: Concept | None) -> int | None:
        """After which step the split tokens merge; each gets at least one draw before."""
        config = self.config
        if config.carrier == "tail" or config.tokens.split == 1 or config.tokens.merge == "none" or resume:
            return None
        once_each = math.ceil(config.tokens.split / config.batch_size)
        if once_each > config.steps:
            self.warnings.append(
                f"{config.steps} steps are too few to train each of the {config.tokens.split} split tokens once."
            )
        return min(max(round(config.tokens.merge_at * config.steps), once_each), config.steps)

    def _check_prompts(self) -> None:
        """Refuse a prompt that does not fit now, not at the step that happens to draw it.

        Encodes the longest one, with the class word and with as many vectors as will stand in it.
        """
        encoder = self.host.family.encoders[0]
        prompts = self.draws.prompts()
        longest = max(prompts, key=lambda p: len(self.host.token_ids(encoder, p.fill(dict.fromkeys(p.slots, "")).text)))
        self.plain([longest])
        self.carrier.check(longest)

    # -- one pass ----------------------------------------------------------------------------------

    def plain(self, prompts: Sequence[Prompt]) -> Context:
        """Contexts of the prompts with the class word in the token's place; encoded once each."""
        words = [plain_prompt(p, self.config.tokens.class_word) for p in prompts]
        for prompt in words:
            if prompt not in self._plain:
                with torch.no_grad():
                    self._plain[prompt] = self.host.encode([prompt], {})
        rows = [self._plain[p] for p in words]
        pooled = None if rows[0].pooled is None else torch.cat([r.pooled for r in rows if r.pooled is not None])
        return Context(torch.cat([r.cross for r in rows]), pooled)

    def predict(
        self, draws: Sequence[Draw], latents: Tensor, sigma: Tensor, plain: Context, learned: Context
    ) -> Tensor:
        """x_0 as the U-Net sees it, the learned context entering at the allowed sites only."""
        noise = torch.stack([d.noise for d in draws]).to(latents.device)
        noisy = latents + sigma[:, None, None, None] * noise
        if self.everywhere:
            return self.host.denoise(noisy, sigma, learned)
        with contextlib.ExitStack() as stack:
            keys = [d.key for d in draws]
            if self.prefix is not None and min(keys) >= 0:
                known = self.prefix.has(keys) or self.prefix.record(
                    keys, lambda: self.host.denoise(noisy, sigma, plain)
                )
                if known:
                    stack.enter_context(self.prefix.replay(keys, latents.device))
            stack.enter_context(route(self.allowed, learned.cross))
            return self.host.denoise(noisy, sigma, plain)

    def losses(self, draws: Sequence[Draw]) -> tuple[Tensor, dict[str, float]]:
        """The training loss of a batch, and its terms."""
        config, device = self.config, self.host.device
        latents = torch.stack([self.draws.latents[d.view] for d in draws])
        masks = torch.stack([self.draws.masks[d.view] for d in draws])
        sigma = self.host.sigmas[[d.timestep for d in draws]].to(device)
        prompts = [d.prompt for d in draws]
        plain = self.plain(prompts)
        learned = self.carrier.encode(prompts, plain)
        wants_maps = config.attention_loss != "none" and config.attention_weight > 0
        with tap(self.watched) if wants_maps else contextlib.nullcontext() as maps:
            predicted = self.predict(draws, latents, sigma, plain, learned)
        terms = {
            "denoising": denoising_loss(
                predicted, latents, sigma, self.host.prediction, masks, config.background_weight
            )
        }
        if maps is not None:
            size = latents.shape[-2:]
            term = self._attention_term(maps.token_maps(self.carrier.concept_positions(learned), *size), masks)
            background = self.carrier.background_positions(learned)
            rows = [i for i, p in enumerate(background) if p]
            if rows:
                ground = maps.token_maps(background, *size)[rows]
                term = term + self._attention_term(ground, 1 - masks[rows])
            terms["attention"] = config.attention_weight * term
        if config.contrast_weight > 0:
            terms["contrast"] = config.contrast_weight * self.carrier.contrast()
        return torch.stack(list(terms.values())).sum(), {name: float(t.detach()) for name, t in terms.items()}

    def _attention_term(self, maps: Tensor, masks: Tensor) -> Tensor:
        small = torch.nn.functional.interpolate(masks[:, None], size=maps.shape[-2:], mode="area")[:, 0]
        return attention_loss(self.config.attention_loss, maps, small)

    @torch.no_grad()
    def probe(self, shares: Sequence[float] = (0.25, 0.5, 0.75)) -> tuple[Tensor, float, float]:
        """The token's map (h, w), its leakage and the denoising loss on fixed draws of the first reference.

        shares: where in the token's time window to look.
        """
        low, high = self.draws.window()
        generator = torch.Generator().manual_seed(self.config.seed + 2)
        latent, mask = self.draws.latents[0], self.draws.masks[0]
        prompt = self.draws.prompt(0, self.config.templates[0])
        draws = [
            Draw(0, prompt, round(low + s * (high - low)), torch.randn(latent.shape, generator=generator))
            for s in shares
        ]
        latents, masks = latent.expand(len(draws), *latent.shape), mask.expand(len(draws), *mask.shape)
        sigma = self.host.sigmas[[d.timestep for d in draws]].to(self.host.device)
        plain = self.plain([d.prompt for d in draws])
        with tap(self.watched) as maps:
            learned = self.carrier.encode([d.prompt for d in draws], plain, look=True)
            predicted = self.predict(draws, latents, sigma, plain, learned)
        attention = maps.token_maps(self.carrier.concept_positions(learned), *latent.shape[-2:])
        small = torch.nn.functional.interpolate(masks[:, None], size=attention.shape[-2:], mode="area")[:, 0]
        loss = denoising_loss(predicted, latents, sigma, self.host.prediction, masks, 1.0)
        return attention.mean(0).cpu(), float(leakage(attention, small).mean()), float(loss)

    # -- the loop ----------------------------------------------------------------------------------

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.carrier.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )

    def rate(self, step: int) -> float:
        """The learning rate of a step, which are counted from 1."""
        done = (step - 1) / self.config.steps
        share = 0.5 * (1 + math.cos(math.pi * done)) if self.config.rate == "cosine" else 1.0
        return self.config.learning_rate * share

    def run(self, callback: Callable[[Progress], None] | None = None) -> TrainResult:
        """Train to the end. Raises SealError when the loss is not finite any more."""
        config = self.config
        before, leak_before, loss_before = self.probe()
        attention = before
        losses: list[float] = []
        terms: dict[str, float] = {}
        optimizer, scaler = self.optimizer(), LossScale(self.host.dtype == torch.float16)
        look_every = max(10, config.steps // PROBES)
        overflows = 0
        for step in range(1, config.steps + 1):
            loss, terms = self.losses(self.draws.next(config.batch_size))
            value = float(loss.detach())
            fine = math.isfinite(value) and scaler.backward(loss, self.carrier.parameters())
            overflows = 0 if fine else overflows + 1
            if not math.isfinite(value) or (not fine and (overflows > 16 or self.host.dtype != torch.float16)):
                raise SealError(
                    f"training: the loss is not finite at step {step} of {config.steps} ({terms}). "
                    f"Lower learning_rate (now {config.learning_rate:g}) or attention_weight (now "
                    f"{config.attention_weight:g}), or load the model in float32 or bfloat16."
                )
            if fine:
                for group in optimizer.param_groups:
                    group["lr"] = self.rate(step)
                optimizer.step()
                self.carrier.constrain()
            optimizer.zero_grad(set_to_none=True)
            losses.append(value)
            if step == self.merge_step:
                self.carrier.merge()
                optimizer = self.optimizer()  # new leaf tensors: the old moments belong to the old ones
            if step % look_every == 0 and step < config.steps and callback is not None:
                attention = self.probe(shares=(0.5,))[0]
            if callback is not None:
                callback(Progress(step, config.steps, value, losses, attention, self.concept))
        after, leak_after, loss_after = self.probe()
        report = {
            "config": self.config.effective(),
            "model": str(self.host.family),
            "prediction": self.host.prediction,
            "device": str(self.host.device),
            "dtype": str(self.host.dtype).removeprefix("torch."),
            "sites": [s.name for s in self.allowed],
            "attention_sites": [s.name for s in self.watched],
            "losses": [round(v, 6) for v in losses],
            "last_terms": terms,
            "merged_at": self.merge_step,
            "leakage": {"before": round(leak_before, 4), "after": round(leak_after, 4)},
            "probe_loss": {"before": round(loss_before, 6), "after": round(loss_after, 6)},
            "pool": {"draws": config.pool, "bytes": self.prefix.bytes, "limit": self.prefix.limit}
            if self.prefix
            else None,
            "warnings": self.warnings,
        }
        concept = self.concept()
        kept = {"config": report["config"], "leakage": report["leakage"], "steps": config.steps}
        concept = replace(concept, provenance={**concept.provenance, **kept})
        return TrainResult(concept, losses, before, after, self.references[0], self.merge_step, report)

    def concept(self) -> Concept:
        """The concept as learned so far."""
        config = self.config
        return Concept(
            name=config.tokens.concept,
            class_word=config.tokens.class_word,
            vectors=self.carrier.result(),
            family=self.host.family,
            carrier=config.carrier,
            tokens=config.tokens,
            layers=config.layers,
            provenance={"seal": __version__},
        )


def train(
    host: Host,
    references: Sequence[Reference],
    config: TrainConfig,
    callback: Callable[[Progress], None] | None = None,
    resume: Concept | None = None,
) -> TrainResult:
    """Learn one concept from its reference(s) with a host's model; the model is left as it was.

    Deterministic for a seed on one machine. The callback is called after every step and may raise to
    cancel. Raises SealError for bad input and for a loss that is not finite.
    """
    return Training(host, references, config, resume).run(callback)
