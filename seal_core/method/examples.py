"""What the steps look at: examples, each a view, a prompt, a noise level and a noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..hosts.base import Host, Prompt
from ..prompts.training_prompt import training_prompt
from .augment import View, make_views
from .config import TrainConfig
from .references import Reference, shrunk_mask

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Example:
    """One training example, not yet noised.

    view: its number. timestep: its noise level, as a training timestep. noise: (4, h, w), standard normal. key: its
    number in a pool of fixed examples, by which the frozen prefix knows it; -1 for a fresh one.
    """

    view: int
    prompt: Prompt
    timestep: int
    noise: Tensor
    key: int = -1


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of one size, as the host takes them.

    latents, noise: (B, 4, h, w). masks: (B, h, w) in [0, 1]. sigma: (B,) noise levels. weights: (B,), the host's
    `loss_weight` at these. All on the host's device.
    """

    examples: Sequence[Example]
    latents: Tensor
    masks: Tensor
    noise: Tensor
    sigma: Tensor
    weights: Tensor

    @property
    def prompts(self) -> list[Prompt]:
        """With slots {concept} and perhaps {background}, one a row."""
        return [e.prompt for e in self.examples]

    @property
    def keys(self) -> list[int]:
        """Numbers in the pool, one a row; -1 for fresh examples."""
        return [e.key for e in self.examples]

    def rows(self, chosen: Sequence[int]) -> Batch:
        """Some of its examples, by their places in it."""
        at = list(chosen)
        tensors = {f: getattr(self, f)[at] for f in ("latents", "masks", "noise", "sigma", "weights")}
        return Batch([self.examples[i] for i in at], **tensors)


