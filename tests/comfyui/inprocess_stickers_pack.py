"""Cut-outs and packs inside ComfyUI, executed as its executor does: hidden inputs, lists, masks, Cancel."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from checks import run
from inprocess_start import start

OUTPUT = Path(tempfile.mkdtemp(prefix="seal-packs-"))
start(sys.argv[1])

import comfy.model_management  # noqa: E402
import comfy.utils  # noqa: E402
import execution  # noqa: E402
import folder_paths  # noqa: E402
import torch  # noqa: E402
from comfy_api.latest import io  # noqa: E402
from PIL import Image  # noqa: E402
from seal_pack.nodes import load_stickers  # noqa: E402
from seal_pack.nodes.comfy import fonts, node_ui  # noqa: E402
from seal_pack.nodes.contact_sheet import SEALContactSheet  # noqa: E402
from seal_pack.nodes.save_sticker_pack import SEALSaveStickerPack  # noqa: E402
from seal_pack.nodes.sticker_cutout import SEALStickerCutout  # noqa: E402
from seal_pack.nodes.sticker_motion import SEALStickerMotion  # noqa: E402
from seal_pack.nodes.sticker_text import SEALStickerText  # noqa: E402
from seal_pack.seal_core.messages import SealError  # noqa: E402
from seal_pack.seal_core.stickers.font import BUNDLED  # noqa: E402
from seal_pack.seal_core.stickers.pack import apng  # noqa: E402

folder_paths.set_output_directory(str(OUTPUT))
PROMPT, WORKFLOW = {"1": {"class_type": "LoadImage"}}, {"workflow": {"nodes": []}}
FIXED = {
    "platform": ["signal"], "animated": [False], "fps": [10.0], "title": ["A Cat"], "author": ["Me"], "emoji": ["😀"],
    "name": [""], "format": ["auto"], "embed_workflow": [True],
}  # fmt: skip


def discs(count: int, size: int = 96) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    frames = []
    for i in range(count):
        inside = ((x - 40 - 3 * i) ** 2 + (y - 48) ** 2 < 900).float()
        frames.append(torch.stack([inside, inside * 0.5, inside * 0.1, inside], -1))
    return torch.stack(frames)


def save(**inputs) -> io.NodeOutput:
    return execute(SEALSaveStickerPack, {**FIXED, **inputs})


def cut(**inputs) -> io.NodeOutput:
    fixed = {"method": ["border"], "keep": ["main"], "specks": [0.5], "grow": [0], "feather": [0.0]}
    return execute(SEALStickerCutout, {**fixed, "decontaminate": [True], **inputs})


def execute(node: type[io.ComfyNode], inputs: dict[str, list]) -> io.NodeOutput:
    """One execution by ComfyUI's own function, on the locked class that it makes."""
    hidden = {io.Hidden.prompt: PROMPT, io.Hidden.extra_pnginfo: WORKFLOW}
    data = {"hidden_inputs": hidden}

    async def run():
        return await execution._async_map_node_over_list(
            "prompt", "1", node, inputs, "EXECUTE_NORMALIZED", v3_data=data
        )

    results = asyncio.run(run())
    assert len(results) == 1, "a list input must not run the node once per item"
    return results[0]


def check_static_batch_with_workflow() -> None:
    made = save(images=[discs(2), discs(1, 200)], names=["a", "b", "c"])
    folder, report = Path(made.result[0]), json.loads(made.result[1])
    assert folder == OUTPUT / "stickers" / "A_Cat-signal" and [s["name"] for s in report["stickers"]] == ["a", "b", "c"]
    shown = made.ui["images"]
    assert [Path(OUTPUT, s["subfolder"], s["filename"]).is_file() for s in shown] == [True] * 3
    (said,) = made.ui["text"]
    assert said.startswith(f"3 stickers for Signal: {folder}\n") and "Signal Desktop" in said
    exif = Image.open(folder / report["stickers"][0]["file"]).getexif()
    assert exif[0x010F] == "workflow:" + json.dumps(WORKFLOW["workflow"]) and exif[0x0110] == "prompt:" + json.dumps(
        PROMPT
    )


