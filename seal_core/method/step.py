"""One training step, from a batch of examples to its loss."""

from __future__ import annotations

import torch
from torch import Tensor

from ..concept.low_rank import LowRankFactors
from ..hosts.base import Context, Host
from .attention import Maps
from .checkpointing import Checkpointing
from .class_word import ClassWordContexts
from .config import TrainConfig
from .examples import Batch
from .frozen_prefix import FrozenPrefix
from .learned import Encode, Learned
from .losses import attention_loss, denoising_errors
from .low_rank_weights import LowRankWeights
from .passes import Pass, Passes, Wording
from .references import shrunk_mask
from .sites import parse_sites, select, supervised

LOCALITY_EVERY = 3
"""Of so many examples one is asked what the weights do to the class word."""


class Step:
    """What a training repeats. The method is `loss`; everything else prepares it.

    allowed: the sites that read the learned context; all others read the class word's. everywhere: whether those are
    all. watched: the sites whose attention maps the loss reads. weights: what is learned in the allowed sites' blocks.
    passes: who runs the model.
    """

    def __init__(
        self,
        host: Host,
        learned: Learned,
        config: TrainConfig,
        generator: torch.Generator,
        passes: Passes | None = None,
    ) -> None:
        self.host, self.learned, self.config = host, learned, config
        self.passes = passes or Passes(host)
        sites = host.sites()
        self.allowed = select(parse_sites(config.layers.sites, sites), sites)
        self.everywhere = len(self.allowed) == len(sites)
        self.watched = supervised(self.allowed)
        self.weights = LowRankWeights(self.allowed, config.weights, generator, host.device)
        self.checkpointing = Checkpointing(host, self.allowed, config)
        self.plain = ClassWordContexts(host, config.tokens.class_word, self.passes.plain)
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
        learned = self.learned.encode(batch.prompts, plain, by=self.encode_for(batch))
        attends = config.attention_loss != "none" and config.attention_weight > 0
        maps = Maps(self.watched if attends else ())
        x_0 = self.denoise(batch, plain, learned, self.prefix, maps)
        errors = denoising_errors(x_0, batch.latents, batch.weights, batch.masks, config.background_weight)
        terms = {"denoising": errors.mean()}
        if attends:
            terms["attention"] = config.attention_weight * self._attention_loss(maps, learned, batch.masks)
        if config.weights_locality > 0 and config.weights.rank:
            terms["locality"] = config.weights_locality * self._locality(batch, plain)
        if config.contrast_weight > 0:
            terms["contrast"] = config.contrast_weight * self.learned.contrast()
        return terms

    def encode_for(self, batch: Batch) -> Encode:
        """Encodes prompts for a pass of this batch."""
        keeping = self.checkpointing.of_text
        return lambda prompts, vectors: self.passes.encoded(Wording(prompts, vectors, batch.latents, keeping))

    def denoise(
        self, batch: Batch, plain: Context, learned: Context, prefix: FrozenPrefix | None, maps: Maps | None = None
    ) -> Tensor:
        """x_0 (B, 4, h, w) as the U-Net predicts it, with the learned context entering at the allowed sites only.

        prefix: keeps and replays what comes before those sites, by the examples' keys; None computes it. It only saves
        time: nothing that is learned depends on it. maps: takes the attention of its sites.
        """
        if self.everywhere:
            return self._passed(batch, learned, None, self.weights.factors, None, maps)
        return self._passed(batch, plain, learned.cross, self.weights.factors, prefix, maps)

    def _passed(
        self,
        batch: Batch,
        context: Context,
        routed: Tensor | None,
        weights: LowRankFactors | None,
        prefix: FrozenPrefix | None,
        maps: Maps | None = None,
    ) -> Tensor:
        x_t = self.host.add_noise(batch.latents, batch.noise, batch.sigma)
        keeping, maps = self.checkpointing.of_tail, maps or Maps()
        return self.passes.denoised(
            Pass(x_t, batch.sigma, context, routed, self.allowed, weights, keeping, prefix, batch.keys, maps)
        )

    def _locality(self, batch: Batch, plain: Context) -> Tensor:
        """How far the weights move what the model predicts under the class word; they belong to the concept alone.

        It needs a pass of its own, half the time of a step, so only one example in LOCALITY_EVERY is asked and counts
        for all (ours). Its noise level tells which: nothing has to be remembered.
        """
        rows = [i for i, e in enumerate(batch.examples) if e.timestep % LOCALITY_EVERY == 0]
        if not rows:
            return batch.latents.new_zeros(())
        asked, plain = batch.rows(rows), plain.rows(rows)
        as_it_was = self._as_it_was(asked, plain)
        now = self._passed(asked, plain, None, self.weights.factors, self.prefix)
        error = (now - as_it_was).square().mean(dim=(1, 2, 3))
        return LOCALITY_EVERY * (asked.weights * error).sum() / len(batch.examples)

    def _as_it_was(self, batch: Batch, plain: Context) -> Tensor:
        """x_0 (B, 4, h, w) without the weights. That of a fixed example never changes, so it is computed once."""
        if all(key in self._known for key in batch.keys):
            return torch.stack([self._known[key] for key in batch.keys]).to(batch.latents.device)
        with torch.no_grad():
            x_0 = self._passed(batch, plain, None, None, self.prefix)
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

    @torch.no_grad()
    def as_the_class_word(self, batch: Batch, plain: ClassWordContexts) -> Tensor:
        """x_0 (B, 4, h, w) as the model itself predicts it: the class word everywhere, nothing learned."""
        return self._passed(batch, plain(batch.prompts), None, None, None)

    def new_prefix(self) -> FrozenPrefix | None:
        """A frozen prefix with nothing kept yet, or None where nothing can be replayed."""
        stages = None if self.everywhere else self.host.stages()
        return FrozenPrefix.find(stages, self.allowed[0], self.config.pool_bytes)
