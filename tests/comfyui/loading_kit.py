"""Models, LoRAs and a short training for scripts about loading; imported after inprocess_kit."""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import FOLDER, make_clip, make_model, randomise

# isort: split

import json

import comfy.sd
import folder_paths
import torch
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.train_embedding import SEALTrainEmbedding
from seal_pack.seal_core.hosts.base import Prompt
from seal_pack.seal_core.method.configure import TokenChoices
from streamed import streamed_clip, streamed_model

folder_paths.folder_names_and_paths["embeddings"] = ([str(FOLDER)], {".safetensors"})
folder_paths.set_temp_directory(str(FOLDER / "temp"))
KEY = "diffusion_model.output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight"
TEXT_KEY = "clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.weight"


def make_vae(seed=3):
    shape = {"ch": 32, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0}
    shape |= {"in_channels": 3, "out_ch": 3, "resolution": 64, "z_channels": 4, "double_z": True}
    vae = comfy.sd.VAE(sd={}, config={"params": {"ddconfig": shape, "embed_dim": 4}}, dtype=torch.float32)
    randomise(vae.first_stage_model, seed)
    return vae


VAE = make_vae()


def clip_of_files():
    return make_clip(FOLDER)


def streamed():
    return streamed_model(make_model), streamed_clip(clip_of_files)


def with_lora(model, clip, strength=1.0):
    """Clones with a patch each, as LoraLoader makes them."""
    model, clip = model.clone(), clip.clone()
    for patcher, key in ((model, KEY), (clip.patcher, TEXT_KEY)):
        shape = patcher.model.state_dict()[key].shape
        patch = torch.randn(shape, generator=torch.Generator().manual_seed(9)) * 0.1
        assert patcher.add_patches({key: (patch,)}, strength) == [key]
    return model, clip


def train(model, clip, **settings):
    image, mask = torch.full((1, 64, 64, 3), 0.2), torch.zeros(1, 64, 64)
    mask[:, 16:-16, 16:-16] = 1
    image[mask > 0] = 0.8
    given = {"preset": "best", "steps": 2, "learning_rate": 0.0, "batch_size": 0, "resolution": 64, "seed": 0}
    given |= {"image": image, "mask": mask, "class_word": "cat", "concept": ""}
    given |= {"tokens": TokenChoices(split=1, init="class_word"), **settings}
    result = SEALTrainEmbedding.execute(model, clip, VAE, **given).result
    return result[0].concepts[0], json.loads(result[4])


def opened(model, clip):
    with torch.inference_mode(False), ComfyHost(model, clip, VAE):
        pass


def gradients(model, clip):
    """Gradients of a denoised picture by the word embeddings and by the context: through text encoder and U-Net."""
    generator = torch.Generator().manual_seed(4)
    with torch.inference_mode(False), torch.enable_grad(), ComfyHost(model, clip, VAE) as host:
        starts = []

        def start(module, inputs, output):
            starts.append(output.requires_grad_())

        words = host.clip.cond_stage_model.clip_l.transformer.get_input_embeddings()
        handle = words.register_forward_hook(start)
        try:
            context = host.encode([Prompt("a sticker of a cat")], {})
        finally:
            handle.remove()
        noise = torch.randn(1, 4, 8, 8, generator=generator)
        out = host.denoise(noise, torch.tensor([2.0]), context)
        return [grad.clone() for grad in torch.autograd.grad(out.square().sum(), [starts[0], context.cross])]


def quantised():
    """ComfyUI's own class, where this machine can make one."""
    from comfy.quant_ops import QuantizedTensor

    make = getattr(QuantizedTensor, "from_float", None)
    try:
        return make(torch.zeros(16, 16), "TensorCoreFP8Layout")
    except Exception:
        return None
