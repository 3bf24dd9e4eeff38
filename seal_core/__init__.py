"""SEAL for single-image sticker personalisation: the method, without ComfyUI or diffusers."""

__version__ = "0.1.0"
