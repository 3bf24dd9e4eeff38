"""ComfyUI's classes at a small width with random weights, for scripts run as `PYTHON inprocess_x.py COMFY_DIR`.

Imported first by such a script: puts ComfyUI on the path, loads the pack as `seal_pack`, makes one
SD 1.x MODEL and CLIP. `run` executes a script's check_... functions.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import sys
import tempfile
from pathlib import Path

from checks import run  # noqa: F401 (for the scripts)

FOLDER = Path(tempfile.mkdtemp(prefix="seal-inprocess-"))  # stands in for models/embeddings
_PACK = Path(__file__).resolve().parents[2]
sys.path[:0] = [os.path.abspath(sys.argv[1]), str(_PACK / "tests" / "support")]
sys.argv = [sys.argv[0], "--cpu", "--disable-all-custom-nodes"]

import launch  # noqa: E402

launch.prepare()

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import comfy.model_management  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.sd1_clip  # noqa: E402
import comfy.sdxl_clip  # noqa: E402
import comfy.supported_models  # noqa: E402
import torch  # noqa: E402


def _load_pack():
    where = [str(_PACK)]
    spec = importlib.util.spec_from_file_location("seal_pack", _PACK / "__init__.py", submodule_search_locations=where)
    sys.modules["seal_pack"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["seal_pack"])


_load_pack()
from seal_pack.nodes.apply_embedding import SEALApplyEmbedding  # noqa: E402
from seal_pack.nodes.comfy import unet_sites  # noqa: E402
from seal_pack.nodes.text_encode import SEALTextEncode  # noqa: E402
from seal_pack.seal_core.concept.concept import Concept, Embedding  # noqa: E402
from seal_pack.seal_core.concept.concept_file import save_concept  # noqa: E402
from seal_pack.seal_core.concept.settings import Layers  # noqa: E402
from seal_pack.seal_core.hosts.base import Family  # noqa: E402
from seal_pack.seal_core.messages import SealError  # noqa: E402

torch.set_num_threads(1)
UNET = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 32, "num_res_blocks": [1, 1, 1],
    "channel_mult": [1, 2, 2], "transformer_depth": [1, 1, 0], "transformer_depth_output": [1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1, "num_heads": 4, "num_head_channels": -1, "use_spatial_transformer": True,
    "context_dim": 64, "legacy": False, "use_checkpoint": False,
}  # fmt: skip
CLIP_L = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 3}
CLIP_G = {**CLIP_L, "hidden_size": 80, "intermediate_size": 160}
UP = Layers("up.2, up.3")
NEVER = Layers("all", 0.5, 0.51)  # between the noise levels that 2 steps visit: no site ever lets the token in
SITES = ("down.0", "down.1", "mid.0", "up.0", "up.1", "up.2", "up.3")
XL = (("clip_l", 64), ("clip_g", 80))
TEXT = "a sticker of <x>, happy"


def randomise(module, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, p in module.named_parameters():
        one = ("norm" in name or ".in_layers.0." in name or ".out_layers.0." in name) and name.endswith("weight")
        p.data = (
            torch.ones(p.shape)
            if one
            else torch.randn(p.shape, generator=generator) * (0.02 if p.ndim < 2 else 1.0 / max(p[0].numel(), 1) ** 0.5)
        )
        p.requires_grad_(False)


def make_model(xl=False, dtype=torch.float32):
    config = {**UNET, "context_dim": 144, "num_classes": "sequential", "adm_in_channels": 80 + 6 * 256} if xl else UNET
    kind = comfy.supported_models.SDXL if xl else comfy.supported_models.SD15
    supported = kind({**config})
    supported.unet_config = {**config, "dtype": dtype}
    supported.manual_cast_dtype = None
    model = supported.get_model({}, device=torch.device("cpu"))
    randomise(model.diffusion_model, 1)
    model.diffusion_model.to(dtype)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def make_clip(folder, xl=False):
    class Target:
        params = {}  # noqa: RUF012
        clip = comfy.sdxl_clip.SDXLClipModel if xl else comfy.sd1_clip.SD1ClipModel
        tokenizer = comfy.sdxl_clip.SDXLTokenizer if xl else comfy.sd1_clip.SD1Tokenizer

    options = {"clip_l_model_config": CLIP_L, "clip_g_model_config": CLIP_G, "dtype": torch.float32}
    clip = comfy.sd.CLIP(Target, embedding_directory=[str(folder)], model_options=options)
    randomise(clip.cond_stage_model, 2)
    return clip


def concept(name="<x>", word="cat", layers=UP, count=2, seed=5, widths=(("clip_l", 64),), **changes):
    generator = torch.Generator().manual_seed(seed)
    vectors = {n: torch.randn(count, w, generator=generator) * 0.5 for n, w in widths}
    if changes.get("carrier") == "tail":
        vectors = {"tail": torch.randn(5, sum(w for _, w in widths), generator=generator)}
    family = Family("sdxl" if len(widths) > 1 else "sd1", widths)
    return Concept(name, word, vectors, family, layers=layers, file=name.strip("<>"), **changes)


save_concept(concept(), FOLDER, "x")
MODEL, CLIP = make_model(), make_clip(FOLDER)
NEGATIVE = CLIP.encode_from_tokens_scheduled(CLIP.tokenize("bad, ugly"))


def plain(text, clip=CLIP):
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def learned(text, *concepts, clip=CLIP, strength=1.0):
    return SEALTextEncode.execute(clip, text, Embedding(concepts), strength).result[0]


def apply(model=None):
    return SEALApplyEmbedding.execute(model or MODEL).result[0]


def sample(model, positive, negative=NEGATIVE, batch=1, cfg=4.0, steps=2, size=(8, 8), seed=0, sampler="euler"):
    latent = torch.zeros(batch, 4, *size)
    noise = comfy.sample.prepare_noise(latent, seed)
    return comfy.sample.sample(
        model, noise, steps, cfg, sampler, "normal", positive, negative, latent, disable_pbar=True, seed=seed
    )


class Recorder:
    """What every site read in every pass: site -> list of (rows, tokens, width); sigmas of the passes."""

    def __init__(self, model=None):
        self.unet = (model or MODEL).model.diffusion_model
        self.contexts = {}

    def __enter__(self):
        def keep(name):
            def hook(module, args):
                self.contexts.setdefault(name, []).append(args[0].clone())

            return hook

        self.handles = [s.module.to_k.register_forward_pre_hook(keep(s.name)) for s in unet_sites.unet_sites(self.unet)]
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def read(contexts, wanted, rows=slice(None)):
    """Whether a recorded context's rows are all `wanted`, repeated along the tokens where ComfyUI does so."""
    chosen = contexts[rows]
    return all(torch.equal(row, wanted[0].repeat(row.shape[0] // wanted.shape[1], 1)) for row in chosen)


class Log(logging.Handler):
    """Lines that are logged meanwhile, from a level on."""

    def __init__(self, level=logging.WARNING):
        super().__init__(level)

    def __enter__(self):
        self.lines, root = [], logging.getLogger()
        self.before = root.level
        root.setLevel(min(root.level, self.level))
        root.addHandler(self)
        return self

    def __exit__(self, *_):
        logging.getLogger().removeHandler(self)
        logging.getLogger().setLevel(self.before)

    def emit(self, record):
        self.lines.append(record.getMessage())


@contextlib.contextmanager
def cancelled():
    """Cancel is pressed; what runs here must end with ComfyUI's exception for it."""
    comfy.model_management.interrupt_current_processing(True)
    try:
        yield
    except comfy.model_management.InterruptProcessingException:
        return
    finally:
        comfy.model_management.interrupt_current_processing(False)
    raise AssertionError("not cancelled")


class refused:
    def __init__(self, pattern):
        self.pattern = pattern

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert kind is not None, f"nothing refused ({self.pattern})"
        assert issubclass(kind, SealError) and re.search(self.pattern, str(error)), error
        return True
