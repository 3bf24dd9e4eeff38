"""Models that cannot be trained on are refused, each with its remedy: `PYTHON inprocess_refused_models.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import make_model, refused, run

# isort: split


import comfy.model_management
import comfy.model_patcher
import comfy.sd
import torch
from loading_kit import VAE, clip_of_files, gradients, opened, quantised, streamed, with_lora
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from streamed import streaming


def check_what_cannot_be_copied_is_refused_in_one_sentence():
    with streaming():
        model, clip = streamed()
        model.cached_patcher_init = None
        with refused("^model: its loader.*own loader node.*--disable-dynamic-vram"):
            opened(model, clip)
        model, clip = streamed()
        clip.patcher.cached_patcher_init = None
        with refused("^clip: its loader.*--disable-dynamic-vram"):
            opened(model, clip)

        def gone(disable_dynamic=False):
            raise FileNotFoundError("model.safetensors")

        model, clip = streamed()
        model.cached_patcher_init = (gone, ())
        with refused("^model: its file.*model.safetensors"):
            opened(model, clip)
        model, clip = streamed()
        model.set_injections("bypass", [comfy.model_patcher.PatcherInjection(lambda m: None, lambda m: None)])
        with refused("^model: .*bypass.*Load LoRA"):
            opened(model, clip)
        model, clip = streamed()
        model.set_additional_models("other", [streamed()[0]])
        with refused("^model: .*streams"):
            opened(model, clip)


class Offloading(comfy.model_patcher.ModelPatcher):
    """As other packs': it keeps weights elsewhere, whatever is asked."""

    def load(self, device_to=None, lowvram_model_memory=0, force_patch_weights=False, full_load=False):
        super().load(device_to, 1, force_patch_weights, False)


def check_what_stays_streamed_is_refused():
    model, clip = with_lora(make_model(), clip_of_files())
    model.__class__ = Offloading
    with refused("^model: only a part of it was loaded"):
        gradients(model, clip)
    model, clip = with_lora(make_model(), clip_of_files())
    clip.patcher.__class__ = Offloading
    with refused("^clip: only a part of it was loaded"):
        gradients(model, clip)


def check_a_checkpoint_without_a_vae_is_told():
    empty = comfy.sd.VAE.__new__(comfy.sd.VAE)  # as ComfyUI's loader makes it
    for vae in (None, empty):
        with refused("^vae: there is none"):
            ComfyHost(make_model(), clip_of_files(), vae)


def check_novram_and_quantised_weights_are_refused_before_loading():
    manage = comfy.model_management
    model, clip = make_model(), clip_of_files()
    before, model.load_device = manage.vram_state, torch.device("meta")
    try:
        manage.vram_state = manage.VRAMState.NO_VRAM
        with refused("^model: .*--novram"):
            ComfyHost(model, clip, VAE)
        model.load_device = torch.device("cpu")
        ComfyHost(model, clip, VAE)  # on a CPU nothing is taken off
    finally:
        manage.vram_state = before

    class Packed(torch.Tensor):
        """As GGUF's: a class of its own."""

    for weight in (torch.zeros(8, 8).as_subclass(Packed), torch.zeros(8, 8, dtype=torch.uint8), quantised()):
        if weight is not None:
            for part in (make_model(), clip_of_files()):
                patcher = getattr(part, "patcher", part)
                layer = next(m for m in patcher.model.modules() if isinstance(m, torch.nn.Linear))
                layer.weight = torch.nn.Parameter(weight, requires_grad=False)
                parts = (part, clip) if part is patcher else (model, part)
                with refused("^(model|clip): its weights are quantised.*fp16"):
                    ComfyHost(*parts, VAE)


def check_tensors_that_a_patch_hides_are_told():
    hidden = torch.ones(1)  # an inference tensor: checks run as nodes do
    model = make_model()
    model.set_model_output_block_patch(lambda h, hsp, options: (h * hidden, hsp))
    with refused("^model: a patch on it keeps tensors.*without that patch"):
        gradients(model, clip_of_files())


run(globals())
