"""SEALDemoModel's objects on ComfyUI's own classes: `PYTHON inprocess_demo.py COMFY_DIR "" MODEL_FILE OUT`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails. Writes into OUT what ComfyHost
computes on the model, for test_demo.py to compare with DiffusersHost.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import FOLDER, Log, refused, run

# isort: split

import json
import sys
from pathlib import Path

import comfy.lora
import comfy.model_base
import comfy.model_sampling
import comfy.sample
import comfy.sd
import folder_paths
import latent_preview
import torch
from demo_measure import measure
from safetensors.torch import load_file, save_file
from seal_pack.nodes import demo_model as demo
from seal_pack.nodes.apply_embedding import SEALApplyEmbedding
from seal_pack.nodes.comfy import tiny_model
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.comfy.unet_sites import native_resolution
from seal_pack.nodes.layer_restriction_spec import LayerRestrictionSpec
from seal_pack.nodes.load_embedding import SEALLoadEmbedding
from seal_pack.nodes.semantic_mask import SemanticMask
from seal_pack.nodes.split_merge_tokenizer import SplitMergeTokenizer
from seal_pack.nodes.text_encode import SEALTextEncode
from seal_pack.nodes.train_embedding import SEALTrainEmbedding
from seal_pack.seal_core.hosts.base import Prompt
from seal_pack.seal_core.method.sampling import sample as euler
from seal_pack.seal_core.prompts.attributes import parse_attributes

MODEL_FILE, OUT = (Path(given) for given in sys.orig_argv[-2:])
folder_paths.folder_names_and_paths["embeddings"] = ([str(FOLDER)], {".safetensors"})
folder_paths.set_temp_directory(str(FOLDER / "temp"))
with torch.inference_mode():  # as ComfyUI executes nodes
    MODEL, CLIP, VAE = tiny_model.load_tiny_model(MODEL_FILE)
demo.load_tiny_model = lambda: (MODEL, CLIP, VAE)
NAME = next(iter(demo.BUILT_IN))


def encode(text, clip=CLIP):
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def drawn(positive, model=MODEL, sampler="euler", scheduler="normal", batch=1, size=(16, 16), steps=3, seed=0, **more):
    latent = more.pop("latent", torch.zeros(batch, 4, *size))
    noise = comfy.sample.prepare_noise(latent, seed)
    settings = {"cfg": 4.0, "sampler_name": sampler, "scheduler": scheduler, "positive": positive, **more}
    negative = encode("")
    given = {"negative": negative, "latent_image": latent, "disable_pbar": True, "seed": seed}
    return comfy.sample.sample(model, noise, steps, **settings, **given)


def check_it_is_what_comfyui_takes_for_a_checkpoint():
    sampling = MODEL.get_model_object("model_sampling")
    assert isinstance(sampling, comfy.model_sampling.V_PREDICTION) and len(sampling.sigmas) == 1000
    assert MODEL.model.model_type is comfy.model_base.ModelType.V_PREDICTION
    assert native_resolution(MODEL) == 128
    assert (VAE.latent_channels, VAE.downscale_ratio, VAE.upscale_ratio) == (4, 8, 8)
    assert VAE.first_stage_model.quant_conv.weight.dtype == MODEL.model.get_dtype() == torch.float32
    assert MODEL.memory_required([1, 4, 16, 16]) < 64 << 20
    for root in (MODEL.model, CLIP.cond_stage_model, VAE.first_stage_model):
        assert all(torch.isfinite(tensor).all() for tensor in root.state_dict().values())


def check_both_hosts_can_be_compared():
    with torch.inference_mode(False), ComfyHost(MODEL, CLIP, VAE) as host:
        assert host.resolution == 128 and host.prediction == "v_prediction" and host.max_tokens == 77
        assert host.family.widths == (("clip_l", 128),)
        names = [site.name for site in host.sites()]
        assert names == [*(f"down.{i}" for i in range(3)), "mid.0", *(f"up.{i}" for i in range(6))]
        found = measure(host, Prompt, euler)
        assert host.stages() is not None, "the frozen prefix works"
        assert host.fingerprint() == host.fingerprint()
    save_file(found, OUT / "comfy.safetensors")


def check_a_model_loaded_twice_is_the_same_model():
    again = tiny_model.load_tiny_model(MODEL_FILE)
    prints = []
    for parts in ((MODEL, CLIP, VAE), again):
        with torch.inference_mode(False), ComfyHost(*parts) as host:
            prints.append(host.fingerprint())
    assert prints[0] == prints[1], "a restart reuses what was trained"


def check_samplers_sizes_batches():
    positive = encode("a sticker of a cat, (happy:1.3), running")
    whole = drawn(positive, batch=2)
    assert whole.shape == (2, 4, 16, 16) and torch.isfinite(whole).all() and not torch.equal(whole[0], whole[1])
    for sampler, scheduler in (("dpmpp_2m", "karras"), ("euler_ancestral", "simple"), ("ddim", "ddim_uniform")):
        assert torch.isfinite(drawn(positive, sampler=sampler, scheduler=scheduler)).all(), sampler
    assert torch.isfinite(drawn(positive, cfg=1.0)).all()
    assert drawn(positive, size=(12, 20)).shape == (1, 4, 12, 20)
    again = drawn(positive, latent=whole[:1], denoise=0.5)
    assert not torch.equal(again, whole[:1]) and torch.isfinite(again).all()
    long = encode("a sticker of a cat, happy, " * 20)
    assert long[0][0].shape == (1, 3 * 77, 128) and torch.isfinite(drawn(long)).all()


def check_clip_skip_and_concat():
    skipped = CLIP.clone()
    skipped.clip_layer(-2)
    assert not torch.equal(encode("a cat", skipped)[0][0], encode("a cat")[0][0])
    joined = [[torch.cat([encode("a cat")[0][0], encode("running")[0][0]], dim=1), {}]]
    assert torch.isfinite(drawn(joined)).all()


def check_vae_whole_and_in_tiles():
    pixels = torch.tensor(demo.built_in_sticker(NAME).image).float()[None] / 255
    latents = VAE.encode(pixels)
    assert latents.shape == (1, 4, 16, 16)
    picture = VAE.decode(latents)
    assert picture.shape == (1, 128, 128, 3) and picture.min() >= 0 and picture.max() <= 1
    assert VAE.encode(torch.rand(1, 100, 131, 3)).shape == (1, 4, 12, 16), "cropped to multiples of 8"
    large = VAE.encode(pixels.repeat(1, 3, 3, 1))
    assert VAE.encode_tiled(pixels.repeat(1, 3, 3, 1), tile_x=128, tile_y=128, overlap=32).shape == large.shape
    assert VAE.decode_tiled(large, tile_x=16, tile_y=16, overlap=4).shape == (1, 384, 384, 3)


def check_preview_shows_the_picture():
    """A preview shows roughly the sticker's colours: closer than any single colour."""
    form = MODEL.model.latent_format
    previewer = latent_preview.Latent2RGBPreviewer(form.latent_rgb_factors, form.latent_rgb_factors_bias)
    pairs = []
    for name in demo.BUILT_IN:
        pixels = torch.tensor(demo.built_in_sticker(name).image).float()[None] / 255
        latents = MODEL.model.process_latent_in(VAE.encode(pixels))
        kind, picture, _ = previewer.decode_latent_to_preview_image("JPEG", latents)
        assert kind == "JPEG" and picture.size == (16, 16)
        picture.resize((128, 128), 0).save(OUT / f"preview-{name.split(',')[0].replace(' ', '-')}.png")
        shown = torch.tensor(list(picture.convert("RGB").tobytes())).view(16, 16, 3).float() / 255
        small = torch.nn.functional.adaptive_avg_pool2d(pixels.movedim(-1, 1), 16)[0].movedim(0, -1)
        pairs.append(torch.stack([shown, small]))
    shown, small = torch.stack(pairs, dim=1)
    explained = 1 - (shown - small).square().mean() / (small - small.mean((0, 1, 2))).square().mean()
    print(f"preview: {explained:.2f} of the variance")
    assert explained > 0


