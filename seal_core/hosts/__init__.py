"""Hosts that can be used without ComfyUI; each imports its library only when it is asked for."""
