"""One training step, from a batch of examples to its loss."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ..hosts.base import Context, Host
from .attention import Maps, route, tap
from .checkpointing import Checkpointing
from .class_word import ClassWordContexts
from .config import TrainConfig
from .examples import Batch
from .frozen_prefix import FrozenPrefix
from .learned import Learned
from .losses import attention_loss, denoising_errors
from .low_rank_weights import LowRankWeights
from .references import shrunk_mask
from .sites import parse_sites, select, supervised


class Step:
    """What a training repeats. The method is `loss`; everything else prepares it.

    allowed: the sites that read the learned context; all others read the class word's. everywhere: whether those are
    all. watched: the sites whose attention maps the loss reads. weights: what is learned in the allowed sites' blocks.
    """

    def __init__(self, host: Host, learned: Learned, config: TrainConfig, generator: torch.Generator) -> None:
        self.host, self.learned, self.config = host, learned, config
        sites = host.sites()
        self.allowed = select(parse_sites(config.layers.sites, sites), sites)
        self.everywhere = len(self.allowed) == len(sites)
        self.watched = supervised(self.allowed)
        self.weights = LowRankWeights(self.allowed, config.weights, generator, host.device)
        self.checkpointing = Checkpointing(host, self.allowed, self.weights.applied, config)
        self.plain = ClassWordContexts(host, config.tokens.class_word)
        self.prefix = self.new_prefix() if config.pool else None
        self._known: dict[int, Tensor] = {}  # an example's key -> what the model made of it under the class word

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The training loss of a batch, a scalar, and its terms by name."""
        terms = self.terms(batch)
        return torch.stack(list(terms.values())).sum(), {name: float(term.detach()) for name, term in terms.items()}

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """What the loss is the sum of, by name."""
        config = self.config
        plain = self.plain(batch.prompts)
        with self.checkpointing.of_text(batch.latents):
            learned = self.learned.encode(batch.prompts, plain)
        attends = config.attention_loss != "none" and config.attention_weight > 0
        with tap(self.watched if attends else ()) as maps:
            x_0 = self.denoise(batch, plain, learned, self.prefix)
        errors = denoising_errors(x_0, batch.latents, batch.weights, batch.masks, config.background_weight)
        terms = {"denoising": errors.mean()}
        if attends:
            terms["attention"] = config.attention_weight * self._attention_loss(maps, learned, batch.masks)
        if config.weights_locality > 0 and config.weights.rank:
            terms["locality"] = config.weights_locality * self._locality(batch, plain)
        if config.contrast_weight > 0:
            terms["contrast"] = config.contrast_weight * self.learned.contrast()
        return terms

    def denoise(self, batch: Batch, plain: Context, learned: Context, prefix: FrozenPrefix | None) -> Tensor:
        """x_0 (B, 4, h, w) as the U-Net predicts it, with the learned context entering at the allowed sites only.

        prefix: keeps and replays what comes before those sites, by the examples' keys; None computes it. It only saves
        time: nothing that is learned depends on it.
        """
        x_t = self.host.add_noise(batch.latents, batch.noise, batch.sigma)
        if self.everywhere:
            with self.checkpointing.of_tail(x_t), self.weights.applied():
                return self.host.denoise(x_t, batch.sigma, learned)

        def whole() -> Tensor:
            return self.host.denoise(x_t, batch.sigma, plain)

        with (
            _replayed(prefix, batch, whole),
            self.checkpointing.of_tail(x_t, learned.cross),
            route(self.allowed, learned.cross),
            self.weights.applied(),
        ):
            return whole()

    def _locality(self, batch: Batch, plain: Context) -> Tensor:
        """How far the weights move what the model predicts under the class word; they belong to the concept alone."""
        x_t = self.host.add_noise(batch.latents, batch.noise, batch.sigma)

        def under_class_word() -> Tensor:
            return self.host.denoise(x_t, batch.sigma, plain)

        with _replayed(self.prefix, batch, under_class_word):
            as_it_was = self._as_it_was(batch, under_class_word)
            with self.checkpointing.of_tail(x_t), self.weights.applied():
                now = under_class_word()
        error = (now - as_it_was).square().mean(dim=(1, 2, 3))
        return (batch.weights * error).mean()

    def _as_it_was(self, batch: Batch, under_class_word: Callable[[], Tensor]) -> Tensor:
        """x_0 (B, 4, h, w) without the weights. That of a fixed example never changes, so it is computed once."""
        if all(key in self._known for key in batch.keys):
            return torch.stack([self._known[key] for key in batch.keys]).to(batch.latents.device)
        with torch.no_grad():
            x_0 = under_class_word()
        if min(batch.keys) >= 0 and (len(self._known) + len(x_0)) * x_0[0].nbytes <= self.config.pool_bytes:
            self._known.update(zip(batch.keys, x_0.cpu(), strict=True))
        return x_0

    def _attention_loss(self, maps: Maps, learned: Context, masks: Tensor) -> Tensor:
        """The concept looks at the subject; the context token, where a prompt has it, at everything else."""
        kind, size = self.config.attention_loss, masks.shape[-2:]
        looked = maps.token_maps(self.learned.concept_positions(learned), *size)
        total = attention_loss(kind, looked, shrunk_mask(masks, *looked.shape[-2:]))
        background = self.learned.background_positions(learned)
        rows = [i for i, positions in enumerate(background) if positions]
        if rows:
            looked = maps.token_maps(background, *size)[rows]
            total = total + attention_loss(kind, looked, shrunk_mask(1 - masks[rows], *looked.shape[-2:]))
        return total

    def new_prefix(self) -> FrozenPrefix | None:
        """A frozen prefix with nothing kept yet, or None where nothing can be replayed."""
        stages = None if self.everywhere else self.host.stages()
        return FrozenPrefix.find(stages, self.allowed[0], self.config.pool_bytes)


def _replayed(prefix: FrozenPrefix | None, batch: Batch, run: Callable[[], Tensor]) -> AbstractContextManager[None]:
    """What comes before the allowed sites from the pool, if there is a prefix; `run` records what is new."""
    return prefix.replayed(batch.keys, batch.latents.device, run) if prefix else nullcontext()