def check_least_squares_finds_the_colours():
    generator = torch.Generator().manual_seed(0)
    latents, factors = torch.randn(2, 4, 4, 4, generator=generator), torch.randn(4, 3, generator=generator)
    cells = (latents.movedim(1, -1) @ factors + torch.tensor([0.1, -0.2, 0.3])).movedim(-1, 1)
    found, bias = tiny_model.latent_colours(latents, cells.repeat_interleave(8, 2).repeat_interleave(8, 3))
    assert torch.allclose(found, factors, atol=1e-4) and torch.allclose(bias, torch.tensor([0.1, -0.2, 0.3]), atol=1e-4)


def check_every_example():
    for name in demo.BUILT_IN:
        model, clip, vae, image, mask, attributes, _ = demo.SEALDemoModel.execute(name).result
        assert (model, clip, vae) == (MODEL, CLIP, VAE)
        assert image.shape == (1, 128, 128, 3) and image.dtype == torch.float32 and 0 <= image.min() < image.max() <= 1
        assert mask.shape == (1, 128, 128) and 0.2 < mask.mean() < 0.7 and mask.max() == 1 and mask.min() == 0
        known = parse_attributes(attributes)
        assert sorted(known) == ["action", "background", "camera", "emotion", "style"]
        assert not known["background"].startswith("plain")
    with refused("there is no 'orca'.*orange cat"):
        demo.SEALDemoModel.execute("orca")


