"""The forward passes of a training: what the U-Net makes of draws, and the losses of that."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..concept.concept import Concept
from ..hosts.base import Context, Host, Prompt
from .attention import route, tap
from .config import TrainConfig
from .examples import Draw, Draws
from .frozen_prefix import FrozenPrefix
from .learned import make_carrier, plain_prompt
from .losses import attention_loss, denoising_errors, leakage
from .references import Reference
from .sites import parse_sites, select, spelled, supervised

DESCRIBED_ROWS = 4
"""Rows of which errors are found at once, at least: without a gradient they take little memory."""


class Passes:
    """One configuration on one host: the draws, what is learned (`carrier`), and the passes that use both.

    allowed: the sites that the learned context enters; everywhere: all of them. watched: those whose maps the
    attention loss reads. config: with the layers as they are saved. prefix: only saves time; nothing that is learned
    depends on whether there is one.
    """

    def __init__(
        self, host: Host, references: Sequence[Reference], config: TrainConfig, resume: Concept | None = None
    ) -> None:
        self.host = host
        self._weights = host.loss_weight(host.sigmas.to(host.device))  # first: it refuses what cannot be trained
        sites = host.sites()
        self.allowed = select(parse_sites(config.layers.sites, sites), sites)
        self.everywhere = len(self.allowed) == len(sites)
        self.watched = supervised(self.allowed)
        said = spelled([s.name for s in self.allowed], sites)
        self.config = replace(config, layers=replace(config.layers, sites=said))
        self.prefix = self.new_prefix() if config.pool else None
        self.draws = Draws(host, references, config)
        self.carrier = make_carrier(host, config, torch.Generator().manual_seed(config.seed + 1), resume)
        self._plain: dict[Prompt, Context] = {}

    def new_prefix(self) -> FrozenPrefix | None:
        """A frozen prefix with an empty pool, or None where nothing can be replayed."""
        stages = None if self.everywhere else self.host.stages()
        return FrozenPrefix.find(stages, self.allowed[0], self.config.pool_bytes)

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

    def _batch(self, draws: Sequence[Draw]) -> tuple[Tensor, Tensor, Tensor, list[Prompt]]:
        """latents (B, 4, h, w), masks (B, h, w), loss weights (B,) and prompts of draws of one size."""
        latents = torch.stack([self.draws.latents[d.view] for d in draws])
        masks = torch.stack([self.draws.masks[d.view] for d in draws])
        return latents, masks, self._weights[[d.timestep for d in draws]], [d.prompt for d in draws]

    def predict(
        self,
        draws: Sequence[Draw],
        latents: Tensor,
        plain: Context,
        learned: Context,
        prefix: FrozenPrefix | None,
    ) -> Tensor:
        """x_0 as the U-Net sees it, the learned context entering at the allowed sites only.

        prefix: where what comes before them is kept by the draws' keys; None computes it.
        """
        noise = torch.stack([d.noise for d in draws]).to(latents.device)
        sigma = self.host.sigmas[[d.timestep for d in draws]].to(latents.device)
        noisy = self.host.add_noise(latents, noise, sigma)
        if self.everywhere:
            return self.host.denoise(noisy, sigma, learned)
        with contextlib.ExitStack() as stack:
            keys = [d.key for d in draws]
            if prefix is not None and min(keys) >= 0:
                known = prefix.has(keys) or prefix.record(keys, lambda: self.host.denoise(noisy, sigma, plain))
                if known:
                    stack.enter_context(prefix.replay(keys, latents.device))
            stack.enter_context(route(self.allowed, learned.cross))
            return self.host.denoise(noisy, sigma, plain)

    def losses(self, draws: Sequence[Draw]) -> tuple[Tensor, dict[str, float]]:
        """The training loss of a batch, and its terms."""
        config = self.config
        latents, masks, weights, prompts = self._batch(draws)
        plain = self.plain(prompts)
        learned = self.carrier.encode(prompts, plain)
        wants_maps = config.attention_loss != "none" and config.attention_weight > 0
        with tap(self.watched) if wants_maps else contextlib.nullcontext() as maps:
            predicted = self.predict(draws, latents, plain, learned, self.prefix)
        terms = {"denoising": denoising_errors(predicted, latents, weights, masks, config.background_weight).mean()}
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
        latent = self.draws.latents[0]
        prompt = self.draws.prompt(0, self.config.templates[0])
        draws = [
            Draw(0, prompt, round(low + s * (high - low)), torch.randn(latent.shape, generator=generator))
            for s in shares
        ]
        latents, masks, weights, prompts = self._batch(draws)
        plain = self.plain(prompts)
        with tap(self.watched) as maps:
            learned = self.carrier.encode(prompts, plain, look=True)
            predicted = self.predict(draws, latents, plain, learned, None)
        attention = maps.token_maps(self.carrier.concept_positions(learned), *latent.shape[-2:])
        small = torch.nn.functional.interpolate(masks[:, None], size=attention.shape[-2:], mode="area")[:, 0]
        loss = denoising_errors(predicted, latents, weights, masks, 1.0).mean()
        return attention.mean(0).cpu(), float(leakage(attention, small).mean()), float(loss)

    @torch.no_grad()
    def errors(self, words: str, draws: Sequence[Draw], prefix: FrozenPrefix | None) -> Tensor:
        """Denoising errors (n,) of the subject alone, with plain words in the concept's place."""
        found = torch.zeros(len(draws))
        rows = max(DESCRIBED_ROWS, 2 * self.config.batch_size)
        for size in dict.fromkeys(d.noise.shape for d in draws):
            same = [i for i, d in enumerate(draws) if d.noise.shape == size]
            for at in (same[i : i + rows] for i in range(0, len(same), rows)):
                batch = [draws[i] for i in at]
                latents, masks, weights, prompts = self._batch(batch)
                plain = self.plain(prompts)
                said = self.carrier.encode_words(prompts, words, plain)
                predicted = self.predict(batch, latents, plain, said, prefix)
                found[at] = denoising_errors(predicted, latents, weights, masks, 0.0).cpu()
        return found