def check_again_is_a_new_folder_and_no_workflow_if_off() -> None:
    made = save(images=[discs(1)], embed_workflow=[False])
    folder = Path(made.result[0])
    assert folder.name == "A_Cat-signal-2"
    assert not Image.open(next(folder.glob("01*.webp"))).getexif()


def check_animated_lists_are_one_sticker_each() -> None:
    made = save(images=[discs(5), discs(4)], animated=[True], emoji=["😀\n😢"])
    report = json.loads(made.result[1])
    assert [s["frames"] for s in report["stickers"]] == [5, 4]
    assert [s["emoji"] for s in report["stickers"]] == [
        ["😀"],
        ["😢"],
    ]
    assert made.ui["animated"] == (True,)
    first, *others = made.ui["images"]
    assert (first["type"], [each["type"] for each in others]) == ("temp", ["output"] * 2)
    with Image.open(Path(folder_paths.get_temp_directory(), first["filename"])) as preview:
        assert preview.format == "WEBP" and preview.n_frames > 2


def check_the_bar_moves_while_one_sticker_is_encoded() -> None:
    moves: list[float] = []
    before, node_ui._PAUSE = node_ui._PAUSE, 0.0
    comfy.utils.set_progress_bar_global_hook(lambda value, total, *_, **more: moves.append(value / total))
    try:
        save(images=[discs(5), discs(4)], animated=[True])
    finally:
        node_ui._PAUSE = before
        comfy.utils.set_progress_bar_global_hook(None)
    assert moves == sorted(moves) and moves[-1] == 1.0
    assert [move for move in moves if 0 < move < 0.5] and [move for move in moves if 0.5 < move < 1]


def check_stickers_that_move_become_a_pack() -> None:
    fixed = {"motion": ["bounce"], "strength": [1.0], "frames": [8], "fps": [0.0], "overlay": ["hearts"]}
    moving = execute(SEALStickerMotion, {**fixed, "shadow": [0.35], "image": [discs(2), discs(1)]})
    frames, masks, fps = moving.result
    assert [tuple(f.shape) for f in frames] == [(8, 96, 96, 4)] * 3 and len(masks) == 3 and fps == [10.0] * 3
    (shown,) = moving.ui["images"]
    assert moving.ui["animated"] == (True,) and shown["type"] == "temp"
    with Image.open(Path(folder_paths.get_temp_directory(), shown["filename"])) as preview:
        assert preview.n_frames == 8
    made = save(images=frames, animated=[True], fps=fps, platform=["telegram"], title=["Moving"])
    report = json.loads(made.result[1])
    assert [(s["format"], s["seconds"]) for s in report["stickers"]] == [("webm", 0.8)] * 3


def check_each_animation_may_have_a_rate_of_its_own() -> None:
    report = json.loads(save(images=[discs(5), discs(4)], animated=[True], fps=[10.0, 4.0]).result[1])
    assert [s["seconds"] for s in report["stickers"]] == [0.5, 1.0]


def check_gifs_of_a_folder_become_a_pack() -> None:
    folder = Path(folder_paths.get_input_directory(), "seal-gifs")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, count in (("two", 2), ("three", 3)):
            frames = [Image.fromarray((f.numpy() * 255).astype("uint8")) for f in discs(count)]
            frames[0].save(folder / f"{name}.gif", save_all=True, append_images=frames[1:], duration=200, disposal=2)
        assert "input/seal-gifs" in load_stickers.picture_folders()
        asked = {"folder": ["input/seal-gifs"], "files": ["*.gif"], "kind": ["animated"], "fps": [12.0]}
        images, names, rates = execute(load_stickers.SEALLoadStickers, asked).result
        assert names == ["three", "two"] and rates == [5.0, 5.0] and images[0].shape == (3, 96, 96, 4)
        assert load_stickers.SEALLoadStickers.fingerprint_inputs(folder="input/seal-gifs")
        report = json.loads(save(images=images, names=names, fps=rates, animated=[True]).result[1])
        assert [(s["name"], s["frames"]) for s in report["stickers"]] == [("three", 3), ("two", 2)]
        for name in ("input/..", "input/../output", "/etc", "input\\..", "models", "input/none"):
            assert str(load_stickers.SEALLoadStickers.validate_inputs(folder=name)).startswith("folder: ")
    finally:
        shutil.rmtree(folder)


