"""What ComfyUI sees: one module per subject, each ending in a NODES list."""
