"""The judges' file, and the lines of JSONL logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

JUDGES_FILE = Path(__file__).parent / "data" / "judges.safetensors"


def json_line(values: Mapping[str, Any]) -> str:
    """One line of a JSONL log."""
    return json.dumps(values) + "\n"
