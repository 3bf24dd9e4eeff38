"""The host and a training run on ComfyUI's own classes: `PYTHON inprocess_train.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, FOLDER, MODEL, Recorder, make_clip, make_model, randomise, refused, run

# isort: split

import copy
import json
from pathlib import Path

import comfy.model_management
import comfy.sd
import folder_paths
import torch
from seal_pack.nodes.comfy import live_panel, training_run
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.comfy.folders import folder_of
from seal_pack.nodes.comfy.text_encoders import ComfyText
from seal_pack.nodes.split_merge_tokenizer import SplitMergeTokenizer
from seal_pack.nodes.train_embedding import SEALTrainEmbedding
from seal_pack.seal_core.concept.concept import Embedding
from seal_pack.seal_core.concept.settings import Layers
from seal_pack.seal_core.hosts.base import Prompt
from seal_pack.seal_core.method.configure import TokenChoices
from seal_pack.seal_core.method.presets import PRESETS

folder_paths.folder_names_and_paths["embeddings"] = ([str(FOLDER)], {".safetensors"})
folder_paths.models_dir = str(FOLDER / "models")  # where tails go
folder_paths.set_temp_directory(str(FOLDER / "temp"))
ONE = TokenChoices(split=1, merge="mean", init="class_word_noise")
"""Quick to train: one vector, no search for words."""


def make_vae(channels=4):
    shape = {"ch": 32, "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0}
    shape |= {"in_channels": 3, "out_ch": 3, "resolution": 64, "z_channels": channels, "double_z": True}
    vae = comfy.sd.VAE(sd={}, config={"params": {"ddconfig": shape, "embed_dim": channels}}, dtype=torch.float32)
    randomise(vae.first_stage_model, 3)
    return vae


VAE = make_vae()


def sticker(height=64, width=64):
    image, mask = torch.full((1, height, width, 3), 0.2), torch.zeros(1, height, width)
    mask[:, height // 4 : -height // 4, width // 4 : -width // 4] = 1
    image[mask > 0] = 0.8
    return image, mask


def train(model=MODEL, clip=CLIP, vae=VAE, **settings):
    image, mask = sticker()
    given = {"preset": "best", "steps": 2, "learning_rate": 0.0, "batch_size": 0, "resolution": 64, "seed": 0}
    given |= {"name": "cat", "class_word": "cat", "concept": "", "image": image, "mask": mask, **settings}
    embedding, name, _, _, report = SEALTrainEmbedding.execute(model, clip, vae, **given).result
    return embedding.concepts[0], name, json.loads(report)


def files():
    return sorted(p.name for p in FOLDER.glob("*.safetensors"))


def state(*roots):
    """Whatever a training could leave on models: flags, hooks, replaced forwards, dtypes."""
    found = []
    for root in roots:
        for name, module in root.named_modules():
            own = sorted(k for k in vars(module) if k == "forward" or k.startswith("forward_comfy"))
            hooks = [*module._forward_hooks, *module._forward_pre_hooks, *module._backward_hooks]
            weights = [(k, p.requires_grad, p.dtype, p.grad is None) for k, p in module.named_parameters(recurse=False)]
            found.append((name, own, len(hooks), weights))
    return found


def check_concept_and_class_word():
    learned, _, report = train(tokens=ONE, name="wired", concept="<sticker>", class_word="dog")
    assert (learned.name, learned.class_word, learned.tokens.split) == ("<sticker>", "dog", 1)
    assert report["preset"] == "best" and report["changed"] == {
        "steps": 2, "resolution": 64, "tokens.split": 1, "tokens.merge": "mean", "tokens.init": "class_word_noise"
    }, report["changed"]  # fmt: skip
    learned, _, _ = train(tokens=ONE, name="unnamed")
    assert (learned.name, learned.class_word) == ("<unnamed>", "cat")
    for named, word in (("concept", "cat"), ("class_word", " "), ("class_word", "\u2028")):
        before = files()
        with refused(f"{named}: "):
            train(tokens=ONE, name="refused", **{named: word})
        assert files() == before


def check_a_full_temp_folder_costs_only_the_picture_on_the_node():
    """The concept is already saved: all outputs arrive, with a warning."""
    temp = folder_paths.get_temp_directory()
    blocked = FOLDER / "blocked"
    blocked.write_bytes(b"a file where a folder should be made")
    folder_paths.set_temp_directory(str(blocked))
    try:
        image, mask = sticker()
        given = {"preset": "best", "steps": 2, "learning_rate": 0.0, "batch_size": 0, "resolution": 64, "seed": 0}
        given |= {"name": "no-room", "class_word": "cat", "concept": "", "image": image, "mask": mask, "tokens": ONE}
        out = SEALTrainEmbedding.execute(MODEL, CLIP, VAE, **given)
    finally:
        folder_paths.set_temp_directory(temp)
    embedding, name, plot, attention, report = out.result
    assert name == "embedding:no-room" and "no-room.safetensors" in files() and len(embedding.concepts) == 1
    assert plot.shape[-1] == attention.shape[-1] == 3
    said = [line for line in json.loads(report)["warnings"] if line.startswith("attention_map: is not shown here")]
    assert len(said) == 1 and out.ui["text"][1:] == said and "images" not in out.ui


def check_untouched_tokens_change_nothing():
    """Wired with its defaults, the node gives the same hash and bytes as when left out, for every preset."""
    untouched = {i.id: i.default for i in SplitMergeTokenizer.define_schema().inputs}
    tokens = SplitMergeTokenizer.execute(**untouched).result[0]
    for preset in ("best", "paper", "textual_inversion", "hiper"):
        folder = folder_of(PRESETS[preset].carrier)
        name = f"untouched-{preset}"
        _, _, report = train(preset=preset, name=name)
        assert "reused" not in report and report["changed"] == {"steps": 2, "resolution": 64}, report["changed"]
        file = folder / f"{name}.safetensors"
        content = file.read_bytes()
        _, _, report = train(preset=preset, name=name, tokens=tokens)
        assert report["reused"] == file.name and report["changed"] == {"steps": 2, "resolution": 64}
        file.unlink()
        _, _, report = train(preset=preset, name=name, tokens=tokens)
        assert "reused" not in report and file.read_bytes() == content, preset


def check_a_preview_that_cannot_be_drawn_costs_no_training():
    _, name, report = train(preview_prompt="{} " + "very " * 90, preview_every=1, name="preview")
    assert name == "embedding:preview" and any("preview_prompt" in w for w in report["warnings"])


def check_preview_changes_nothing_and_takes_any_resolution():
    alone, _, _ = train(name="alone", resolution=70, steps=3, tokens=ONE)
    seen, _, report = train(
        name="seen", resolution=70, steps=3, tokens=ONE, preview_prompt="a {} sleeping", preview_every=1
    )
    assert not report["warnings"], report["warnings"]
    assert all(torch.equal(alone.vectors[k], seen.vectors[k]) for k in alone.vectors)


def check_a_stopped_training_is_kept_but_never_taken_for_the_whole():
    watch = training_run.Watcher

    def stopped(*args):
        inner = watch(*args)

        def step(progress):
            if progress.step == 2:
                args[-1].stop.set()  # as the panel's button does
            inner(progress)

        return step

    before = SEALTrainEmbedding.fingerprint_inputs(name="stopped")
    training_run.Watcher = stopped
    try:
        part, name, report = train(name="stopped", steps=4, tokens=ONE)
    finally:
        training_run.Watcher = watch
    assert name == "embedding:stopped" and report["stopped"] == 2 and len(report["losses"]) == 2
    assert any(w.startswith("steps: stopped after 2 of 4") for w in report["warnings"])
    assert SEALTrainEmbedding.fingerprint_inputs(name="stopped") != before, "else ComfyUI's cache would answer"
    whole, name, report = train(name="stopped", steps=4, tokens=ONE)
    assert name == "embedding:stopped-2" and len(report["losses"]) == 4 and "reused" not in report
    assert not torch.equal(whole.vectors["clip_l"], part.vectors["clip_l"])
    _, name, report = train(name="stopped", steps=4, tokens=ONE)
    assert report["reused"] == "stopped-2.safetensors", "the whole one is used again, not the stopped one"
    on, _, report = train(name="gone-on", steps=2, tokens=ONE, resume=Embedding((part,)))
    assert len(report["losses"]) == 2 and not torch.equal(on.vectors["clip_l"], part.vectors["clip_l"])


def check_buttons_reach_only_the_training_they_belong_to():
    with live_panel.live_panel(4) as panel:
        mine = {"prompt_id": panel.prompt_id, "node": panel.node}
        for wrong in (None, [], {}, {**mine, "do": "rm"}, {**mine, "do": 1}, {"do": "stop"}):
            assert live_panel.pressed(wrong) is None, wrong
        for other in ({"prompt_id": "x"}, {"node": "x"}):
            assert live_panel.pressed({**mine, **other, "do": "stop"}) is False
        assert not panel.stop.is_set() and not panel.shown.is_set()
        assert live_panel.pressed({**mine, "do": "show"}) and panel.shown.is_set() and not panel.stop.is_set()
        assert live_panel.pressed({**mine, "do": "stop"}) and panel.stop.is_set()
    assert live_panel.pressed({**mine, "do": "stop"}) is False, "it is over"


def check_positions_next_to_an_embedding_from_a_file():
    with torch.inference_mode(False), ComfyHost(MODEL, CLIP, VAE) as host:
        width = host.family.widths[0][1]
        vectors = {"concept": {"clip_l": torch.zeros(3, width)}}
        got = host.encode([Prompt("a embedding:x {concept} here")], vectors).positions[0]
    assert got == {"concept": (4, 5, 6)}, got  # start, a, the two vectors of x


def check_forwards_that_others_replaced_stay():
    layer = CLIP.cond_stage_model.clip_l.transformer.text_model.encoder.layers[0]
    mine = layer.forward
    layer.forward = mine
    try:
        with torch.inference_mode(False), ComfyHost(MODEL, CLIP, VAE):
            assert layer.forward is not mine
        assert vars(layer).get("forward") is mine
    finally:
        del layer.forward


def check_wrong_parts_are_refused_by_name():
    with refused("^vae: "):
        train(vae=make_vae(channels=8), name="wrong")
    with refused("^clip: "):
        train(clip=make_clip(FOLDER, xl=True), name="wrong")
    with refused("^clip: "):
        train(clip=None, name="wrong")
    with refused("^clip: "):
        ComfyText(None)
    assert "wrong.safetensors" not in files()


def check_models_are_as_before_after_success_cancel_and_out_of_memory():
    models = (MODEL.model, CLIP.cond_stage_model, VAE.first_stage_model)
    train(name="warm-up")  # from here on weights are normal tensors
    before, known = state(*models), files()
    options = copy.deepcopy(MODEL.model_options)
    watch = training_run.Watcher

    def failing(error):
        def watcher(*args):
            inner = watch(*args)

            def step(progress):
                inner(progress)
                if progress.step == 2:
                    raise error

            return step

        return watcher

    cancel = comfy.model_management.InterruptProcessingException()
    for error in (None, cancel, torch.OutOfMemoryError("no memory"), ValueError("broken")):
        try:
            training_run.Watcher = failing(error) if error else watch
            train(name="left", steps=4, preset="paper", run_id=1)
        except BaseException as raised:
            assert raised is error, raised
        finally:
            training_run.Watcher = watch
        assert state(*models) == before, error
        assert MODEL.model_options == options and MODEL.model.current_patcher is None
        assert files() == (known if error else sorted([*known, "left.safetensors"]))
        (FOLDER / "left.safetensors").unlink(missing_ok=True)
        part = CLIP.cond_stage_model.clip_l
        assert part.execution_device is None and part.layer == part.options_default[0]
    assert not list(Path(FOLDER).glob(".*"))


def check_two_text_encoders_take_the_class_words_pooled_vector():
    model, clip = make_model(xl=True), make_clip(FOLDER, xl=True)
    with Recorder(model) as seen:
        learned, name, report = train(
            model, clip, layers=Layers("up.2, up.3", 0.2, 0.8), preset="paper", batch_size=2, name="xl", steps=6
        )
    assert set(learned.vectors) == {"clip_l", "clip_g"} and name == "embedding:xl" and seen.contexts
    assert report["pool"]["bytes"] > 0


if __name__ == "__main__":
    run(globals())
