"""The protocol of a host (`base`), and hosts that work without ComfyUI. Only they import diffusers."""
