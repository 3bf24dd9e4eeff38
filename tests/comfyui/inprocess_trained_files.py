"""Trained files: when one is reused, and what needs no new training: `PYTHON inprocess_trained_files.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import FOLDER, MODEL, concept, refused, run

# isort: split

import errno
from pathlib import Path

import folder_paths
import torch
from inprocess_train import ONE, train
from seal_pack.nodes.comfy import training_run
from seal_pack.seal_core.concept.concept import Embedding
from seal_pack.seal_core.files import whole_file


def check_same_settings_reuse_another_name_does_not():
    _, first, report = train(tokens=ONE, name="one")
    _, again, known = train(tokens=ONE, name="one")
    _, other, fresh = train(tokens=ONE, name="two")
    assert first == again == "embedding:one" and "reused" not in report and known["reused"] == "one.safetensors"
    assert other == "embedding:two" and "reused" not in fresh and fresh["losses"] == report["losses"]


def check_another_start_to_resume_from_is_another_training():
    for seed in (1, 2):  # third-party files of one name but of other content
        start = Embedding((concept(seed=seed, word="dog"),))
        learned, _, report = train(resume=start, name="resumed", class_word="")
        assert "reused" not in report, seed
        assert learned.class_word == "dog", learned.class_word


def check_patches_of_the_model_are_part_of_the_hash():
    def louder(h, hsp, options):
        return h * 2, hsp

    patched = MODEL.clone()
    patched.set_model_output_block_patch(louder)
    _, _, plain = train(name="patched")
    _, _, report = train(model=patched, name="patched")
    assert "reused" not in report and report["losses"] != plain["losses"]
    assert report["pool"]["bytes"] == 0 < plain["pool"]["bytes"], "nothing is replayed through another pack's patch"
    _, _, report = train(model=patched.clone(), name="patched")
    assert report["reused"] == "patched-2.safetensors", report.get("reused")


def check_a_damaged_file_is_trained_anew_and_said():
    """A flipped byte, an edit or a cut: a warning names the file, it stays, and a new one is used from then on."""
    trained, _, _ = train(name="hurt")
    file = FOLDER / "hurt.safetensors"
    whole = file.read_bytes()
    edited = whole.replace(b"before", b"behind")
    assert edited != whole
    for broken in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-8], edited):
        file.write_bytes(broken)
        again, _, report = train(name="hurt")
        assert torch.equal(again.vectors["clip_l"], trained.vectors["clip_l"]) and "reused" not in report
        assert any("hurt.safetensors was damaged or edited" in line for line in report["warnings"]), report["warnings"]
        assert Path(report["file"]).name == "hurt-2.safetensors" and again.file == "hurt-2"
        assert (FOLDER / "hurt-2.safetensors").read_bytes() == whole and file.read_bytes() == broken
        assert train(name="hurt")[2]["reused"] == "hurt-2.safetensors"
        (FOLDER / "hurt-2.safetensors").unlink()
    (FOLDER / "hurt-2.safetensors").write_bytes(edited)  # is found before the valid one
    assert "reused" not in train(name="hurt")[2]
    report = train(name="hurt")[2]
    assert report["reused"] == "hurt-3.safetensors" and "hurt-2" in report["warnings"][0]
    assert not any("anew" in line for line in report["warnings"]), report["warnings"]


def check_a_file_that_comes_during_the_training_is_left_alone():
    kept = training_run.save_concept

    def late(*arguments):
        (FOLDER / "late.safetensors").write_bytes(b"somebody's")
        return kept(*arguments)

    training_run.save_concept = late
    try:
        learned, name, report = train(name="late")
    finally:
        training_run.save_concept = kept
    assert (FOLDER / "late.safetensors").read_bytes() == b"somebody's"
    assert (learned.file, name) == ("late-2", "embedding:late-2")
    assert any("late is taken" in line and "saved as late-2" in line for line in report["warnings"])


def check_a_disk_that_fills_costs_no_training():
    """A full disk is an error before the training; if it fills later, the concept goes to ComfyUI's output folder."""
    output = FOLDER / "output"
    folder_paths.set_output_directory(str(output))
    kept, save, trained = whole_file._hidden, training_run.save_concept, training_run.train

    def hidden(folder, name, data):
        if folder == FOLDER:
            raise OSError(errno.ENOSPC, "No space left on device")
        return kept(folder, name, data)

    def late(*arguments):
        whole_file._hidden = hidden
        return save(*arguments)

    try:
        training_run.save_concept = late
        with refused(r"^name: .*no free disk space.*kept as .*output.full\.safetensors: move it to"):
            train(name="full")
        training_run.train = None
        with refused(r"^name: .*cannot be written to: no free disk space; free some"):
            train(name="full")
    finally:
        whole_file._hidden, training_run.save_concept, training_run.train = kept, save, trained
    (output / "full.safetensors").rename(FOLDER / "full.safetensors")
    assert train(name="full")[2]["reused"] == "full.safetensors"


if __name__ == "__main__":
    run(globals())
