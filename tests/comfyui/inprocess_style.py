"""Style nodes inside ComfyUI: `PYTHON inprocess_style.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, MODEL, TEXT, apply, concept, learned, make_clip, make_model, plain, refused, run, sample

# isort: split

import json

import comfy.sd
import comfy.utils
import folder_paths
import torch
from inprocess_kit import cancelled
from inprocess_train import FOLDER, VAE, state
from seal_pack.nodes.comfy.style_sampling import KEY
from seal_pack.nodes.reference_model import SEALReferenceModel
from seal_pack.nodes.restyle import SEALRestyle
from seal_pack.nodes.style_match import SEALStyleMatch
from seal_pack.nodes.style_model import SEALStyleModel
from seal_pack.nodes.style_regions import SEALStyleRegions
from seal_pack.nodes.tailor_style import SEALTailorStyle
from seal_pack.seal_core.style import regional_style

LORAS = FOLDER / "style_loras"
folder_paths.folder_names_and_paths["loras"] = ([str(LORAS)], {".safetensors"})


def picture(seed, height=64, width=64):
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="nearest").movedim(1, 3)


def disc(size=64):
    at = torch.linspace(-1, 1, size)
    return (at[:, None] ** 2 + at[None] ** 2 < 0.5).float()[None]


def regions(seed, mask=None, height=64, width=64, model=MODEL, clip=CLIP, **settings):
    given = {"most": 3, "steps": 2, "resolution": 64, **settings}
    return SEALStyleRegions.execute(model, clip, VAE, picture(seed, height, width), mask, **given).result


def restyled(pairs, model=MODEL, clip=CLIP, steps=2, strength=1.0, colours="style", **others):
    return SEALRestyle.execute(model, clip, VAE, pairs, steps, strength, 0.26, colours, **others).result


def styled(model=MODEL, **settings):
    given = {"image": picture(5), "strength": 0.7, "resolution": 64, **settings}
    return SEALStyleModel.execute(model, VAE, **given).result[0]


def check_a_picture_is_restyled_region_by_region_and_the_models_stay_as_they_were():
    roots = MODEL.model, CLIP.cond_stage_model, VAE.first_stage_model
    before, weights = state(*roots), {k: v.clone() for k, v in MODEL.model.state_dict().items()}
    with torch.inference_mode():
        content, shown = regions(1, disc())
        style, _ = regions(2, disc())
        pairs, sheet, table = SEALStyleMatch.execute(content, style).result
        image, latent = restyled(pairs)
        own, _ = restyled(pairs, colours="own")
        kept, kept_latent = restyled(pairs, strength=0.0)
        anywhere, _ = restyled(pairs, look_from="anywhere")
    assert shown.shape == (1, 64, 64, 3) and sheet.shape == (1, 64, 128, 3), (shown.shape, sheet.shape)
    assert table.splitlines()[0].startswith("1 <- style 1 region"), table
    assert image.shape == (1, 64, 64, 3) and float(image.min()) >= 0 and float(image.max()) <= 1
    assert latent["samples"].shape == (1, 4, 8, 8)
    assert not torch.equal(image, kept) and not torch.equal(image, own)
    assert not torch.equal(image, anywhere) and not torch.equal(kept, anywhere)
    plain_latents = MODEL.model.latent_format.process_out(content[0].latents).cpu()
    assert torch.allclose(kept_latent["samples"], plain_latents, atol=1e-6)
    assert state(*roots) == before
    assert all(torch.equal(v, weights[k]) for k, v in MODEL.model.state_dict().items())


def check_half_precision_restyles_large_pictures_too():
    """A large model's mean over a million numbers, here by a factor, leaves gradients below what float16 can tell."""
    half = make_model(dtype=torch.float16)
    pairs = SEALStyleMatch.execute(regions(1, model=half)[0], regions(2, model=half)[0]).result[0]
    expected = restyled(pairs, half, steps=4)[1]["samples"]
    loss = regional_style._site_loss
    try:
        regional_style._site_loss = lambda *args: loss(*args) / 4096
        found = restyled(pairs, half, steps=4)[1]["samples"]
    finally:
        regional_style._site_loss = loss
    start = half.model.latent_format.process_out(pairs[0].content.latents).cpu()
    likeness = torch.nn.functional.cosine_similarity((found - start).flatten(), (expected - start).flatten(), dim=0)
    assert likeness > 0.95, likeness


def check_several_contents_and_styles_and_sizes():
    contents = (*regions(1)[0], *regions(3)[0])
    wide, _ = regions(2, height=64, width=128, resolution=128)
    pairs, sheets, table = SEALStyleMatch.execute(contents, regions(4)[0], wide, override="1 <- none").result
    image, latent = restyled(pairs)
    assert image.shape == (2, 64, 64, 3) and latent["samples"].shape[0] == 2
    assert sheets.shape == (2, 64, 64 * 4, 3) and table.splitlines()[0] == "1 <- none", (sheets.shape, table)


