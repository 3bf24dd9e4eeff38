"""Who may see which characters: disjoint ranges of character seeds."""

from __future__ import annotations

TRAIN = range(10_000_000)
"""The tiny model's."""
JUDGE = range(10_000_000, 20_000_000)
"""The judges' (training); their held-out figures come from the last million."""
VALIDATION = range(20_000_000, 30_000_000)
"""Presets and weights are chosen on these."""
TEST = range(30_000_000, 40_000_000)
"""Reported once."""
EXAMPLES = range(40_000_000, 50_000_000)
"""The built-in stickers of SEALDemoModel and of the demo."""
