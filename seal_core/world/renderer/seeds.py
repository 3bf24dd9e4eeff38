"""Who may see which characters: disjoint ranges of character seeds."""

from __future__ import annotations

TRAIN = range(10_000_000)
"""For training the tiny model."""
JUDGE = range(10_000_000, 20_000_000)
"""For training the judges; the last million is held out to measure them."""
VALIDATION = range(20_000_000, 30_000_000)
"""For choosing presets and weights."""
TEST = range(30_000_000, 40_000_000)
"""For the reported figures; used once."""
EXAMPLES = range(40_000_000, 50_000_000)
"""The built-in stickers of SEALDemoModel and of the demo."""
