"""A MODEL whose U-Net breaks in the middle of a run, through ComfyUI's own patches."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io


class Trap:
    """attn2 patch that raises in the N-th forward; a forward begins at the first cross-attention site."""

    def __init__(self, at: int, error: str) -> None:
        self.at, self.error, self.first, self.forwards = at, error, None, 0

    def __call__(self, q: Any, k: Any, v: Any, options: dict[str, Any]) -> tuple[Any, Any, Any]:
        site = (*options["block"], options["block_index"])
        self.first = self.first or site
        self.forwards += site == self.first
        if self.forwards >= self.at and self.error == "nan":
            return q, k * float("nan"), v
        if self.forwards >= self.at:
            kinds = {"runtime": RuntimeError, "oom": torch.OutOfMemoryError}
            raise kinds[self.error](f"probe: {self.error} in forward {self.forwards}")
        return q, k, v


class SEALProbeFail(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SEALProbeFail",
            category="SEAL/tests",
            inputs=[
                io.Model.Input("model"),
                io.Combo.Input("error", options=["runtime", "oom", "nan"]),
                io.Int.Input("at", default=3, min=1),
            ],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model: Any, error: str, at: int) -> io.NodeOutput:
        patched = model.clone()
        patched.set_model_attn2_patch(Trap(at, error))
        return io.NodeOutput(patched)