class Examples:
    """The views of the references, encoded once, and an endless supply of examples of them.

    latents: one (4, h, w) per view; masks: one (h, w) per view, at the latents' size. Views may differ in size; a batch
    never mixes sizes. With `config.pool` there are so many fixed examples, which come again and again; without, each is
    fresh.
    """

    def __init__(self, host: Host, references: Sequence[Reference], config: TrainConfig) -> None:
        self._host, self._config = host, config
        self._weights = host.loss_weight(host.sigmas.to(host.device))  # first: it refuses what cannot be trained
        self._generator = torch.Generator().manual_seed(config.seed)
        extra = config.views if config.pasted > 0 else 0
        self.views: list[View] = make_views(references, extra, self._generator)
        self._references = references
        self._odds = self._odds_by_levels()
        self._framed = [i for i, v in enumerate(self.views) if not v.background]
        self._pasted = [i for i, v in enumerate(self.views) if v.background]
        pictures = {id(v.image): v.image for v in self.views}  # several captions of one picture share it
        encoded = {key: host.encode_image(image[None])[0] for key, image in pictures.items()}
        self.latents = [encoded[id(v.image)] for v in self.views]
        self.masks = [shrunk_mask(v.mask, *z.shape[-2:]).to(host.device) for v, z in zip(self.views, self.latents)]
        self._pool = [self._draw(i, config.pool) for i in range(config.pool)]
        self._queue: dict[tuple[int, ...], list[Example]] = defaultdict(list)

    # -- batches -----------------------------------------------------------------------------------

    def next(self, count: int) -> Batch:
        """The next `count` examples. A pool's come in a new order each round."""
        return self.batch(self._from_pool(count) if self._pool else self._fresh(count))

    def batch(self, examples: Sequence[Example]) -> Batch:
        """These examples, which are of one size, with the latents and masks of their views."""
        levels, device = [e.timestep for e in examples], self._host.device
        return Batch(
            examples,
            latents=torch.stack([self.latents[e.view] for e in examples]),
            masks=torch.stack([self.masks[e.view] for e in examples]),
            noise=torch.stack([e.noise for e in examples]).to(device),
            sigma=self._host.sigmas[levels].to(device),
            weights=self._weights[levels],
        )

    def batches(self, examples: Sequence[Example], rows: int) -> Iterator[tuple[list[int], Batch]]:
        """All of these examples in batches of at most `rows`, each with its examples' places in the list."""
        for size in dict.fromkeys(e.noise.shape for e in examples):
            same = [i for i, e in enumerate(examples) if e.noise.shape == size]
            for places in (same[i : i + rows] for i in range(0, len(same), rows)):
                yield places, self.batch([examples[i] for i in places])

    def spread(self, count: int, low: float, high: float) -> list[Example]:
        """Fresh examples of the references as they are, their noise levels spread evenly over a range.

        Their keys are 0 to count - 1, in random order.

        low, high: shares of the token's time window, 0 = its cleanest.
        """
        first, last = self.window()
        window = round(first + low * (last - first)), round(first + high * (last - first))
        examples = [self._draw(i, count, self._pick(self._framed), window) for i in range(count)]
        order = torch.randperm(count, generator=self._generator).tolist()
        return [replace(examples[j], key=i) for i, j in enumerate(order)]

    def window(self, view: int | None = None) -> tuple[int, int]:
        """First and last training timestep at which the token is active (percent p is timestep (1 - p) T), or at which
        a view is looked at."""
        layers, last = self._config.layers, len(self._host.sigmas) - 1
        start, end = layers.start_percent, layers.end_percent
        if view is not None:
            reference = self._of(view)
            start, end = max(start, reference.start_percent), min(end, reference.end_percent)
        return round((1 - end) * last), round((1 - start) * last)

    def _of(self, view: int) -> Reference:
        return self._references[self.views[view].source]

    def _odds_by_levels(self) -> Tensor | None:
        """How often each view is drawn, so that noise levels come equally often; None where all views share them."""
        windows = [self.window(view) for view in range(len(self.views))]
        if len(set(windows)) == 1:
            return None
        return torch.tensor([(high - low) / windows.count((low, high)) for low, high in windows], dtype=torch.float64)

    # -- prompts -----------------------------------------------------------------------------------

    def prompt(self, view: int, template: str, told: bool = True) -> Prompt:
        """The training prompt of a view, with slots {concept} and perhaps {background}.

        A pasted view is framed anew, so its prompt leaves out what is known of the reference's framing. told: whether
        what is known is said at all.
        """
        config, background = self._config, self.views[view].background
        if (caption := self._of(view).caption) is not None:
            return Prompt(caption)
        known = {n: v for n, v in config.attributes if told and (n != "camera" or not background)}
        return training_prompt(
            template,
            context_token=config.tokens.context_token and config.carrier == "input",
            attributes=known,
            background_words=background,
        )

    def prompts(self) -> list[Prompt]:
        """Every prompt that can be drawn, once."""
        grounds = {(v.background, self._of(i).caption): i for i, v in enumerate(self.views)}
        return list(dict.fromkeys(self.prompt(i, t) for i in grounds.values() for t in self._config.templates))

    # -- drawing -----------------------------------------------------------------------------------

    def _draw(
        self, key: int = -1, of: int = 0, view: int | None = None, window: tuple[int, int] | None = None
    ) -> Example:
        view = self._pick_view() if view is None else view
        low, high = window or self.window(view)
        # A pool's noise levels are spread evenly, so that a small pool still covers them all (ours).
        share = float(torch.rand((), generator=self._generator))
        share = (key + share) / of if key >= 0 else share
        return Example(
            view,
            self.prompt(view, self._pick(self._config.templates)),
            min(int(low + share * (high - low + 1)), high),
            torch.randn(self.latents[view].shape, generator=self._generator),
            key,
        )

    def _pick_view(self) -> int:
        if self._odds is not None:
            return int(torch.multinomial(self._odds, 1, generator=self._generator))
        wants_pasted = float(torch.rand((), generator=self._generator)) < self._config.pasted
        return self._pick(self._pasted if self._pasted and wants_pasted else self._framed)

    def _pick(self, options: Sequence[T]) -> T:
        return options[int(torch.randint(len(options), (), generator=self._generator))]

    def _fresh(self, count: int) -> list[Example]:
        examples = [self._draw()]
        size = self.latents[examples[0].view].shape
        same = [i for i, z in enumerate(self.latents) if z.shape == size]
        while len(examples) < count:
            example = self._draw()
            examples.append(example if example.view in same else self._draw(view=self._pick(same)))
        return examples

    def _from_pool(self, count: int) -> list[Example]:
        size = tuple(self._pick(self._pool).noise.shape[-2:])
        queue = self._queue[size]
        while len(queue) < count:
            fitting = [e for e in self._pool if tuple(e.noise.shape[-2:]) == size]
            queue += [fitting[i] for i in torch.randperm(len(fitting), generator=self._generator)]
        self._queue[size] = queue[count:]
        return queue[:count]
