"""Memory of a training step on a GPU, counted on none: `PYTHON bench_memory.py COMFY_DIR [--layouts sd15 sdxl] ...`.

Run by ComfyUI's interpreter. ComfyUI's own U-Net and text encoders at full size stand on torch's meta device, where a
step, backward and optimiser included, computes shapes alone: seconds, and no memory. float16 weights, learned tensors
in float32, attention as CUDA's flash attention keeps it. Prints a Markdown table:

saved: bytes of distinct storages that autograd keeps for the backward pass, weights left out, inputs of checkpointed
layers included. peak: the most bytes alive at once during the step, gradients and AdamW's moments included, weights
left out; a card needs the weights, cuDNN's workspace and the CUDA context besides.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from inprocess_start import start

_COMMON = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "use_spatial_transformer": True, "legacy": False,
    "model_channels": 320,
}  # fmt: skip
LAYOUTS: dict[str, dict[str, Any]] = {
    "sd15": {
        **_COMMON, "channel_mult": [1, 2, 4, 4], "num_res_blocks": [2] * 4, "num_heads": 8,
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3,
        "transformer_depth_middle": 1, "context_dim": 768, "use_linear_in_transformer": False,
    },
    "sdxl": {
        **_COMMON, "channel_mult": [1, 2, 4], "num_res_blocks": [2] * 3, "num_head_channels": 64,
        "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10, "context_dim": 2048, "use_linear_in_transformer": True,
        "num_classes": "sequential", "adm_in_channels": 2816,
    },
}  # fmt: skip
RESOLUTION = {"sd15": 512, "sdxl": 1024}
CARRIERS = {"tokens": "", "tokens, attn2": "attn2", "tokens, all parts": "attn2, attn1, ff"}
RANK = 8


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comfyui", help="ComfyUI's folder")
    parser.add_argument("--layouts", nargs="*", default=list(LAYOUTS))
    parser.add_argument("--sites", nargs="*", default=["up", "all"])
    parser.add_argument("--carriers", nargs="*", default=list(CARRIERS))
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--locality", type=float, default=40.0, help="weight of the locality term; 0 = without")
    return parser.parse_args()


def on_meta(layout: str) -> Any:
    """A ComfyHost over a U-Net and text encoders without any memory. The VAE is needed before training alone."""
    import comfy.model_patcher
    import comfy.sd
    import comfy.sd1_clip
    import comfy.sdxl_clip
    import comfy.supported_models
    import torch
    from seal_pack.nodes.comfy.comfy_host import ComfyHost

    meta, xl = torch.device("meta"), layout == "sdxl"
    supported = (comfy.supported_models.SDXL if xl else comfy.supported_models.SD15)({**LAYOUTS[layout]})
    supported.unet_config = {**LAYOUTS[layout], "dtype": torch.float16}
    supported.manual_cast_dtype = None
    model = supported.get_model({}, device=meta)
    model.diffusion_model.to(meta)

    class Target:
        params = {}  # noqa: RUF012
        clip = comfy.sdxl_clip.SDXLClipModel if xl else comfy.sd1_clip.SD1ClipModel
        tokenizer = comfy.sdxl_clip.SDXLTokenizer if xl else comfy.sd1_clip.SD1Tokenizer

    clip = comfy.sd.CLIP(Target, model_options={"dtype": torch.float16})
    clip.cond_stage_model.to(meta)
    clip.patcher.load_device = meta
    for part in (model.diffusion_model, clip.cond_stage_model):
        part.requires_grad_(False)

    class Vae:
        patcher = object()

    host = ComfyHost(comfy.model_patcher.ModelPatcher(model, load_device=meta, offload_device=meta), clip, Vae())
    model.model_sampling.to(meta)
    if xl:  # ComfyUI puts size and pooled text together on the CPU
        width = LAYOUTS[layout]["adm_in_channels"]
        model.encode_adm = lambda **given: torch.zeros(len(given["pooled_output"]), width, device=meta)
    host._loaded = True  # ComfyUI's memory management knows no meta device
    host.vocabulary = lambda encoder: torch.zeros(49408, dict(host.family.widths)[encoder])
    return host


def as_flash_attention() -> None:
    """Attention keeps queries, keys, values, result and one sum a row, as on CUDA; on meta torch would keep the map."""
    import comfy.ops
    import torch

    plain = torch.nn.functional.scaled_dot_product_attention

    def attention(q: Any, k: Any, v: Any, attn_mask: Any = None, **options: Any) -> Any:
        if attn_mask is not None:  # the text encoders' causal mask: 77 x 77
            return plain(q, k, v, attn_mask=attn_mask)
        return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v)[0]

    comfy.ops.scaled_dot_product_attention = attention
    torch.nn.functional.scaled_dot_product_attention = attention  # of our temporal layers


class Case:
    """One training, ready to step."""

    def __init__(self, host: Any, layout: str, sites: str, carrier: str, batch: int, mode: str, locality: float):
        import torch
        from seal_pack.seal_core.concept.settings import Layers, LowRankSpec, Tokens
        from seal_pack.seal_core.hosts.base import Prompt
        from seal_pack.seal_core.method.examples import Batch, Example
        from seal_pack.seal_core.method.learned import make_learned
        from seal_pack.seal_core.method.presets import PRESETS
        from seal_pack.seal_core.method.step import Step

        self.host = host
        parts = CARRIERS[carrier]
        self.config = dataclasses.replace(
            PRESETS["best"],
            tokens=Tokens(class_word="cat", split=8, merge="none", init="class_word"),
            layers=Layers(sites),
            weights=LowRankSpec(RANK, parts=parts) if parts else LowRankSpec(),
            weights_locality=locality,
            checkpointing=mode,
            pool=0,
        )
        generator = torch.Generator().manual_seed(0)
        self.learned = make_learned(host, self.config, generator, None)
        self.step = Step(host, self.learned, self.config, generator)
        side = RESOLUTION[layout] // 8

        def empty(*shape: int) -> Any:
            return torch.zeros(*shape, device=host.device)

        prompt = Prompt("a sticker of {concept}, {background}")
        latents, rows = empty(batch, 4, side, side), empty(batch)
        examples = [Example(0, prompt, 0, latents[0])] * batch
        self.batch = Batch(examples, latents, empty(batch, side, side), latents, rows + 1, rows)

    def parameters(self) -> list[Any]:
        return [*self.learned.parameters(), *self.step.weights.parameters()]

    def frozen(self) -> list[Any]:
        return [*self.host.unet.parameters(), *self.host.clip.cond_stage_model.parameters(), *self.parameters()]


def figures(case: Case) -> tuple[int, int]:
    """(bytes saved for backward, bytes alive at most) of one step."""
    import torch
    from activation_memory import Alive, saved
    from seal_pack.seal_core.method import checkpointing

    case.step.plain(case.batch.prompts)  # kept for the whole training
    optimizer = torch.optim.AdamW(case.parameters())
    with Alive(case.frozen()) as alive:
        with saved(case.frozen(), checkpointing) as counted:
            loss = sum(case.step.terms(case.batch).values())
        kept = counted.bytes
        counted.forget()
        loss.backward()
        optimizer.step()
    return kept, alive.most


def main() -> None:
    options = arguments()
    start(options.comfyui)
    import torch
    from activation_memory import bytes_of
    from seal_pack.nodes.comfy.text_encoders import out_of_place

    torch.set_num_threads(1)
    as_flash_attention()
    print(f"torch {torch.__version__}, {os.path.basename(os.path.abspath(options.comfyui))}; GB = 1e9 bytes\n")
    print("| model | learned | enters | batch | saved, GB | peak, GB | checkpointed: saved | peak |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with torch.inference_mode(False):
        for layout in options.layouts:
            host = on_meta(layout)
            with out_of_place(host.clip.cond_stage_model):
                for carrier in options.carriers:
                    for sites in options.sites:
                        for batch in options.batches:
                            cells = []
                            for mode in ("off", "on"):
                                case = Case(host, layout, sites, carrier, batch, mode, options.locality)
                                cells += [f"{value / 1e9:.2f}" for value in figures(case)]
                            print(f"| {layout} | {carrier} | {sites} | {batch} | {' | '.join(cells)} |", flush=True)
            unet = bytes_of(host.unet.parameters())
            text = bytes_of(host.clip.cond_stage_model.parameters())
            print(f"| {layout} weights: U-Net {unet / 1e9:.2f}, text {text / 1e9:.2f} | | | | | | | |", flush=True)


if __name__ == "__main__":
    main()
