"""A second custom node pack that only the tests link into ComfyUI: it inspects, and fails on purpose."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .audit import SEALProbeAudit, SEALProbeMemory
from .draw import SEALProbeDraw
from .fail import SEALProbeFail


class ProbeExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [SEALProbeAudit, SEALProbeDraw, SEALProbeFail, SEALProbeMemory]


async def comfy_entrypoint() -> ProbeExtension:
    return ProbeExtension()
