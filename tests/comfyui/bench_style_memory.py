"""Memory of the style nodes' steps on a GPU, counted on none: `PYTHON bench_style_memory.py COMFY_DIR [--layouts ...]`.

Run by ComfyUI's interpreter, on the meta device as bench_memory.py, whose columns these are. Rows of SEALRestyle: one
update of the latents. SEALStyleModel: one pass of a sampling, two rows (with and without the prompt). SEALTailorStyle:
one step of the low-rank weights, all sites and parts, batch 1. passes: of the U-Net, those with a gradient told apart.
"""

from __future__ import annotations

import argparse
from typing import Any

from bench_memory import LAYOUTS, RESOLUTION, as_flash_attention, on_meta, start

STYLES = (1, 3)


class Passes:
    """How often the U-Net runs, with a gradient and without."""

    def __init__(self, unet: Any) -> None:
        import torch

        self.plain = self.with_gradient = 0

        def count(module: Any, args: tuple) -> None:
            if torch.is_grad_enabled():
                self.with_gradient += 1
            else:
                self.plain += 1

        unet.register_forward_pre_hook(count)

    def taken(self) -> str:
        told = f"{self.plain} + {self.with_gradient} with gradient"
        self.plain = self.with_gradient = 0
        return told


def empty_context(host: Any, rows: int) -> Any:
    from seal_pack.seal_core.hosts.base import Prompt

    return host.encode([Prompt("")] * rows, {})


def restyle_step(host: Any, side: int, styles: int) -> Any:
    """One update with the content and `styles` pictures in four regions each."""
    import numpy as np
    import torch
    from seal_pack.seal_core.style.matching import Pair, Pairs
    from seal_pack.seal_core.style.regional_style import RestyleSettings, restyle
    from seal_pack.seal_core.style.regions import Regions

    labels = np.arange(4).reshape(2, 2).repeat(side // 2, 0).repeat(side // 2, 1)
    latents = torch.zeros(1, 4, side, side, device=host.device)
    one = Regions(torch.zeros(8, 8, 3), latents, torch.zeros(4, side, side), labels)
    pairs = Pairs(one, (one,) * styles, tuple(Pair(i, i % styles, i) for i in range(4)))
    null = empty_context(host, 1)
    return lambda: restyle(host, pairs, null, RestyleSettings(steps=1))


def styled_pass(host: Any, side: int, styles: int) -> Any:
    import torch
    from seal_pack.seal_core.style.style_source import StyleSource, in_style

    latents = torch.zeros(1, 4, side, side, device=host.device)
    source = StyleSource((latents,) * styles, (None,) * styles)
    context, alone = empty_context(host, 2), empty_context(host, 1)
    x, sigma = latents.expand(2, -1, -1, -1), torch.ones(2, device=host.device)
    looks = [lambda: host.denoise(latents, sigma[:1], alone)] * styles

    def run() -> None:
        with torch.no_grad(), in_style(source, host.sites(), looks):
            host.denoise(x, sigma, context)

    return run


def plain_pass(host: Any, side: int, styles: int) -> Any:
    import torch

    x, sigma = torch.zeros(2, 4, side, side, device=host.device), torch.ones(2, device=host.device)
    context = empty_context(host, 2)

    def run() -> None:
        with torch.no_grad():
            host.denoise(x, sigma, context)

    return run


def tailor_step(mode: str) -> Any:
    def made(host: Any, side: int, styles: int) -> Any:
        import dataclasses

        import torch
        from seal_pack.seal_core.hosts.base import Prompt
        from seal_pack.seal_core.method.examples import Batch, Example
        from seal_pack.seal_core.method.learned import make_learned
        from seal_pack.seal_core.method.step import Step
        from seal_pack.seal_core.style.tailoring import tailor_config

        config = dataclasses.replace(tailor_config(), checkpointing=mode)
        generator = torch.Generator().manual_seed(0)
        step = Step(host, make_learned(host, config, generator, None), config, generator)
        latents, rows = torch.zeros(1, 4, side, side, device=host.device), torch.zeros(1, device=host.device)
        example = Example(0, Prompt("a sticker of a cat"), 0, latents[0])
        batch = Batch([example], latents, latents[:, 0] + 1, latents, rows + 1, rows)
        step.plain(batch.prompts)
        optimizer = torch.optim.AdamW(step.weights.parameters())

        def run() -> None:
            sum(step.terms(batch).values()).backward()
            optimizer.step()

        return run

    return made


CASES = {
    "a plain pass of a sampling": (plain_pass, (1,)),
    "SEALStyleModel": (styled_pass, STYLES),
    "SEALRestyle": (restyle_step, STYLES),
    "SEALTailorStyle": (tailor_step("off"), (1,)),
    "SEALTailorStyle, checkpointed": (tailor_step("on"), (1,)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("comfyui", help="ComfyUI's folder")
    parser.add_argument("--layouts", nargs="*", default=list(LAYOUTS))
    options = parser.parse_args()
    start(options.comfyui)
    import torch
    from activation_memory import Alive
    from seal_pack.nodes.comfy.text_encoders import out_of_place
    from seal_pack.seal_core.style import style_attention

    torch.set_num_threads(1)
    as_flash_attention()
    plain = torch.nn.functional.scaled_dot_product_attention

    class Efficient:
        """As CUDA's kernels, which keep no map with a mask either."""

        @staticmethod
        def scaled_dot_product_attention(q: Any, k: Any, v: Any, attn_mask: Any = None) -> Any:
            flash = torch.ops.aten._scaled_dot_product_flash_attention
            return flash(q, k, v)[0] if q.is_meta else plain(q, k, v, attn_mask=attn_mask)

    style_attention.F = Efficient
    print("| model | step | style pictures | passes | peak, GB |\n|---|---|---|---|---|", flush=True)
    with torch.inference_mode(False):
        for layout in options.layouts:
            host = on_meta(layout)
            passes = Passes(host.unet)
            frozen = [*host.unet.parameters(), *host.clip.cond_stage_model.parameters()]
            with out_of_place(host.clip.cond_stage_model):
                for name, (make, counts) in CASES.items():
                    for styles in counts:
                        run = make(host, RESOLUTION[layout] // 8, styles)
                        passes.taken()
                        with Alive(frozen) as alive:
                            run()
                        print(
                            f"| {layout} | {name} | {styles} | {passes.taken()} | {alive.most / 1e9:.2f} |", flush=True
                        )


if __name__ == "__main__":
    main()
