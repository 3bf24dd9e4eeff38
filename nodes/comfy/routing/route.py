"""A prompt with its alternatives: the contexts that a layer restriction chooses from.

A conditioning carries its `Route` under KEY. Where the model was not patched nothing reads it, and the conditioning
acts as a plain embedding.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ....seal_core.concept.settings import Layers
from ....seal_core.messages import SealError, log_warning

KEY = "seal"
"""Of the Route in a conditioning, of the wrappers on a MODEL, of the Plan in transformer_options."""

Choice = frozenset[int]
"""Which of a Route's layer restrictions let their concepts in, as indices."""


@dataclass(frozen=True, eq=False)
class Route:
    """One prompt's contexts (B, L, D): with every choice of concepts in it, and class words in place of the others.

    layers: the different restrictions of the concepts. contexts: indices into `layers` -> the context with the concepts
    of just these restrictions, and every unrestricted one, in it. All 2^len(layers) choices are there.
    """

    layers: tuple[Layers, ...]
    contexts: Mapping[Choice, Tensor]

    def __post_init__(self) -> None:
        _alive.add(self)

    @property
    def full(self) -> Choice:
        return frozenset(range(len(self.layers)))

    @property
    def base(self) -> Tensor:
        """The context with every concept in it: what the conditioning itself holds."""
        return self.contexts[self.full]

    @property
    def plain(self) -> Tensor:
        """The context with a class word in place of every restricted concept."""
        return self.contexts[frozenset()]

    def followed(self, context: Tensor) -> Route | None:
        """The route of a conditioning that began as this one's and now holds `context`; None where it cannot be told.

        Tokens that Conditioning (Concat) appended are appended to every context. Other edits give None.
        """
        base, length = self.base.to(context), self.base.shape[1]
        if base.shape[::2] != context.shape[::2] or not torch.equal(base, context[:, :length]):
            return None
        added = context[:, length:]
        warn_if_lost(added)
        grown = {choice: torch.cat((c.to(context), added), dim=1) for choice, c in self.contexts.items()}
        return replace(self, contexts=grown)


_alive: weakref.WeakSet[Route] = weakref.WeakSet()
"""Every Route in use. Only for warnings: other nodes drop what rides along with a conditioning."""


def live_bases() -> list[Tensor]:
    """The base contexts of all routes in use."""
    return [route.base for route in list(_alive)]


def warn_if_lost(added: Tensor) -> None:
    """Warn where the tokens that were appended to a conditioning are a routed prompt's: its route is lost."""
    for base in live_bases():
        if base.shape == added.shape and torch.equal(base.to(added), added):
            log_warning(
                "SEAL: Conditioning (Concat) keeps the layers of conditioning_to only, so the concepts of its other "
                "prompt enter everywhere. Wire the prompt with the concepts to conditioning_to, or concatenate the "
                "learned and the plain prompts apart and join the two with SEAL Route Conditioning."
            )
            return


def is_restricted(layers: Layers) -> bool:
    """Whether a restriction can keep a token out of anything."""
    everywhere = layers.sites.strip().lower() in ("", "all")
    return not everywhere or (layers.start_percent, layers.end_percent) != (0.0, 1.0)


def route_conditioning(learned: list, plain: list, layers: Layers) -> list:
    """CONDITIONING that is `learned` at the sites and times of `layers` and `plain` elsewhere.

    plain: as many entries as `learned`, or one for all. It also gives the pooled vector, which reaches every
    site. A route that `learned` had already is replaced. Raises SealError where the two do not fit.
    """
    plain = plain * len(learned) if len(plain) == 1 else plain
    if len(plain) != len(learned):
        raise SealError(f"plain: {len(plain)} conditionings for {len(learned)} learned ones; wire one, or as many.")
    result = []
    for (context, extras), (other, other_extras) in zip(learned, plain, strict=True):
        for name, one in (("learned", context), ("plain", other)):
            if not isinstance(one, Tensor) or one.ndim != 3 or not one.isfinite().all():
                raise SealError(
                    f"{name}: is no encoded text, numbers of the shape (batch, tokens, width); wire a text encode node."
                )
        if other.shape[::2] != context.shape[::2]:
            raise SealError(
                f"plain: {tuple(other.shape)} does not fit learned {tuple(context.shape)} (batch, tokens, width); "
                "encode both with one CLIP."
            )
        pooled = {k: other_extras[k] for k in ("pooled_output",) if k in other_extras}
        route = Route((layers,), {frozenset(): other, frozenset({0}): context})
        result.append([context, {**extras, **pooled, KEY: route}])
    return result