def check_a_styled_model_draws_in_the_style_and_the_wired_one_does_not():
    plain_picture = sample(MODEL, plain("a cat"))
    model = styled()
    first = sample(model, plain("a cat"))
    assert not torch.allclose(first, plain_picture) and torch.isfinite(first).all()
    assert torch.equal(first, sample(model, plain("a cat")))
    assert torch.equal(plain_picture, sample(MODEL, plain("a cat")))
    assert torch.equal(plain_picture, sample(styled(strength=0.0), plain("a cat")))
    late, early = (styled(start_percent=s, end_percent=e) for s, e in ((0.5, 1.0), (0.0, 0.5)))
    kinds = [sample(m, plain("a cat"), steps=4) for m in (model, late, early)]
    assert not any(torch.allclose(a, b) for i, a in enumerate(kinds) for b in kinds[:i])
    half = torch.zeros(1, 64, 64)
    half[:, :32] = 1
    parts = [sample(styled(**{name: half}), plain("a cat")) for name in ("mask", "where")]
    assert not any(torch.allclose(p, first) for p in parts)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in MODEL.model.modules())
    assert KEY not in MODEL.wrappers.get("apply_model", {})


def check_a_style_goes_with_batches_concepts_sizes_and_no_guidance():
    model = apply(styled(image=torch.cat([picture(5), picture(6)])))
    prompt = learned(TEXT, concept())
    one = sample(model, prompt)
    assert not torch.allclose(one, sample(apply(), prompt))
    assert torch.allclose(one, sample(styled(apply(), image=torch.cat([picture(5), picture(6)])), prompt))
    batch = sample(model, prompt, batch=3, size=(8, 16))
    assert batch.shape == (3, 4, 8, 16) and torch.isfinite(batch).all()
    assert torch.isfinite(sample(styled(), plain("a cat"), cfg=1.0)).all()


def referred(model=MODEL, **settings):
    return SEALReferenceModel.execute(model, VAE, **{"image": picture(5), "resolution": 64, **settings}).result[0]


def check_a_reference_is_looked_at_beside_the_drawing_itself():
    prompt = learned(TEXT, concept())
    own, model = sample(apply(), prompt), referred(apply())
    seen = sample(model, prompt)
    assert torch.isfinite(seen).all() and not torch.allclose(seen, own)
    assert torch.equal(seen, sample(model, prompt)) and torch.equal(own, sample(apply(), prompt))
    assert torch.allclose(seen, sample(apply(referred()), prompt))
    assert torch.equal(own, sample(referred(apply(), strength=0.0), prompt))
    same = {"strength": 1.0, "layers": "appearance", "start_percent": 0.2}
    kinds = [sample(m, prompt) for m in (
        model, styled(apply(), **same), referred(apply(), strength=0.5), referred(apply(), mask=disc()),
        referred(apply(), image=torch.cat([picture(5), picture(6)])),
    )]  # fmt: skip
    assert not any(torch.allclose(a, b) for i, a in enumerate(kinds) for b in kinds[:i])
    assert sample(model, prompt, batch=3, size=(8, 16)).shape == (3, 4, 8, 16)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in MODEL.model.modules())


def check_sdxl_with_its_pooled_text():
    model, clip = make_model(xl=True), make_clip("", xl=True)
    positive, negative = plain("a cat", clip), plain("bad", clip)
    for found in (sample(made(model), positive, negative) for made in (styled, referred)):
        assert torch.isfinite(found).all() and not torch.allclose(found, sample(model, positive, negative))
    pairs = SEALStyleMatch.execute(regions(1, model=model, clip=clip)[0], regions(2, model=model, clip=clip)[0]).result[
        0
    ]
    assert torch.isfinite(restyled(pairs, model, clip)[0]).all()


def check_bad_input_is_refused_with_a_remedy():
    many = torch.cat([picture(i) for i in range(9)])
    for what, wrong in (
        ("mask: it marks no subject", lambda: regions(1, torch.zeros(1, 64, 64))),
        ("mask: 2 masks", lambda: regions(1, torch.ones(2, 64, 64))),
        ("too many", lambda: styled(image=many)),
        ("mask: it marks nothing of a style", lambda: styled(mask=torch.zeros(1, 64, 64))),
        ("mask: it marks nothing of a reference", lambda: referred(mask=torch.zeros(1, 64, 64))),
        ("9 reference pictures are too many", lambda: referred(image=many)),
        ("layers", lambda: styled(layers="up.77")),
        ("start_percent", lambda: styled(start_percent=0.8, end_percent=0.2)),
        ("several sizes", lambda: restyled(SEALStyleMatch.execute(
            (*regions(1)[0], *regions(1, width=128, resolution=128)[0]), regions(2)[0]).result[0])),
        ("style: 30 pictures", lambda: SEALStyleMatch.execute(regions(1)[0], regions(2)[0] * 30)),
        ("override", lambda: SEALStyleMatch.execute(regions(1)[0], regions(2)[0], override="99 <- none")),
    ):  # fmt: skip
        with refused(what):
            wrong()


