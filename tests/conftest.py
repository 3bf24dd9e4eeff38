"""Shared by all tests."""

import torch

# Tiny models lose more to threads waiting for each other than they win.
torch.set_num_threads(1)
