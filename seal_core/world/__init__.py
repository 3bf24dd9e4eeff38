"""StickerWorld: procedural stickers with exact truth, a tiny model trained on them, judges and an evaluation (ours)."""
