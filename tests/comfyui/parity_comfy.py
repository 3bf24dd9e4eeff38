"""ComfyUI's half of test_parity.py: `PYTHON parity_comfy.py COMFY_DIR CHECKPOINT OUT [CASE ...]`.

Run by ComfyUI's interpreter. Writes into OUT the model's weights in diffusers layout and everything
that a training on ComfyHost computes in a few batches; the other half does the same with DiffusersHost.
Named cases limit it to these, with fewer measurements, for large checkpoints.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from inprocess_start import load, start

BATCHES, MERGE_AFTER = 3, 1
TIMESTEPS, FEW = [0, 1, 250, 500, 750, 999], [250, 999]


def cases() -> dict[str, Any]:
    """Small trainings that together use everything that could depend on the host."""
    from seal_pack.seal_core.concept.settings import Layers
    from seal_pack.seal_core.method.config import TEMPLATES
    from seal_pack.seal_core.method.presets import PRESETS

    # Large weights, so that each term contributes to the gradient.
    changes: dict[str, dict[str, Any]] = {
        "textual_inversion": {},
        "paper": {"attention_weight": 1.0, "contrast_weight": 0.1, "pool": 4},
        "best": {"attention_weight": 1.0, "views": 2, "pool": 4, "attributes": (("emotion", "happy"),)},
        "hiper": {"attention_loss": "leak", "attention_weight": 1.0, "templates": TEMPLATES},
    }
    shared = {"batch_size": 2, "resolution": 128, "seed": 7}
    found = {}
    for name, change in changes.items():
        preset = PRESETS[name]
        tokens = dataclasses.replace(preset.tokens, concept="<x>", class_word="cat")
        found[name] = dataclasses.replace(preset, **change, **shared, tokens=tokens)
    # Its Sinkhorn iterations (epsilon 1e-3) magnify rounding a hundredfold, so it has a smaller share.
    found["transport"] = dataclasses.replace(
        found["textual_inversion"], attention_loss="transport", attention_weight=0.1, layers=Layers("up")
    )
    return found


def reference() -> Any:
    """A picture that is not square: 64 x 128, a coloured disc on a gradient."""
    import torch
    from seal_pack.seal_core.method.references import Reference

    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 2, 128), indexing="ij")
    mask = ((0.3 - ((y - 0.45) ** 2 + (x - 0.8) ** 2).sqrt()) * 20).clamp(0, 1)
    ground = torch.stack([0.7 + 0.2 * y, 0.5 + 0.1 * x, 0.9 - 0.3 * y], dim=-1)
    subject = torch.stack([0.9 - 0.2 * x, 0.3 + 0.4 * y, 0.2 + 0 * x], dim=-1)
    return Reference(torch.lerp(ground, subject, mask[..., None]), mask)


def half(weights: dict[str, Any]) -> dict[str, Any]:
    """In half precision, as the checkpoints are: exact, or an error."""
    import torch

    for name, tensor in weights.items():
        assert torch.equal(tensor.half().float(), tensor.float()), name
    return {name: tensor.half().contiguous() for name, tensor in weights.items()}


def write_weights(model: Any, clip: Any, out: Path) -> dict[str, Any]:
    """unet.safetensors and NAME.safetensors per text encoder, with diffusers' and transformers' names."""
    import comfy.utils
    from safetensors.torch import save_file
    from seal_pack.nodes.comfy.text_encoders import text_models

    config = model.model.model_config.unet_config
    theirs = model.model.diffusion_model.state_dict()
    names = {ours: name for ours, name in comfy.utils.unet_to_diffusers(config).items() if name in theirs}
    names = {ours: name for ours, name in names.items() if not ours.startswith("class_embedding")}
    assert set(names.values()) == set(theirs)
    save_file(half({ours: theirs[name] for ours, name in names.items()}), out / "unet.safetensors")
    for name, encoder in text_models(clip).items():
        save_file(half(encoder.transformer.state_dict()), out / f"{name}.safetensors")
    kept = ("channel_mult", "num_res_blocks", "transformer_depth", "transformer_depth_output", "context_dim")
    kept += ("transformer_depth_middle", "num_heads", "num_head_channels", "model_channels", "adm_in_channels")
    return {key: config.get(key) for key in (*kept, "use_linear_in_transformer")}


def main() -> None:
    comfyui, checkpoint, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    wanted = sys.argv[4:]
    thorough = not wanted
    start(comfyui)
    import torch
    from parity_measure import batches, first_change, single_pass, site_table
    from safetensors.torch import save_file
    from seal_pack.nodes.comfy.comfy_host import ComfyHost
    from seal_pack.seal_core.concept.settings import Layers
    from seal_pack.seal_core.method.attention import tap
    from seal_pack.seal_core.method.training import Training

    model, clip, vae = load(checkpoint)
    notes: dict[str, Any] = {"unet": write_weights(model, clip, out), "cases": {}}
    sticker, configs = reference(), cases()
    save_file({"image": sticker.image.contiguous(), "mask": sticker.mask.contiguous()}, out / "reference.safetensors")
    with torch.inference_mode(False), ComfyHost(model, clip, vae) as host:
        assert host.dtype == torch.float32, host.dtype
        notes |= {"prediction": host.prediction, "sites": site_table(host), "family": str(host.family)}
        sampling = model.get_model_object("model_sampling")
        notes["timesteps"] = sampling.timestep(host.sigmas.to(host.device)).tolist()
        for name in wanted or configs:
            config = configs[name]
            run = Training(host, [sticker], config)
            latents = {f"latents.{i}": z.contiguous() for i, z in enumerate(run.examples.latents)}
            merge = MERGE_AFTER if run.learned.parameters()[0].shape[0] > 1 and config.carrier == "input" else None
            found, prompts = batches(run, BATCHES if thorough else 1, merge)
            note = {"config": config.effective(), "prompts": prompts, "merge_after": merge}
            note["pool"] = run.step.prefix.bytes if run.step.prefix else None
            if run.step.prefix and thorough:  # the same draws again through the whole U-Net
                whole = Training(host, [sticker], config)
                whole.step.prefix = None
                found |= {f"whole.{key}": value for key, value in batches(whole, BATCHES, merge)[0].items()}
            elif run.step.everywhere and config.carrier == "input":
                note["timesteps"] = TIMESTEPS if thorough else FEW
                single, note["positions"] = single_pass(run, tap, run.examples.latents[0], note["timesteps"])
                found |= {f"single.{key}": value for key, value in single.items()}
            save_file(found | latents, out / f"{name}.safetensors")
            notes["cases"][name] = note
        plain = dataclasses.replace(configs["textual_inversion"], batch_size=1)
        for site in (host.sites()[-1], host.sites()[0])[: 2 if thorough else 1]:
            only = dataclasses.replace(plain, layers=Layers(site.name))
            key = next(name for name, m in host.unet.named_modules() if m is site.module)
            notes.setdefault("restriction", []).append(
                {"site": site.name, "module": key, **first_change(Training(host, [sticker], only))}
            )
    (out / "notes.json").write_text(json.dumps(notes))


if __name__ == "__main__":
    main()
