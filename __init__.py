"""SEAL for ComfyUI: learn a character from one sticker. See README.md and ARCHITECTURE.md."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

WEB_DIRECTORY = "./js"


class SealExtension(ComfyExtension):
    """The pack's V3 entry: collects the NODES lists of the modules under `nodes/`."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .nodes import demo, embedding, layers, lettering, masks, prompts, stickers, stickers_pack, tokens, train

        modules = (masks, tokens, layers, train, embedding, prompts, demo, stickers, lettering, stickers_pack)
        return [node for module in modules for node in module.NODES]


async def comfy_entrypoint() -> SealExtension:
    return SealExtension()


__all__ = ["WEB_DIRECTORY", "SealExtension", "comfy_entrypoint"]