def check_cancel_stops_a_restyling_and_leaves_nothing():
    pairs = SEALStyleMatch.execute(regions(1)[0], regions(2)[0]).result[0]
    roots = MODEL.model, CLIP.cond_stage_model, VAE.first_stage_model
    before = state(*roots)
    with cancelled():
        restyled(pairs, steps=50)
    assert state(*roots) == before


def tailored(model=MODEL, clip=CLIP, **settings):
    """As ComfyUI calls it: every input as a list."""
    given = {"style": [torch.cat([picture(5), picture(6)])], "style_captions": "a cat\na dog", "name": "look"}
    given |= {"split": 0.8, "steps": 2, "learning_rate": 0.01, "rank": 2, "batch_size": 2, "resolution": 64, "seed": 0}
    given |= {"model": model, "clip": clip, "vae": VAE, "content_captions": "a fox\na bear", **settings}
    return SEALTailorStyle.execute(**{k: v if isinstance(v, list) else [v] for k, v in given.items()}).result


def check_a_look_is_a_lora_that_load_lora_reads_and_the_models_stay_as_they_were():
    roots = MODEL.model, CLIP.cond_stage_model, VAE.first_stage_model
    before, weights = state(*roots), {k: v.clone() for k, v in MODEL.model.state_dict().items()}
    with torch.inference_mode():
        model, name, plot, told = tailored()
    report = json.loads(told)
    assert name == "look.safetensors" and plot.shape[0] == 1 and report["pictures"] == {"style": 2, "content": 2}
    assert report["passes"] == {"drawing": 80, "training": 4} and len(report["losses"]) == 2, report["passes"]
    assert state(*roots) == before
    assert all(torch.equal(v, weights[k]) for k, v in MODEL.model.state_dict().items())
    lora = comfy.utils.load_torch_file(str(LORAS / name), safe_load=True)
    loaded, _ = comfy.sd.load_lora_for_models(MODEL, None, lora, 1.0, 0.0)
    assert len(loaded.patches) == len(model.patches) > 0
    drawn = sample(model, plain("a cat"))
    assert torch.equal(drawn, sample(loaded, plain("a cat")))
    assert not torch.equal(drawn, sample(MODEL, plain("a cat")))


def check_the_same_look_is_reused_and_another_is_not():
    kept = {p: p.stat().st_mtime_ns for p in LORAS.glob("*.safetensors")}
    _, name, _, told = tailored()
    assert name == "look.safetensors" and json.loads(told)["reused"] == name
    assert kept == {p: p.stat().st_mtime_ns for p in LORAS.glob("*.safetensors")}
    content = [picture(7), torch.cat([picture(8, 96, 64), picture(9, 96, 64)])]
    for changes, counted in (
        ({"content": content, "content_captions": "a house"}, {"style": 2, "content": 3}),
        ({"split": 1.0}, {"style": 2, "content": 0}),
        ({"content_captions": "", "style_captions": "a pet"}, {"style": 2, "content": 0}),
        ({"run_id": 1}, {"style": 2, "content": 2}),
        ({"mirrored": False}, {"style": 2, "content": 2}),
        ({"style_captions": "a cat | a grey cat\na dog"}, {"style": 2, "content": 2}),
    ):
        _, name, _, told = tailored(**changes)
        report = json.loads(told)
        assert "reused" not in report and report["pictures"] == counted, report["pictures"]
        assert name != "look.safetensors" and any("is taken" in w for w in report["warnings"])


def check_a_look_on_sdxl():
    model, _, _, _ = tailored(make_model(xl=True), make_clip("", xl=True), name="xl", split=1.0)
    assert len(model.patches) > 0


def check_bad_sets_of_pictures_are_refused_and_no_file_is_left():
    kept = sorted(LORAS.iterdir())
    for what, changes in (
        ("style_captions: 3 lines for 2 pictures", {"style_captions": "a\nb\nc"}),
        ("content_captions: 2 lines for 1 pictures", {"content": picture(7)}),
        ("braces", {"style_captions": "a {cat}"}),
        ("split: 0 leaves no noise level", {"split": 0.0}),
        ("name:", {"name": "a/b"}),
        ("prompts:", {"style_captions": "cat " * 100}),
        ("resolution", {"resolution": 10}),
    ):
        with refused(what):
            tailored(**changes)
    with cancelled():
        tailored(seed=7)
    assert sorted(LORAS.iterdir()) == kept


if __name__ == "__main__":
    run(globals())
