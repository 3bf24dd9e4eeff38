"""From picture files to the references of a training: masks as given or as found, and what was noticed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..masks.methods import FoundSubject, semantic_mask
from ..masks.self_attention import SelfAttentionHost, attention_mask
from ..messages import collected_notices
from ..method.config import TrainConfig
from ..method.fit_references import fit_references
from ..method.references import Reference


@dataclass(frozen=True)
class FoundReferences:
    """The references made of the pictures, and what was noticed on the way, each notice once.

    masks: (H, W) each, as given or found. subjects: what was found where no mask was given.
    """

    references: list[Reference]
    notices: list[str]
    masks: list[Tensor] = field(default_factory=list)
    subjects: list[FoundSubject] = field(default_factory=list)


def find_references(
    host: SelfAttentionHost, images: Sequence[Tensor], masks: Sequence[Tensor], polarity: str, config: TrainConfig
) -> FoundReferences:
    """One reference a picture (they may differ in size). Masks are found where none is given."""
    found = FoundReferences([], [])
    notices: list[str] = []
    attention = functools.partial(attention_mask, host, class_word=config.tokens.class_word)
    for i, image in enumerate(images):
        mask, meaning = masks[i if len(masks) > 1 else 0] if masks else None, polarity
        if mask is None:
            with collected_notices() as noticed:
                mask = semantic_mask(
                    image, attention=lambda picture: attention(picture[..., :3]), look=found.subjects.append
                )[0]
            notices, meaning = [*notices, *noticed], "foreground"
        fitted, noticed = fit_references(image[None], mask, config.resolution, meaning)
        found.references.extend(fitted)
        found.masks.append(mask)
        notices = [*notices, *noticed]
    found.notices.extend(dict.fromkeys(notices))
    return found