def check_seal_nodes_train_save_load_and_draw():
    *_, image, mask, attributes, _ = demo.SEALDemoModel.execute().result
    tokens = SplitMergeTokenizer.execute(2, "mean", 0.5, "preset", "class_word_noise", "preset")
    layers = LayerRestrictionSpec.execute(MODEL, "up", "", 0.0, 1.0)
    assert "up.5" in layers.result[1] and "16 x 16" in layers.result[1], layers.result[1]
    with Log() as log:
        trained = SEALTrainEmbedding.execute(
            MODEL, CLIP, VAE, image, mask, "cat", "demo", "", "best", 4, 0.0, 2, 0, 0,
            tokens=tokens.result[0], layers=layers.result[0], reference_attributes=attributes,
        )  # fmt: skip
        embedding, name, *_, report = trained.result
        assert name == "embedding:demo" and json.loads(report)["config"]["resolution"] == 128
        assert embedding.concepts[0].family.widths == (("clip_l", 128),)
        kept = load_file(FOLDER / "demo.safetensors")
        [vectors] = [value for key, value in kept.items() if key.startswith("bundle_emb.")]
        assert vectors.shape[1] == 128 and len(kept) > 1, "a word and its weights"
        loaded = SEALLoadEmbedding.execute("demo.safetensors").result[0]
        plain = encode("a sticker of embedding:demo , running")
    assert not any("mismatch" in line or "does not exist" in line for line in log.lines), log.lines
    ours = SEALTextEncode.execute(CLIP, "a sticker of <demo>, running", loaded).result[0]
    assert torch.allclose(ours[0][0], plain[0][0], atol=1e-5), "the file means the same to CLIPTextEncode"
    assert not torch.equal(plain[0][0], encode("a sticker of cat , running")[0][0])
    routed = SEALApplyEmbedding.execute(MODEL, loaded).result[0]
    free, held = drawn(ours), drawn(ours, model=routed)
    assert torch.isfinite(held).all() and not torch.equal(free, held), "the restriction does something"
    again = SEALTrainEmbedding.execute(
        MODEL, CLIP, VAE, image, mask, "cat", "demo", "", "best", 4, 0.0, 2, 0, 0,
        tokens=tokens.result[0], layers=layers.result[0], reference_attributes=attributes,
    )  # fmt: skip
    assert json.loads(again.result[4])["reused"]


def check_semantic_mask_by_the_models_attention():
    image = demo.SEALDemoModel.execute().result[3]
    mask = SemanticMask.execute(image, "attention", 0, 0.0, model=MODEL, clip=CLIP, vae=VAE, class_word="cat").result[0]
    assert mask.shape == (1, 128, 128)


def check_loras_and_saving():
    keys = comfy.lora.model_lora_keys_unet(MODEL.model, {})
    assert "lora_unet_up_blocks_2_attentions_1_transformer_blocks_0_attn2_to_k" in keys
    comfy.sd.save_checkpoint(str(OUT / "checkpoint.safetensors"), MODEL, CLIP, VAE)
    saved = load_file(OUT / "checkpoint.safetensors")
    assert sum(key.startswith("model.diffusion_model.") for key in saved) == len(
        MODEL.model.diffusion_model.state_dict()
    )
    (OUT / "checkpoint.safetensors").unlink()


def check_bad_files():
    with refused(r"there is no file .*gone.safetensors"):
        tiny_model.load_tiny_model(FOLDER / "gone.safetensors")
    half = FOLDER / "half.safetensors"
    half.write_bytes(MODEL_FILE.read_bytes()[:100_000])
    with refused(r"half.safetensors cannot be read"):
        tiny_model.load_tiny_model(half)
    whole = tiny_model.read_model(MODEL_FILE)
    lost = next(name for name in whole.unet if name.startswith("mid_block"))
    changes = {
        "weights do not fit": lambda f: f.unet.pop(lost),
        "norm_num_groups": lambda f: f.config["unet"].update(norm_num_groups=8),
        "attention_head_dim": lambda f: f.config["unet"].update(attention_head_dim=[1, 2, 8]),
        "beta_schedule": lambda f: f.config["scheduler"].update(beta_schedule="linear"),
        "hidden_size": lambda f: f.config["text_encoder"].pop("hidden_size"),
        "vae block_out_channels": lambda f: f.config["vae"].update(block_out_channels=[32, 64, 96]),
    }
    original = tiny_model.read_model
    try:
        for said, change in changes.items():
            file = original(MODEL_FILE)
            change(file)
            tiny_model.read_model = lambda path, file=file: file
            with refused(f"does not fit this version of SEAL.*{said}.*reinstall"):
                tiny_model.load_tiny_model(MODEL_FILE)
    finally:
        tiny_model.read_model = original


if __name__ == "__main__":
    run(globals())
