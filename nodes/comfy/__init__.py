"""Everything that touches ComfyUI: its models, text encoders, sampling, folders and node UI."""
