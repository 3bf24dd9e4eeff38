"""What the pack does where a ComfyUI lacks a private member: `PYTHON inprocess_private_members.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, MODEL, Log, refused, run

# isort: split

import asyncio
import contextlib
import importlib
import inspect
from pathlib import Path

import comfy.clip_model
import comfy.model_patcher
import comfy.sd
import seal_pack
import torch
from seal_pack.nodes.comfy.attention_masks import attention_method
from seal_pack.nodes.comfy.member_lookup import missing
from seal_pack.nodes.comfy.private_members import MEMBERS, Member

TRAIN, WITHOUT = "SEALTrainEmbedding", ("SemanticMask", "StickerAttributePrompt", "SEALLoadEmbedding")
SHOWN = {
    TRAIN: "SEAL Train Embedding",
    "SEALTextEncode": "SEAL Text Encode",
    "SEALApplyEmbedding": "SEAL Apply Embedding",
}


def ids():
    return {node.GET_SCHEMA().node_id for node in asyncio.run(seal_pack.SealExtension().get_node_list())}


@contextlib.contextmanager
def without(owner, name):
    kept = owner.__dict__[name]
    delattr(owner, name)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def check_every_member_is_there():
    assert not [m.path for area in MEMBERS.values() for m in missing(area)]
    with Log() as log:
        assert len(ids()) > 15
    assert not log.lines, log.lines


def check_a_missing_member_switches_off_what_needs_it_and_nothing_else():
    everything = ids()
    for owner, name, gone in (
        (comfy.clip_model, "CLIPLayer", {TRAIN}),
        (comfy.model_patcher.ModelPatcher, "add_wrapper_with_key", {"SEALTextEncode", "SEALApplyEmbedding"}),
    ):
        with Log() as log, without(owner, name):
            left = ids()
        assert gone <= everything - left and left.issuperset(WITHOUT), everything - left
        assert len(log.lines) == 1 and name in log.lines[0] and "0." in log.lines[0], log.lines
        assert all(SHOWN[node] in log.lines[0] for node in gone), log.lines
    assert ids() == everything


def check_a_mask_by_attention_says_what_is_missing():
    find = attention_method("attention", MODEL, CLIP, object(), "cat")
    with without(comfy.clip_model, "CLIPLayer"), refused("^model: this ComfyUI has no comfy.clip_model.CLIPLayer"):
        find(torch.rand(64, 64, 3))


def check_whatever_a_module_raises_the_others_stay():
    """Even without the pack's own sources, from which the nodes' names are read."""
    everything, load, read = ids(), importlib.import_module, Path.read_text

    def broken(name, package=None):
        if name == "..demo_model":
            raise RuntimeError("no such thing")
        return load(name, package)

    def unreadable(self, *given, **named):
        raise FileNotFoundError(self)

    for Path.read_text, told in ((read, "SEAL Demo Model"), (unreadable, "demo_model")):
        importlib.import_module = broken
        try:
            with Log() as log:
                left = ids()
        finally:
            importlib.import_module, Path.read_text = load, read
        assert everything - left == {"SEALDemoModel"}, everything - left
        assert len(log.lines) == 1 and told in log.lines[0] and "no such thing" in log.lines[0], log.lines


def check_arguments_and_attributes_of_instances_are_looked_at():
    assert missing([Member("comfy.model_management.load_models_gpu", "", takes=("no_such",))])
    unet = "comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel.forward"
    assert missing([Member(unet, "", takes=("context", "timesteps"))])  # wrappers get them by place
    assert not missing([Member(unet, "", takes=("timesteps", "context"))])
    assert missing([Member("comfy.sd.CLIP:no_such", "")]) and not missing(
        [Member("comfy.sd.CLIP:cond_stage_model", "")]
    )
    assert missing([Member("comfy.no_such.thing", ""), Member("no_such", "")])


def check_attributes_are_looked_for_without_reading_sources():
    """Parsing ComfyUI's files would take seconds at every start, and an installation may lack them."""
    kept = inspect.getsource
    inspect.getsource = None
    try:
        everything = [m for area in MEMBERS.values() for m in area]
        assert not missing(everything)
        lost = [Member(f"{m.path}_no_such", "") for m in everything if ":" in m.path]
        assert len(lost) > 30 and missing(lost) == lost
    finally:
        inspect.getsource = kept


if __name__ == "__main__":
    run(globals())
