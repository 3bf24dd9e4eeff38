"""The shortest proof that the pack works on a ComfyUI: `PYTHON inprocess_smoke.py COMFY_DIR [part of a check's name]`.

tests/nodes/test_smoke.py runs it with every ComfyUI's interpreter; prints a line per check and exits with 1 if one
fails. Nodes run with their schemas' defaults, so a new input needs no change here.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import FOLDER, MODEL, TEXT, apply, concept, learned, plain, run, sample

# isort: split

import asyncio
import json
import sys
from pathlib import Path

import folder_paths
import torch

folder_paths.folder_names_and_paths["embeddings"] = ([str(FOLDER)], {".safetensors"})
folder_paths.set_output_directory(str(FOLDER / "output"))
folder_paths.set_temp_directory(str(FOLDER / "temp"))

PACK = sys.modules["seal_pack"]
NODES = {node.GET_SCHEMA().node_id: node for node in asyncio.run(asyncio.run(PACK.comfy_entrypoint()).get_node_list())}


def execute(node_id, /, **given):
    """A node's outputs, called as ComfyUI's executor does; missing inputs get the schema's defaults."""
    node, hidden = NODES[node_id], {"hidden_inputs": {}}
    values = {i.id: i.default for i in node.GET_SCHEMA().inputs if getattr(i, "default", None) is not None}
    if node.GET_SCHEMA().is_input_list:
        values = {key: [value] for key, value in values.items()}
    return node.PREPARE_CLASS_CLONE(hidden).EXECUTE_NORMALIZED(**{**values, **given}).result


def check_nodes():
    helped = {path.stem for path in (Path(PACK.__file__).parent / "js/docs").glob("*.md")}
    assert set(NODES) == helped, set(NODES) ^ helped
    told = {}
    for name, node in NODES.items():
        assert node.GET_NODE_INFO_V1()["display_name"] != name, name
        told[name] = [[i.id, i.get_io_type(), bool(i.optional)] for i in node.GET_SCHEMA().inputs]
    print("schemas", json.dumps(told), flush=True)


def check_training():
    model, clip, vae, image, mask, *_ = execute("SEALDemoModel")
    given = {"image": image, "mask": mask, "steps": 2, "resolution": 64, "name": "smoke", "class_word": "cat"}
    embedding, name, _, _, report = execute("SEALTrainEmbedding", model=model, clip=clip, vae=vae, **given)
    assert name == "embedding:smoke" and (FOLDER / "smoke.safetensors").is_file()
    assert len(json.loads(report)["losses"]) > 0
    found = execute("SEALLoadEmbedding", name="smoke.safetensors")[0].concepts[0]
    for encoder, vectors in embedding.concepts[0].vectors.items():
        assert vectors.isfinite().all() and torch.equal(found.vectors[encoder].float(), vectors.float()), encoder


def check_encode():
    text, word = learned(TEXT, concept()), plain(TEXT.replace("<x>", "cat"))
    core = plain(TEXT.replace("<x>", "embedding:x"))
    assert torch.equal(text[0][0], core[0][0]) and not torch.equal(text[0][0], word[0][0])
    pictures = [sample(model, cond) for model, cond in ((MODEL, text), (MODEL, core), (apply(), text))]
    assert all(picture.isfinite().all() for picture in pictures)
    assert torch.equal(pictures[0], pictures[1]), "on a model that nobody patched it is core's own embedding"
    assert not torch.equal(pictures[0], pictures[2]), "on a patched one only some sites see it"


def check_pack():
    y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    disc = ((x - 48) ** 2 + (y - 48) ** 2 < 900).float()
    picture = torch.stack([disc * 0.9, disc * 0.4, disc * 0.1, disc], -1)[None]
    folder, report = execute("SEALSaveStickerPack", images=[picture], title=["Smoke"], platform=["signal"])
    (made,) = json.loads(report)["stickers"]
    assert (Path(folder) / made["file"]).stat().st_size > 100


run(globals())
