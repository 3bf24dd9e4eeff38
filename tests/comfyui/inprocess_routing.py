"""Routing inside ComfyUI, checked number by number: `PYTHON inprocess_routing.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import (
    FOLDER,
    MODEL,
    NEGATIVE,
    NEVER,
    SITES,
    TEXT,
    UNET,
    XL,
    Recorder,
    apply,
    concept,
    learned,
    make_clip,
    make_model,
    plain,
    read,
    refused,
    run,
    sample,
)

# isort: split

import random

import comfy.ops
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from seal_pack.nodes.apply_embedding import SEALApplyEmbedding
from seal_pack.nodes.comfy import unet_sites
from seal_pack.nodes.comfy.routing import apply as routing
from seal_pack.nodes.comfy.routing.route import KEY
from seal_pack.nodes.layer_restriction_spec import LayerRestrictionSpec
from seal_pack.nodes.route_conditioning import SEALRouteConditioning
from seal_pack.seal_core.concept.concept import Embedding
from seal_pack.seal_core.concept.concept_file import save_concept
from seal_pack.seal_core.concept.settings import Layers
from seal_pack.seal_core.method.site_maps import SITE_MAPS, site_map


def check_the_layer_pickers_maps_are_the_models():
    """SD 1.x and SDXL in their full size, without memory for their weights."""
    sd1 = {
        "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4], "transformer_depth": [1] * 6 + [0] * 2,
        "transformer_depth_output": [1] * 9 + [0] * 3, "transformer_depth_middle": 1, "context_dim": 768,
    }  # fmt: skip
    sdxl = {
        "num_res_blocks": [2] * 3, "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10,
        "context_dim": 2048,
    }  # fmt: skip
    for name, layout, pixels in (("SD 1.x, 2.x", sd1, 512), ("SDXL", sdxl, 1024)):
        config = {
            **UNET,
            "model_channels": 320,
            **layout,
            "device": "meta",
            "operations": comfy.ops.disable_weight_init,
        }
        walked = unet_sites.unet_sites(UNetModel(**config))
        assert tuple(site_map(walked, pixels)) == SITE_MAPS[name], site_map(walked, pixels)


def check_sites_and_keys():
    found = unet_sites.sites_with_keys(MODEL.model.diffusion_model)
    assert tuple(s.name for s, _ in found) == SITES, [s.name for s, _ in found]
    assert [s.scale for s, _ in found] == [1, 2, 4, 2, 2, 1, 1], [s.scale for s, _ in found]
    keys, sizes = {}, {}

    def note(n, context, value, extra):
        keys[(*extra["block"], extra["block_index"])] = n.shape[1]
        return n, context, value

    probe = MODEL.clone()
    probe.set_model_attn2_patch(note)
    sample(probe, plain("cat"), size=(9, 11), steps=1)
    sizes = {s.name: s.map_size(9, 11) for s, _ in found}
    assert [keys[k] for _, k in found] == [h * w for h, w in sizes.values()]
    assert list(keys) == [k for _, k in found]  # execution order


def check_unpatched_is_the_plain_embedding():
    x = concept()
    save_concept(x, FOLDER, "x")
    for text in (TEXT, "(<x>:1.3) and a cat", "the <x>.", "<x>", "photo, " * 60 + "of <x> in snow"):
        ours, theirs = learned(text, x), plain(text.replace("<x>.", "<x> .").replace("<x>", "embedding:x"))
        assert torch.equal(ours[0][0], theirs[0][0]), text
        assert torch.equal(learned(text.replace("<x>", "embedding:x"), x)[0][0], theirs[0][0]), text
        assert torch.equal(sample(MODEL, ours), sample(MODEL, theirs)), text
        assert not torch.equal(theirs[0][0], plain(text.replace("<x>", "cat"))[0][0])


def check_no_site_is_the_class_word():
    closed = concept(layers=NEVER)
    for text in (TEXT, "(<x>:1.3) and a cat", "photo, " * 60 + "of <x> in snow"):
        for batch, cfg in ((1, 1.0), (1, 4.0), (3, 4.0)):
            ours = sample(apply(), learned(text, closed), batch=batch, cfg=cfg)
            assert torch.equal(ours, sample(MODEL, plain(text.replace("<x>", "cat")), batch=batch, cfg=cfg)), (
                text,
                batch,
            )
            assert not torch.equal(ours, sample(MODEL, learned(text, closed), batch=batch, cfg=cfg))


def check_each_site_reads_its_own():
    x = concept()
    full, word = plain(TEXT.replace("<x>", "embedding:x"))[0][0], plain(TEXT.replace("<x>", "cat"))[0][0]
    for batch, cfg, negative in (
        (1, 4.0, NEGATIVE),
        (3, 4.0, NEGATIVE),
        (2, 1.0, NEGATIVE),
        (2, 4.0, plain("bad, " * 70)),
    ):
        with Recorder() as seen:
            sample(apply(), learned(TEXT, x), negative, batch=batch, cfg=cfg)
        for site in SITES:
            rows = torch.cat(seen.contexts[site])
            per_pass = [r.shape[0] for r in seen.contexts[site]]
            assert per_pass == [batch * (1 if cfg == 1 else 2)] * 2, per_pass  # cond and uncond in one batch
            expected = full if site in ("up.2", "up.3") else word
            other = negative[0][0]
            hits = sum(read(r[None], expected) for r in rows)
            misses = sum(read(r[None], other) for r in rows)
            assert hits == 2 * batch and misses == (0 if cfg == 1 else 2 * batch), (site, hits, misses)


def check_time_window():
    x = concept(layers=Layers("up.3, mid.0", 0.3, 0.6))
    full, word = learned(TEXT, x)[0][0], plain(TEXT.replace("<x>", "cat"))[0][0]
    sampling = MODEL.get_model_object("model_sampling")
    low, high = float(sampling.percent_to_sigma(0.6)), float(sampling.percent_to_sigma(0.3))
    sigmas = []

    def note(apply_model, args):
        sigmas.append(float(args["timestep"][0]))
        return apply_model(args["input"], args["timestep"], **args["c"])

    model = apply()
    model.set_model_unet_function_wrapper(note)
    with Recorder() as seen:
        sample(model, learned(TEXT, x), cfg=1.0, steps=9)
    states = []
    for i, sigma in enumerate(sigmas):
        inside = low <= sigma <= high
        states.append(inside)
        for site in SITES:
            assert read(seen.contexts[site][i], full if inside and site in ("up.3", "mid.0") else word), (site, sigma)
    assert 0 < sum(states) < len(states)


def check_two_concepts():
    x, y = concept(), concept("<y>", "dog", Layers("up.3, down.0", 0.0, 0.5), seed=6)
    z = concept("<z>", "hat", Layers(), seed=7)
    text = "<x> and <y> with <z>"
    save_concept(x, FOLDER, "x"), save_concept(y, FOLDER, "y"), save_concept(z, FOLDER, "z")
    with Recorder() as seen:
        sample(apply(), learned(text, x, y, z), cfg=1.0, steps=6)

    def wanted(a, b):
        return plain(f"{'embedding:x' if a else 'cat'} and {'embedding:y' if b else 'dog'} with embedding:z")[0][0]

    for site in SITES:
        first, last = seen.contexts[site][0], seen.contexts[site][-1]
        in_x, in_y = site in ("up.2", "up.3"), site in ("up.3", "down.0")
        assert read(first, wanted(in_x, in_y)), site
        assert read(last, wanted(in_x, False)), site


def check_random_restrictions_against_a_naive_model():
    """Two concepts with random sites and times: every site in every pass reads the prompt that the rule predicts."""
    draw, sampling = random.Random(0), MODEL.get_model_object("model_sampling")
    for _ in range(5):
        named = [draw.sample(SITES, draw.randint(1, len(SITES))) for _ in "xy"]
        times = [sorted(draw.sample((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), 2)) for _ in "xy"]
        x, y = (
            concept(name, word, Layers(", ".join(sites), *when), seed=seed)
            for name, word, sites, when, seed in zip(("<x>", "<y>"), ("cat", "dog"), named, times, (5, 6))
        )
        save_concept(x, FOLDER, "x"), save_concept(y, FOLDER, "y")
        sigmas = []

        def note(apply_model, args, sigmas=sigmas):
            sigmas.append(float(args["timestep"][0]))
            return apply_model(args["input"], args["timestep"], **args["c"])

        model = apply()
        model.set_model_unet_function_wrapper(note)
        with Recorder() as seen:
            sample(model, learned("<x> and <y>", x, y), cfg=1.0, steps=6)
        for i, sigma in enumerate(sigmas):
            for site in SITES:
                start, end = zip(*([float(sampling.percent_to_sigma(p)) for p in when] for when in times))
                a, b = (site in named[k] and end[k] <= sigma <= start[k] for k in (0, 1))
                text = f"{'embedding:x' if a else 'cat'} and {'embedding:y' if b else 'dog'}"
                assert read(seen.contexts[site][i], plain(text)[0][0]), (site, sigma, named, times)


def check_concept_that_spills_into_another_chunk():
    text, x = "a " * 68 + "<x>", concept(count=12, layers=NEVER)
    ours, word = learned(text, x), plain(text.replace("<x>", "cat"))
    assert ours[0][0].shape[1] == 154 and word[0][0].shape[1] == 77
    for batch in (1, 2):
        assert torch.equal(sample(apply(), ours, batch=batch), sample(MODEL, word, batch=batch))


def check_route_conditioning():
    full, word = plain("a b c"), plain("a cat")
    conditioning = SEALRouteConditioning.execute(full, word, Layers("down")).result[0]
    with Recorder() as seen:
        sample(apply(), conditioning, cfg=1.0, steps=1)
    for site in SITES:
        assert read(seen.contexts[site][0], (full if site.startswith("down") else word)[0][0])
    assert torch.equal(sample(MODEL, conditioning), sample(MODEL, full))
    everywhere = SEALRouteConditioning.execute(full, word, Layers("all")).result[0]
    assert torch.equal(sample(apply(), everywhere), sample(MODEL, full))
    with refused("plain: "):
        SEALRouteConditioning.execute(full, word * 2, Layers("down"))
    wide = [[torch.zeros(1, 77, 8), {}]]
    with refused("plain: "):
        SEALRouteConditioning.execute(full, wide, Layers("down"))
    bad = SEALRouteConditioning.execute(full, word, Layers("up.99")).result[0]
    with refused("layers: "):
        sample(apply(), bad)


def check_twice_is_once_and_nothing_left():
    conditioning, x = learned(TEXT, concept()), plain("a cat")
    before = sample(MODEL, x)
    options, wrappers = dict(MODEL.model_options), dict(MODEL.wrappers)
    once = apply()
    assert torch.equal(sample(once, conditioning), sample(apply(once), conditioning))
    assert apply(once).wrappers == once.wrappers
    assert "seal" not in once.model_options["transformer_options"]
    assert "patches" not in once.model_options["transformer_options"]
    assert MODEL.model_options == options and MODEL.wrappers == wrappers
    assert torch.equal(sample(once, x), before) and torch.equal(sample(MODEL, x), before)
    assert set(conditioning[0][1]) == {"pooled_output", "seal", "seal_clip_skip"}
    unet = MODEL.model.diffusion_model
    assert not any(m._forward_hooks or m._forward_pre_hooks or "forward" in m.__dict__ for m in unet.modules())


def check_sdxl():
    model, clip = make_model(xl=True), make_clip(FOLDER, xl=True)
    x = concept(widths=XL)
    closed = concept(widths=XL, layers=NEVER)
    word, negative = plain(TEXT.replace("<x>", "cat"), clip), plain("bad", clip)
    ours = learned(TEXT, x, clip=clip)
    assert torch.equal(ours[0][1]["pooled_output"], word[0][1]["pooled_output"])
    assert torch.equal(sample(apply(model), learned(TEXT, closed, clip=clip), negative), sample(model, word, negative))
    with Recorder(model) as seen:
        sample(apply(model), ours, negative, cfg=1.0, steps=1)
    assert all(read(seen.contexts[s][0], ours[0][0] if s in ("up.2", "up.3") else word[0][0]) for s in SITES)
    tail = concept(widths=XL, carrier="tail")
    assert learned(TEXT, tail, clip=clip)[0][0].shape == (1, 77, 144)


def check_half_precision():
    for dtype in (torch.float16, torch.bfloat16):
        model, x = make_model(dtype=dtype), concept()
        word = plain(TEXT.replace("<x>", "cat"))
        assert torch.equal(sample(apply(model), learned(TEXT, concept(layers=NEVER))), sample(model, word))
        with Recorder(model) as seen:
            result = sample(apply(model), learned(TEXT, x), cfg=1.0, steps=1)
        assert torch.isfinite(result).all()
        full = learned(TEXT, x)
        for site in SITES:
            assert read(seen.contexts[site][0], (full if site in ("up.2", "up.3") else word)[0][0].to(dtype)), site


def check_not_a_unet():
    class Dit(torch.nn.Module):
        diffusion_model = torch.nn.Linear(1, 1)

    class Patcher:
        model = Dit()

    with refused("model: .*Flux or SD3"):
        routing.routed(Patcher())


def check_all_stays_all_from_the_node_to_the_conditioning():
    def said(preset, layers=""):
        return LayerRestrictionSpec.execute(MODEL, preset, layers, 0.0, 1.0).result[0]

    assert said("all") == said("custom", "down, mid, up.0-3") == Layers("all")
    assert said("up") == said("custom", "up.0-3") == Layers("up")
    assert said("custom", "up.2-3, mid") == Layers("mid, up.2, up.3")
    assert KEY not in learned(TEXT, concept(layers=said("all")))[0][1]


def check_an_old_list_of_every_site_is_no_restriction_where_the_model_confirms_it():
    old = concept(layers=Layers(", ".join([*SITES, "up.4"])))  # of a model with one site more
    SEALApplyEmbedding.execute(MODEL, Embedding((old,)))
    everywhere = learned(TEXT, concept(layers=Layers("all")))
    assert torch.equal(sample(apply(), learned(TEXT, old)), sample(MODEL, everywhere))


if __name__ == "__main__":
    run(globals())
