"""A smaller tiny model with random weights, for tests."""

from __future__ import annotations

from seal_core.demo.model import TEXT, UNET, VAE, build, host

SIZE = 64
"""Pixels of pictures and stickers."""


def small_host():
    """The tiny model's layout with fewer channels, half the size and random weights."""
    few = {"sample_size": SIZE // 8, "block_out_channels": (32, 32, 32), "attention_head_dim": (1, 1, 1)}
    config = {
        "unet": {**UNET, **few, "cross_attention_dim": 32},
        "text_encoder": {**TEXT, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1},
        "vae": {**VAE, "block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4},
    }
    return host(build(0, config))