def check_a_font_that_is_not_listed_is_accepted_or_refused_in_a_sentence() -> None:
    inputs = SEALStickerText.INPUT_TYPES()["required"]
    assert inputs["font"][1]["options"][:2] == ["automatic", "bundled"] and inputs["font"][0] == "COMBO"
    assert inputs["fill"][0] == ("COLOR" if hasattr(io, "Color") else "STRING")
    for value in ("", "automatic", "bundled", None):
        assert SEALStickerText.validate_inputs(font=value) is True
    assert str(SEALStickerText.validate_inputs(font="a.ttf; b.ttf")).startswith("font: there is no 'a.ttf'")
    assert SEALContactSheet.validate_inputs(font=["automatic"]) is True


def check_webm_with_comfyuis_av() -> None:
    made = save(images=[discs(6)], animated=[True], platform=["telegram"])
    assert (Path(made.result[0]) / "01.webm").stat().st_size > 500


def check_masks() -> None:
    rgb = discs(2)[..., :3]
    made = save(images=[rgb], mask=[discs(1)[..., 3]], format=["png"])
    picture = Image.open(next(Path(made.result[0]).glob("01*.png"))).convert("RGBA")
    assert picture.getpixel((2, 2))[3] == 0 and picture.getpixel((200, 256))[3] == 255


def check_emoji_by_the_sweeps_labels() -> None:
    labels = ["happy, waving", "sad, waving", "in love, waving"]
    made = save(images=[discs(3)], names=labels, emoji=["happy = 😀\nsad = 😢\nwaving = 👋"])
    assert [s["emoji"] for s in json.loads(made.result[1])["stickers"]] == [["😀"], ["😢"], ["👋"]]


def check_cutting_out_a_list() -> None:
    grounds = [torch.full((1, 96, 96, 3), 0.8), torch.full((2, 64, 64, 3), 0.2)]
    pictures = [g * (1 - d[..., 3:]) + d[..., :3] * d[..., 3:] for g, d in zip(grounds, (discs(1), discs(2, 64)))]
    images, masks, report, sure = cut(image=pictures).result
    assert [i.shape for i in images] == [(1, 96, 96, 4), (2, 64, 64, 4)] and 0 < sure <= 1
    assert report.splitlines()[0] == "3 of 3 pictures cut out" and "pictures 2, 3: the subject runs out" in report
    assert [torch.equal(i[..., 3], m) for i, m in zip(images, masks)] == [True, True]
    pictures[1][1] = 0.2
    images, _, report, _ = cut(image=pictures, if_not_found=["keep the picture"]).result
    assert "picture 3 kept whole" in report and len(images) == 2
    try:
        cut(image=pictures)
    except SealError as error:
        assert str(error).startswith("image: 1 of 3 pictures could not be cut out. Picture 3: image: the border")
    else:
        raise AssertionError("not refused")


