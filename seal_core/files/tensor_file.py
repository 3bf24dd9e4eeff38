"""Read the networks that ship with the pack: safetensors files with one JSON object in the metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..messages import SealError


def read_shipped_tensors(path: Path, key: str, what: str, remedy: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of a safetensors file, and the JSON object in its metadata under `key`.

    what: the input that errors name. remedy: how to get a good file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[key])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise SealError(f"{what}: there is no file {path}; {remedy}.") from None
    except KeyError:
        raise SealError(f"{what}: {path} is another kind of file (no `{key}` in its metadata); {remedy}.") from None
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise SealError(f"{what}: {path} cannot be read ({error}); {remedy}.") from None
    if not isinstance(about, dict):
        raise SealError(f"{what}: {path} is damaged (its metadata is no JSON object); {remedy}.")
    return tensors, about
