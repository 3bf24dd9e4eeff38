"""Foreign embedding files against ComfyUI's own reader: `PYTHON inprocess_embedding_files.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import XL, Log, concept, learned, make_clip, plain, refused, run

# isort: split

import os
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import comfy.sd1_clip
import folder_paths
import torch
from safetensors.torch import save_file
from seal_pack.nodes.comfy.folders import folder_of, spare_folders
from seal_pack.nodes.load_embedding import SEALLoadEmbedding
from seal_pack.seal_core.concept.concept_file import concept_bytes
from seal_pack.seal_core.messages import SealError

WIDTHS = {"clip_l": 768, "clip_h": 1024, "clip_g": 1280}
BASES = (("clip_l", "clip_g"), ("clip_l",), ("clip_h",))
KINDS = (torch.float32, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
CASES = 300


def cores(path):
    """What ComfyUI's own look-up finds: encoder -> (n, width), None where it is not of that width."""
    found = {}
    for encoder, width in WIDTHS.items():
        try:
            embedding = comfy.sd1_clip.load_embed(path.name, str(path.parent), width, encoder)
        except Exception:
            embedding = None  # it raises for anything but a tensor or a list of one kind
        if not isinstance(embedding, torch.Tensor) or embedding.ndim == 0 or embedding.shape[-1] != width:
            continue
        found[encoder] = embedding.float().reshape(-1, width)
    return found


def tensor(draw, width=None):
    width = width or draw.choice([768, 768, 1024, 1280, 1280, 4096, 64])
    shape = draw.choice([(width,), (1, width), (draw.randint(1, 5), width), (draw.randint(1, 3), 1, width)])
    return torch.randn(shape).to(draw.choice(KINDS))


def keyed(draw):
    pools = (
        ["clip_l", "clip_g"],
        ["clip_l", "t5xxl"],
        ["clip_l", "clip_g", "t5xxl"],
        ["clip_h"],
        ["clip_g"],
        ["t5xxl"],
    )
    pool = draw.choice(pools)
    widths = {**WIDTHS, "t5xxl": 4096}
    return {key: tensor(draw, widths[key]) for key in pool}


def bundled(draw):
    lora = {f"lora_unet_{i}.weight": torch.randn(draw.randint(1, 9), 8) for i in range(draw.randint(0, 3))}
    names = draw.sample(["a", "b", "cat.hat"], draw.randint(1, 2))
    ways = (["string_to_param.*"], ["clip_l"], ["clip_l", "clip_g"])
    suffixes = draw.choice(ways)
    return lora | {
        f"bundle_emb.{name}.{suffix}": torch.randn(draw.randint(1, 3), WIDTHS.get(suffix, 768))
        for name in names
        for suffix in suffixes
    }


