"""Features of a picture's places from a CLIP_VISION, such as DINOv2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ...seal_core.messages import SealError
from ...seal_core.style.regions import Regions


def patch_features(clip_vision: Any, regions: Regions) -> NDArray[np.floating]:
    """(r * c, D) for the places of a picture's grid. Raises SealError for a model without a square grid of patches."""
    seen = clip_vision.encode_image(regions.image[None], crop=False)["last_hidden_state"][0].float().cpu()
    side = math.isqrt(len(seen))
    if side < 2 or len(seen) - side * side > 16:  # what comes before the patches: the class token, registers
        raise SealError("clip_vision: it gives no grid of patches; use a CLIP or DINOv2 vision model, or none.")
    patches = seen[len(seen) - side * side :].T.unflatten(1, (side, side))
    fine = F.interpolate(patches[None], regions.labels.shape, mode="bilinear", align_corners=False)[0]
    return torch.nn.functional.normalize(fine.flatten(1).T, dim=1).numpy()
