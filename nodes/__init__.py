"""What ComfyUI sees: one node a file, named after its id; each file ends in a NODES list."""
