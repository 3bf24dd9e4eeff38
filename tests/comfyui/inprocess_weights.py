"""Concepts with low-rank weights inside ComfyUI: `PYTHON inprocess_weights.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import (
    CLIP,
    FOLDER,
    MODEL,
    NEVER,
    TEXT,
    UNET,
    Log,
    apply,
    concept,
    learned,
    make_clip,
    make_model,
    plain,
    refused,
    run,
    sample,
)

# isort: split

import comfy.lora
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from seal_pack.nodes.apply_embedding import SEALApplyEmbedding
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.comfy.unet_sites import unet_sites
from seal_pack.seal_core.concept.concept import Embedding, LowRank
from seal_pack.seal_core.concept.concept_file import load_concept, save_concept
from seal_pack.seal_core.concept.lora_file import PREFIX, save_lora
from seal_pack.seal_core.concept.low_rank import linear_layers
from seal_pack.seal_core.concept.settings import Layers, LowRankSpec
from seal_pack.seal_core.method.configure import configure
from seal_pack.seal_core.method.references import Reference
from seal_pack.seal_core.method.training import train

EVERYWHERE = Layers("all")
PARTS = ("attn1", "attn2", "ff")
LAYOUTS = {
    "sd1": {"model_channels": 32, "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4],
            "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3},
    "sdxl": {"model_channels": 32, "num_res_blocks": [2] * 3, "channel_mult": [1, 2, 4],
             "transformer_depth": [0, 0, 2, 2, 3, 3], "transformer_depth_output": [0, 0, 0, 2, 2, 2, 3, 3, 3],
             "transformer_depth_middle": 3},
}  # fmt: skip


def weighted(layers=EVERYWHERE, seed=3, name="<x>", model=MODEL, **changes):
    generator, weights = torch.Generator().manual_seed(seed), {}
    for layer, module in linear_layers(unet_sites(model.model.diffusion_model), PARTS).items():
        out, into = module.weight.shape
        weights[layer] = LowRank(
            torch.randn(4, into, generator=generator) / into**0.5, 0.3 * torch.randn(out, 4, generator=generator)
        )
    return concept(name, layers=layers, weights=weights, **changes)


def applied(x, strength=1.0, model=MODEL):
    return SEALApplyEmbedding.execute(model, Embedding((x,)), strength).result[0]


def check_layers_have_the_names_that_loras_use():
    for name, layout in LAYOUTS.items():
        config = {**UNET, **layout}
        model = comfy.supported_models.SD15({**config})
        model.unet_config = {**config, "dtype": torch.float32}
        model.manual_cast_dtype = None
        made = model.get_model({}, device=torch.device("cpu"))
        known, sites = comfy.lora.model_lora_keys_unet(made, {}), unet_sites(made.diffusion_model)
        assert len(sites) == {"sd1": 16, "sdxl": 28}[name], len(sites)
        for layer, module in linear_layers(sites, PARTS).items():
            key = known[PREFIX + layer.replace(".", "_")].removesuffix(".weight")
            assert made.get_submodule(key) is module, (name, layer, key)


def check_the_node_draws_what_the_lora_loader_draws():
    x = weighted()
    path = save_lora(x, FOLDER / "loras", "x")
    for strength in (1.0, 0.4, -0.5):
        lora = comfy.utils.load_torch_file(str(path), safe_load=True)
        theirs, _ = comfy.sd.load_lora_for_models(MODEL, CLIP, lora, strength, strength)
        ours, text = applied(x, strength), learned(TEXT, x)
        pictures = sample(ours, text), sample(theirs, text)
        assert (pictures[0] - pictures[1]).abs().max() == 0.0
        assert not torch.equal(pictures[0], sample(MODEL, text))
    assert torch.equal(sample(applied(x, 0.0), text), sample(MODEL, text))


def check_weights_act_within_their_time_only():
    text = learned(TEXT, concept(layers=EVERYWHERE))
    always, never = sample(applied(weighted()), text), sample(MODEL, text)
    timed = sample(applied(weighted(Layers("all", 0.0, 0.9999))), text)  # added in each pass, not patched
    assert (timed - always).abs().max() < 1e-3 * (always - never).abs().max()
    assert torch.equal(sample(applied(weighted(NEVER)), text), never)
    half = sample(applied(weighted(Layers("all", 0.0, 0.4))), text)
    assert not torch.allclose(half, always, atol=1e-3) and not torch.allclose(half, never, atol=1e-3)


def check_applying_twice_is_applying_once():
    for layers in (EVERYWHERE, Layers("all", 0.0, 0.9999)):
        x = weighted(layers)
        once = applied(x)
        with Log():
            twice = applied(x, model=once)
        text = learned(TEXT, x)
        assert torch.equal(sample(twice, text), sample(once, text))
        both = applied(weighted(layers, seed=9, name="<y>"), model=once)
        assert not torch.allclose(sample(both, text), sample(once, text), atol=1e-3), "another concept's are added"


def check_a_prompt_whose_weights_the_model_lacks_is_told():
    x, y = weighted(), weighted(seed=9, name="<y>")
    path = save_lora(y, FOLDER / "loras", "lacking")
    by_core, _ = comfy.sd.load_lora_for_models(MODEL, None, comfy.utils.load_torch_file(str(path)), 1.0, 0.0)
    text = learned("<x> and a dog", x)
    for model, said in (
        (apply(), ["the model lacks the weights of <x>"]),
        (applied(y), ["the model lacks the weights of <x>"]),
        (applied(x), []),
        (apply(by_core), []),  # the same layers: Load LoRA has brought some
    ):
        with Log() as log:
            sample(model, text)
        found = [line for line in log.lines if "lacks the weights" in line]
        assert len(found) == len(said) and all(part in line for part, line in zip(said, found)), found
    with Log() as log:
        sample(apply(), learned("<x>", concept(layers=EVERYWHERE)))
    assert not any("lacks" in line for line in log.lines)


def check_the_wired_model_stays_as_it_was():
    text = plain("a cat")
    before = sample(MODEL, text)
    sample(applied(weighted(Layers("all", 0.0, 0.5))), text), sample(applied(weighted()), text)
    assert torch.equal(sample(MODEL, text), before)
    assert not any(m._forward_hooks for m in MODEL.model.diffusion_model.modules())


def check_core_reads_the_embedding_in_the_file():
    for xl in (False, True):
        model = make_model(xl)
        widths = (("clip_l", 64), ("clip_g", 80)) if xl else (("clip_l", 64),)
        x = weighted(model=model, widths=widths)
        folder = FOLDER / f"bundled{xl}"
        save_concept(x, folder, "x")
        clip = make_clip(folder, xl)
        ours, theirs = learned(TEXT, x, clip=clip), plain(TEXT.replace("<x>", "embedding:x"), clip)
        assert torch.equal(ours[0][0], theirs[0][0])
        assert load_concept(folder / "x.safetensors").weights.keys() == x.weights.keys()


def check_another_models_weights_are_refused():
    xl = weighted()
    names = {f"down_blocks.7.{n}": w for n, w in list(xl.weights.items())[:1]}
    with refused("kind of model that it was trained on"):
        applied(concept(layers=EVERYWHERE, weights=names))
    assert apply() is not None


def check_a_training_makes_weights_that_draw_as_they_were_trained():
    from dataclasses import replace

    from inprocess_train import VAE, sticker

    image, mask = sticker()
    config = configure("textual_inversion", name="x", class_word="cat", steps=8, resolution=64)
    config = replace(
        config, layers=Layers("up"), weights=LowRankSpec(4, parts="attn1, attn2, ff"), weights_rate=0.02, pool=4
    )
    with torch.inference_mode(False), ComfyHost(MODEL, CLIP, VAE) as host:
        result = train(host, [Reference(image[0], mask[0])], config)
    assert sum(result.losses[-3:]) < sum(result.losses[:3])
    x = result.concept
    assert x.weights and all(n.startswith("up_blocks.") for n in x.weights)
    moved = sample(applied(x), learned("<x>", x)) - sample(apply(), learned("<x>", x))
    assert moved.abs().max() > 1e-4


if __name__ == "__main__":
    run(globals())