def check_errors_name_the_input() -> None:
    for inputs, begins in (
        ({"images": [discs(1)], "animated": [True]}, "images: batch 1 has one picture"),
        ({"images": [discs(2)], "names": ["a\nb\nc"]}, "names: 3 for 2"),
        ({"images": [discs(2)], "names": ["a/b", "c"]}, "names: 'a/b'"),
        ({"images": [discs(2)], "mask": [discs(3)[..., 3]]}, "mask: 3 masks for 2 images"),
        ({"images": [discs(1) * 0]}, "images: sticker 1: the picture is fully transparent"),
        ({"images": [discs(1)], "emoji": [":)"]}, "emoji: ':)' is not an emoji"),
        ({"images": [discs(1)[:0]]}, "images: needs the shape"),
        ({"images": [discs(1)], "name": ["../up"]}, "name: '../up'"),
    ):
        try:
            save(**inputs)
        except SealError as error:
            assert str(error).startswith(begins), (str(error), begins)
        else:
            raise AssertionError(begins)


def check_cancel_leaves_nothing() -> None:
    before = sorted(OUTPUT.rglob("*"))
    comfy.model_management.interrupt_current_processing()
    try:
        save(images=[discs(3)])
        cancelled = False
    except comfy.model_management.InterruptProcessingException:
        cancelled = True
    finally:
        comfy.model_management.interrupt_current_processing(False)
    assert cancelled
    assert sorted(OUTPUT.rglob("*")) == before


def check_cancel_stops_within_an_encoding() -> None:
    """Cancel while the only sticker is encoded: no second frame, no second try."""
    before, calls, real = sorted(OUTPUT.rglob("*")), [], apng.quantise

    def pressed(*given):
        calls.append(1)
        comfy.model_management.interrupt_current_processing()
        return real(*given)

    apng.quantise = pressed
    try:
        save(images=[torch.rand(8, 128, 128, 3)], animated=[True])
        cancelled = False
    except comfy.model_management.InterruptProcessingException:
        cancelled = True
    finally:
        comfy.model_management.interrupt_current_processing(False)
        apng.quantise = real
    assert cancelled and len(calls) == 1
    assert sorted(OUTPUT.rglob("*")) == before


def check_half_a_pair_is_refused_by_its_inputs_name() -> None:
    for inputs, name in (
        ({"title": ["a\ud800"]}, "title"),
        ({"emoji": ["\udc00"]}, "emoji"),
        ({"names": ["\ud800"]}, "names"),
    ):
        try:
            save(images=[discs(1)], **inputs)
        except SealError as error:
            assert str(error).startswith(f"{name}: ") and "is no valid text" in str(error) and str(error).encode()
        else:
            raise AssertionError(name)


def check_fonts_come_from_comfyuis_folders() -> None:
    text = {"text": "Hi", "place": "bottom", "size": 16.0, "width": 90.0, "height": 40.0, "align": "centre"}
    text |= {"fill": "#fff", "stroke": 0.0, "stroke_colour": "#000"}
    assert Path(folder_paths.models_dir, "fonts") in fonts.font_folders()
    for name, says in (
        ("/etc/hostname", "is a path"),
        (str(BUNDLED), "is a path"),
        ("none.ttf", "there is no 'none.ttf'"),
    ):
        told = SEALStickerText.fingerprint_inputs(font=name)
        try:
            SEALStickerText.execute(image=discs(1), font=name, **text)
        except SealError as error:
            assert says in str(error) and str(error) == told, (str(error), told)
        else:
            raise AssertionError(name)


def check_models_fonts_is_looked_in_whoever_has_registered_fonts() -> None:
    """ComfyUI 0.38 and several packs have "fonts" elsewhere."""
    ours, theirs = Path(folder_paths.models_dir, "fonts"), OUTPUT / "fonts"
    before = dict(folder_paths.folder_names_and_paths)
    try:
        for registered in ([str(theirs)], [str(theirs), str(ours)]):
            folder_paths.folder_names_and_paths["fonts"] = (registered, {".ttf"})
            assert fonts.font_folders() == [ours, theirs, Path(folder_paths.get_input_directory())]
    finally:
        folder_paths.folder_names_and_paths.clear()
        folder_paths.folder_names_and_paths.update(before)


if __name__ == "__main__":
    run(globals())
