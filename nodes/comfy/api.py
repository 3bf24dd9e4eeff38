"""ComfyUI's node API, in the version that the pack was written for: a later one may differ."""

try:
    from comfy_api.v0_0_2 import ComfyExtension, io, ui
except ImportError:  # a ComfyUI that has it no longer: the newest is the best guess
    from comfy_api.latest import ComfyExtension, io, ui

__all__ = ["ComfyExtension", "io", "ui"]
