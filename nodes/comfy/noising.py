"""How a wired MODEL was trained on noise, read off its `model_sampling`. ComfyUI's own formulas do the computing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comfy.model_sampling
import torch
from torch import Tensor

from ...seal_core.messages import SealError

KNOWN = {
    "EPS": "epsilon",
    "V_PREDICTION": "v_prediction",
    "EDM": "edm",
    "X0": "x0",
    "CONST": "flow",
    "COSMOS_RFLOW": "cosmos_rflow",
}
"""Classes of comfy.model_sampling -> kind of prediction. All compute x_0 as c_skip x_t + c_out output, a regression of
noised pictures. IMG_TO_IMG and its kin do not (they read no noise), nor does LCM (it jumps to the end of the path)."""

METHODS = ("calculate_input", "calculate_denoised", "noise_scaling")


class Noising:
    """The noise of one `model_sampling`, whatever its class is called: every node mixes a new one.

    prediction: "epsilon", "v_prediction", ..., with sigma_data where that is not 1; or the name of an unknown class.
    sigmas: (T,) float32 on the CPU.
    """

    def __init__(self, sampling: Any) -> None:
        self._sampling = sampling
        self.sigmas: Tensor = sampling.sigmas.detach().clone().float().cpu()
        owners = {method: _owner(sampling, method) for method in METHODS}
        self._unknown = next((name for name, known in owners.values() if not known), None)
        self.prediction = self._unknown or KNOWN[owners["calculate_denoised"][0]]
        sigma_data = float(getattr(sampling, "sigma_data", 1.0))
        if sigma_data != 1:
            self.prediction += f", sigma_data {sigma_data:g}"

    def add_noise(self, x_0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return self._sampling.noise_scaling(sigma.to(x_0), noise, x_0)

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """1 / c_out^2 (Karras et al. 2022). Raises SealError for unknown kinds and unusable sigmas."""
        if self._unknown is not None:
            raise SealError(
                f"model: it is sampled as {self._unknown}, through which SEAL cannot train (it can through "
                f"{', '.join(KNOWN.values())}). Wire the MODEL from before its ModelSampling node (what is learned "
                "works behind that too), or load another checkpoint."
            )
        if not (self.sigmas[0] > 0 and self.sigmas.isfinite().all() and (self.sigmas.diff() >= 0).all()):
            raise SealError(
                f"model: its noise levels go from {self.sigmas[0]:g} to {self.sigmas[-1]:g}; they must be above 0, "
                "finite and rising. Set sigma_min, sigma_max or shift of the ModelSampling node anew."
            )
        return self._output_share(sigma).square().reciprocal()

    def _output_share(self, sigma: Tensor) -> Tensor:
        """c_out (B,): how much x_0 moves with the model's output."""
        one = torch.ones(len(sigma), 1, 1, 1, device=sigma.device)
        return self._sampling.calculate_denoised(sigma, one, torch.zeros_like(one)).reshape(-1)

    def samples(self) -> Iterator[tuple[str, Tensor]]:
        """(name, (T,)) of everything that tells this noise from another, for a fingerprint."""
        one = torch.ones(len(self.sigmas), 1, 1, 1)
        yield "sigmas", self.sigmas
        yield "timesteps", self._sampling.timestep(self.sigmas)
        yield "noised", self.add_noise(torch.zeros_like(one), one, self.sigmas)
        if self._unknown is None:
            yield "output", self._output_share(self.sigmas)


def _owner(sampling: Any, method: str) -> tuple[str, bool]:
    """Name of the class whose method is in effect, and whether that is ComfyUI's own class in KNOWN."""
    function = getattr(getattr(sampling, method, None), "__func__", None)
    kind = next((k for k in type(sampling).__mro__ if vars(k).get(method) is function), type(sampling))
    name = kind.__name__
    return name, name in KNOWN and kind is getattr(comfy.model_sampling, name)