def content(draw):
    """(ending, what is in the file)."""
    kind = draw.choice(["keyed", "any", "several", "bundled", "params", "dict", "list", "parameter_dict"])
    ending = draw.choice([".safetensors", ".pt", ".bin"])
    if kind == "keyed":
        return ending, keyed(draw)
    if kind == "any":
        return ending, {draw.choice(["emb_params", "<token>", "*", "weird key"]): tensor(draw)}
    if kind == "several":
        names = draw.sample(["emb_params", "a", "z", "clip_l", "clip_g", "0"], draw.randint(2, 4))
        return ending, {name: tensor(draw) for name in names}
    if kind == "bundled":
        return ending, bundled(draw)
    ending = draw.choice([".pt", ".bin"])
    if kind == "params":
        return ending, {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": tensor(draw), "+": tensor(draw)},
            "n": 1,
        }
    if kind == "dict":
        return ending, {"<token>": torch.nn.Parameter(torch.randn(draw.choice([768, 1024])))}
    if kind == "parameter_dict":
        # Core reads its bytes as they are and takes 3 x 1024 for 4 x 768; ours are the vectors that were saved.
        vectors = torch.randn(draw.choice([1, 2, 4]), draw.choice([768, 1024]))
        return ending, {"string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors)}), "x": 1}
    items = [{f"k{j}": tensor(draw) for j in range(draw.randint(1, 2))} for _ in range(draw.randint(1, 3))]
    return ending, [{key: value.half() for key, value in item.items()} for item in items]


def check_whatever_core_loads_is_loaded_with_the_same_vectors():
    folder, loaded = embeddings(), {}
    for case in range(CASES):
        draw = random.Random(case)
        torch.manual_seed(case)
        ending, inside = content(draw)
        path = folder / f"case-{case}{ending}"
        if ending == ".safetensors":
            save_file(inside, path)
        else:
            torch.save(inside, path)
        core = cores(path)
        base = next((base for base in BASES if all(encoder in core for encoder in base)), None)
        try:
            found = SEALLoadEmbedding.execute(path.name, "cat").result[0].concepts[0]
        except SealError as error:
            assert base is None, (case, inside.keys(), str(error))
            assert str(error).startswith(f"name: {path.name}"), error
            loaded["none"] = loaded.get("none", 0) + 1
            continue
        assert found.family.encoders == base, (case, found.family, core.keys())
        for encoder in base:
            assert torch.equal(found.vectors[encoder], core[encoder]), (case, encoder)
        loaded[found.family.name] = loaded.get(found.family.name, 0) + 1
        path.unlink()
    assert all(loaded[kind] >= 15 for kind in ("sd1", "sd2", "sdxl", "none")), loaded


def check_a_file_that_is_not_unpickled_is_read_as_stored_floats():
    folder = embeddings()
    torch.save({"string_to_param": {"*": torch.randn(3, 768)}, "x": os.getcwd}, folder / "code.pt")
    found = SEALLoadEmbedding.execute("code.pt", "cat").result[0].concepts[0]
    assert torch.equal(found.vectors["clip_l"], cores(folder / "code.pt")["clip_l"])


def check_sdxl_with_unequal_lengths_is_encoded_as_core_does():
    """clip_l with 2 vectors and clip_g with 3: each encoder reads its own, also where the prompt is cut in chunks."""
    folder = Path(tempfile.mkdtemp())
    clip = make_clip(folder, xl=True)
    x = concept(widths=XL)
    x = replace(x, vectors={"clip_l": torch.randn(2, 64), "clip_g": torch.randn(3, 80)}, file="x")
    save_file(dict(x.vectors), folder / "x.safetensors")
    for text in ("a sticker of <x>, happy", "<x>", "a (<x>:1.3) cat", "cat " * 71 + "<x>", "cat " * 73 + "<x> end"):
        core = plain(text.replace("<x>", "embedding:x"), clip)
        assert torch.equal(learned(text, x, clip=clip)[0][0], core[0][0]), text


def check_saved_bytes_are_read_by_core():
    folder = embeddings()
    (folder / "x.safetensors").write_bytes(concept_bytes(concept(widths=(("clip_l", 768),))))
    assert torch.equal(cores(folder / "x.safetensors")["clip_l"], concept(widths=(("clip_l", 768),)).vectors["clip_l"])


def check_embeddings_folder_that_is_a_file():
    folder = embeddings()
    shutil.rmtree(folder)
    folder.write_text("")
    with refused("^name: .*a file is where the folder should be"):
        folder_of("input")
    assert [place.is_dir() or not place.exists() for place in spare_folders()] == [True, True]


def check_a_pipe_among_the_embeddings():
    folder = embeddings()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.safetensors")
        with Log(), refused("name: pipe.safetensors: is not a file|name: 'pipe.safetensors' is not in"):
            SEALLoadEmbedding.execute("pipe.safetensors", "cat")


def embeddings():
    """A fresh folder in place of models/embeddings."""
    folder = Path(tempfile.mkdtemp()) / "embeddings"
    folder.mkdir()
    folder_paths.folder_names_and_paths["embeddings"][0][:] = [str(folder)]
    return folder


if __name__ == "__main__":
    run(globals())
