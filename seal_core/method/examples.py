"""What each training step looks at: a view, a prompt, a noise level and a noise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..hosts.base import Host, Prompt
from ..prompts.training_prompt import training_prompt
from .augment import View, make_views
from .config import TrainConfig
from .references import Reference, latent_mask


@dataclass(frozen=True, eq=False)
class Draw:
    """One training example. `key` numbers the draws of a pool; -1 for a fresh one."""

    view: int
    prompt: Prompt
    timestep: int
    noise: Tensor
    key: int = -1


class Draws:
    """The views of the reference(s), encoded once, and an endless supply of draws from them.

    latents: one (4, h, w) per view; masks: one (h, w) per view, at the latents' size.
    Views may differ in size; the draws of one batch never do. With `config.pool` they are so many fixed draws, again
    and again; without, always fresh ones.
    """

    def __init__(self, host: Host, references: Sequence[Reference], config: TrainConfig) -> None:
        self._config = config
        self._generator = torch.Generator().manual_seed(config.seed)
        self._steps = len(host.sigmas) - 1
        extra = config.views if config.augment > 0 else 0
        self.views: list[View] = make_views(references, extra, self._generator)
        self.plain = [i for i, v in enumerate(self.views) if not v.background]
        self.latents = [host.encode_image(v.image[None])[0] for v in self.views]
        self.masks = [latent_mask(v.mask, *z.shape[-2:]).to(host.device) for v, z in zip(self.views, self.latents)]
        self._pool = [self._draw(i, config.pool) for i in range(config.pool)]
        self._queue: dict[tuple[int, ...], list[Draw]] = defaultdict(list)

    def _pick(self, options: Sequence[int]) -> int:
        return options[int(torch.randint(len(options), (), generator=self._generator))]

    def _view(self) -> int:
        pasted = [i for i, v in enumerate(self.views) if v.background]
        wants_pasted = float(torch.rand((), generator=self._generator)) < self._config.augment
        return self._pick(pasted if pasted and wants_pasted else self.plain)

    def window(self) -> tuple[int, int]:
        """First and last training timestep at which the token is active (percent p is timestep (1 - p) T)."""
        layers = self._config.layers
        return round((1 - layers.end_percent) * self._steps), round((1 - layers.start_percent) * self._steps)

    def prompt(self, view: int, template: str) -> Prompt:
        """The training prompt of a view, with slots {concept} and perhaps {background}.

        A pasted view is framed anew, so what is known of the reference's framing is not said of it.
        """
        config, background = self._config, self.views[view].background
        known = {n: v for n, v in config.attributes if n != "camera" or not background}
        return training_prompt(
            template,
            context_token=config.tokens.context_token and config.carrier == "input",
            attributes=known,
            background_words=background,
        )

    def prompts(self) -> list[Prompt]:
        """Every prompt that can be drawn, once."""
        grounds = {v.background: i for i, v in enumerate(self.views)}
        return list(dict.fromkeys(self.prompt(i, t) for i in grounds.values() for t in self._config.templates))

    def spread(self, count: int, low: float, high: float) -> list[Draw]:
        """Fresh draws with keys 0 to count - 1, in random order, their noise levels spread evenly over a range.

        low, high: shares of the token's time window, 0 = its cleanest.
        """
        first, last = self.window()
        window = round(first + low * (last - first)), round(first + high * (last - first))
        draws = [self._draw(i, count, window=window) for i in range(count)]
        order = torch.randperm(count, generator=self._generator).tolist()
        return [replace(draws[j], key=i) for i, j in enumerate(order)]

    def _draw(self, key: int = -1, of: int = 0, view: int | None = None, window: tuple[int, int] | None = None) -> Draw:
        view = self._view() if view is None else view
        low, high = window or self.window()
        # A pool's noise levels are spread evenly, so that a small pool still covers them all (ours).
        share = float(torch.rand((), generator=self._generator))
        share = (key + share) / of if key >= 0 else share
        return Draw(
            view,
            self.prompt(view, self._pick_template()),
            min(int(low + share * (high - low + 1)), high),
            torch.randn(self.latents[view].shape, generator=self._generator),
            key,
        )

    def _pick_template(self) -> str:
        return self._config.templates[self._pick(range(len(self._config.templates)))]

    def next(self, count: int) -> list[Draw]:
        """The next `count` draws, all of one size; from the pool, where there is one, in a new order each round."""
        if not self._pool:
            first = self._draw()
            same = [i for i, z in enumerate(self.latents) if z.shape == self.latents[first.view].shape]
            draws = [first]
            while len(draws) < count:
                draw = self._draw()
                draws.append(draw if draw.view in same else self._draw(view=self._pick(same)))
            return draws
        start = self._pool[self._pick(range(len(self._pool)))]
        size = tuple(start.noise.shape[-2:])
        queue = self._queue[size]
        while len(queue) < count:
            fitting = [d for d in self._pool if tuple(d.noise.shape[-2:]) == size]
            queue += [fitting[i] for i in torch.randperm(len(fitting), generator=self._generator)]
        self._queue[size] = queue[count:]
        return queue[:count]
