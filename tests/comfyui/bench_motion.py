"""A motion learned and drawn on the full SD 1.5 layout with random weights: `PYTHON bench_motion.py COMFY_DIR`.

128 px and 8 frames on the CPU, float16 weights: learns, applies, samples, and tells seconds and the process's memory.
The wired model must be the same to the bit afterwards. LAYOUT=small takes the tests' small layout.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP_L, FOLDER, make_model, plain, randomise, sample

# isort: split

import json
import os
import resource
import time

import comfy.model_patcher
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import inprocess_motion
import torch
from bench_memory import LAYOUTS

STEPS, SMALL = 3, os.environ.get("LAYOUT") == "small"


def full_model():
    """SD 1.5's U-Net in float16."""
    supported = comfy.supported_models.SD15({**LAYOUTS["sd15"]})
    supported.unet_config = {**LAYOUTS["sd15"], "dtype": torch.float16}
    supported.manual_cast_dtype = torch.float32  # as ComfyUI computes on a CPU
    model, cpu = supported.get_model({}, device=torch.device("cpu")), torch.device("cpu")
    randomise(model.diffusion_model, 1)
    model.diffusion_model.to(torch.float16)
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def full_clip():
    """A text encoder as wide as SD 1.5's, of few layers."""

    class Target:
        params = {}  # noqa: RUF012
        clip, tokenizer = comfy.sd1_clip.SD1ClipModel, comfy.sd1_clip.SD1Tokenizer

    config = {**CLIP_L, "hidden_size": 768, "intermediate_size": 768, "num_attention_heads": 12}
    options = {"clip_l_model_config": config, "dtype": torch.float32}
    clip = comfy.sd.CLIP(Target, embedding_directory=[str(FOLDER)], model_options=options)
    randomise(clip.cond_stage_model, 2)
    return clip


def told(what: str, since: float) -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what}: {time.perf_counter() - since:.1f} s, at most {most:.2f} GB so far", flush=True)


def main() -> None:
    began = time.perf_counter()
    model, clip = (make_model(dtype=torch.float16), inprocess_motion.CLIP) if SMALL else (full_model(), full_clip())
    weights = {name: value.clone() for name, value in model.model.state_dict().items()}
    told("made", began)
    began = time.perf_counter()
    frames = inprocess_motion.frames(8, 128)
    with torch.inference_mode():
        motion, name, *_, report = inprocess_motion.train(
            model, clip, image=frames, steps=STEPS, width=64, resolution=128, learning_rate=0.002, name="full"
        )
    size = (inprocess_motion.MOTIONS / name).stat().st_size / 1e6
    told(f"learned in {STEPS} steps, a file of {size:.2f} MB, losses {json.loads(report)['losses']}", began)
    began = time.perf_counter()
    with torch.inference_mode():
        drawn = sample(inprocess_motion.moving(motion, model), plain("a cat", clip), plain("", clip), 8, size=(16, 16))
    told("drawn in 2 steps", began)
    assert torch.isfinite(drawn).all() and drawn.shape == (8, 4, 16, 16)
    assert all(torch.equal(value, weights[name]) for name, value in model.model.state_dict().items()), "changed"
    print("the model is the same to the bit")


if __name__ == "__main__":
    main()
