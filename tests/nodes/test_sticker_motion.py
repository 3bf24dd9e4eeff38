"""SEALStickerMotion on stand-ins: lists in, lists out, a moving preview, and the pack that follows."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from stand_ins import loaded_pack
from standing import standing

GIVEN = {"motion": ["wobble"], "strength": [1.0], "frames": [8], "fps": [0.0], "overlay": ["none"], "shadow": [0.35]}


class Bar:
    """ComfyUI's progress bar, as far as the node uses it."""

    def __init__(self, total: int) -> None:
        self.total = total

    def update_absolute(self, value: int, total: int) -> None:
        assert 0 < value <= total


@pytest.fixture
def pack(tmp_path: Path) -> Iterator[ModuleType]:
    with loaded_pack() as pack:
        sys.modules["folder_paths"].get_temp_directory = lambda: str(tmp_path / "temp")  # type: ignore[attr-defined]
        moving = importlib.import_module(f"{pack.__name__}.nodes.comfy.moving_ui")
        moving.ui = SimpleNamespace(
            SavedResult=lambda file, folder, kind: {"filename": file, "subfolder": folder, "type": kind},
            SavedImages=lambda shown, is_animated: SimpleNamespace(
                as_dict=lambda: {"images": shown, "animated": (is_animated,)}
            ),
        )
        importlib.import_module("comfy.utils").ProgressBar = Bar  # type: ignore[attr-defined]
        moving.io = SimpleNamespace(FolderType=SimpleNamespace(temp="temp"))
        yield pack


def run(pack: ModuleType, **given: Any) -> Any:
    node = importlib.import_module(f"{pack.__name__}.nodes.sticker_motion").SEALStickerMotion
    return node.execute(**{"image": [standing(96, 96, 16)], **GIVEN, **given})


def test_a_list_gives_a_batch_and_a_rate_for_each_sticker(pack: ModuleType) -> None:
    frames, masks, fps = run(pack, image=[standing(96, 96, 16), standing(64, 80, 12)]).result
    assert [tuple(one.shape) for one in frames] == [(8, 96, 96, 4), (8, 80, 64, 4)]
    assert all(torch.equal(mask, one[..., 3]) for mask, one in zip(masks, frames)) and fps == [8.0, 8.0]
    assert len(run(pack, image=[standing(96, 96, 16)] * 3, motion=["poses"]).result[0]) == 1
    batches = [standing(96, 96, 16).repeat(count, 1, 1, 1) for count in (2, 4)]
    assert run(pack, image=batches, motion=["poses"]).result[2] == pytest.approx([8 / 1.2, 8 / 2.4])


def test_the_preview_moves_on_the_node_frame_by_frame(pack: ModuleType, tmp_path: Path) -> None:
    shown = run(pack).ui
    (picture,) = shown["images"]
    assert shown["animated"] == (True,) and (picture["subfolder"], picture["type"]) == ("", "temp")
    with Image.open(io.BytesIO((tmp_path / "temp" / picture["filename"]).read_bytes())) as preview:
        preview.load()
        assert (preview.format, preview.n_frames, preview.info["duration"]) == ("WEBP", 8, 125)


def test_no_preview_costs_no_result(pack: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "temp").write_text("a file is where the folder should be")
    made = run(pack)
    assert made.result[0][0].shape == (8, 96, 96, 4) and "images" not in made.ui


def test_notices_stand_on_the_node(pack: ModuleType) -> None:
    assert run(pack).ui["text"] == []
    (said,) = run(pack, image=[standing(96, 96, 16)[:, :70]]).ui["text"]
    assert said.startswith("image: the picture is cut off at the bottom")


def test_what_is_true_of_several_pictures_is_said_once(pack: ModuleType) -> None:
    messages = importlib.import_module(f"{pack.__name__}.seal_core.messages")
    with importlib.import_module(f"{pack.__name__}.nodes.comfy.node_ui").notes_on_node() as shown:
        for notice in ("picture 1: cut flat.", "picture 2: pale.", "mask: empty.", "picture 12: cut flat."):
            messages.notify_user(notice)
    assert shown["text"] == ["pictures 1, 12: cut flat.", "picture 2: pale.", "mask: empty."]


def test_a_wired_number_that_is_none_is_refused(pack: ModuleType) -> None:
    error = importlib.import_module(f"{pack.__name__}.seal_core.messages").SealError
    for given, said in (({"frames": [7.5]}, "frames: 7.5 is no whole number"), ({"image": []}, "image: an empty list")):
        with pytest.raises(error, match=said):
            run(pack, **given)
