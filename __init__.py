"""SEAL for ComfyUI: learn a character from one sticker. See README.md and ARCHITECTURE.md."""

from __future__ import annotations

from .nodes.comfy.api import ComfyExtension, io

WEB_DIRECTORY = "./js"


class SealExtension(ComfyExtension):
    """The pack's V3 entry: the NODES lists of the modules under `nodes/` that this ComfyUI can run."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .nodes.comfy.live_panel import answer_panels
        from .nodes.comfy.usable_nodes import usable_nodes

        answer_panels()
        return usable_nodes()


async def comfy_entrypoint() -> SealExtension:
    return SealExtension()


__all__ = ["WEB_DIRECTORY", "SealExtension", "comfy_entrypoint"]
