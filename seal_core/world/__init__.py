"""StickerWorld, the laboratory: procedural stickers with exact truth, trainings, judges and an evaluation (ours).

It comes with the repository only: `python -m seal_core.world` runs from a checkout. Nothing outside imports it.
"""
