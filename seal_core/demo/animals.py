"""The animals that the tiny model can draw: its class words."""

from __future__ import annotations

SPECIES = ("cat", "dog", "rabbit", "bear", "fox", "frog", "pig", "penguin")
