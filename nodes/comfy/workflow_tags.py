"""Workflow and prompt as texts that a file can carry, as ComfyUI's own save nodes write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from comfy.cli_args import args


def workflow_tags(hidden: Any) -> Mapping[str, str]:
    """Name -> JSON, from a node's hidden inputs; empty where ComfyUI was started with --disable-metadata."""
    if args.disable_metadata:
        return {}
    tags = {name: json.dumps(value) for name, value in (hidden.extra_pnginfo or {}).items()}
    if hidden.prompt is not None:
        tags["prompt"] = json.dumps(hidden.prompt)
    return tags
