"""A node that draws in place of a model: random weights give noise, and some nodes need a subject on a background."""

from __future__ import annotations

import zlib

import torch
from comfy_api.latest import io


class SEALProbeDraw(io.ComfyNode):
    """A disc whose colour and size go by the label, on white; for the label `blank`, nothing but white."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SEALProbeDraw",
            category="SEAL/tests",
            inputs=[
                io.Image.Input("image"),
                io.String.Input("label", force_input=True),
                io.String.Input("blank", default=""),
            ],
            outputs=[io.Image.Output()],
        )

    @classmethod
    def execute(cls, image: torch.Tensor, label: str, blank: str) -> io.NodeOutput:
        count, high, wide, _ = image.shape
        seed = zlib.crc32(label.encode())
        colour = torch.tensor([seed & 127, seed >> 8 & 127, seed >> 16 & 127]) / 255
        y, x = torch.meshgrid(torch.arange(high) + 0.5, torch.arange(wide) + 0.5, indexing="ij")
        radius = min(high, wide) * (0.25 + 0.15 * (seed >> 24) / 255)
        inside = (radius - torch.hypot(x - wide / 2, y - high / 2) + 0.5).clamp(0, 1)[..., None]
        drawn = inside * colour + 1 - inside if label != blank else torch.ones(high, wide, 3)
        return io.NodeOutput(drawn[None].repeat(count, 1, 1, 1))
