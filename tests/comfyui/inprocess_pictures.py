"""The nodes for pictures inside ComfyUI: what inputs carry, core's joined alpha, notes, Cancel, the generator."""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
from pathlib import Path

from checks import run
from inprocess_start import start

start(sys.argv[1])

import comfy.model_management  # noqa: E402
import comfy.utils  # noqa: E402
import folder_paths  # noqa: E402
import torch  # noqa: E402
from comfy_extras.nodes_compositing import JoinImageWithAlpha  # noqa: E402
from seal_pack.nodes.contact_sheet import SEALContactSheet  # noqa: E402
from seal_pack.nodes.save_sticker_pack import SEALSaveStickerPack  # noqa: E402
from seal_pack.nodes.semantic_mask import SemanticMask  # noqa: E402
from seal_pack.nodes.sticker_border import SEALStickerBorder  # noqa: E402
from seal_pack.nodes.sticker_cutout import SEALStickerCutout  # noqa: E402
from seal_pack.nodes.sticker_layout import SEALStickerLayout  # noqa: E402
from seal_pack.nodes.sticker_text import SEALStickerText  # noqa: E402
from seal_pack.seal_core.demo.sticker_files import BUILT_IN, built_in_sticker  # noqa: E402
from seal_pack.seal_core.messages import SealError  # noqa: E402

folder_paths.set_output_directory(tempfile.mkdtemp(prefix="seal-pictures-"))
NODES = (
    SemanticMask,
    SEALStickerCutout,
    SEALStickerBorder,
    SEALStickerLayout,
    SEALStickerText,
    SEALContactSheet,
    SEALSaveStickerPack,
)


def sticker(name: str = "orange cat, running on a beach") -> tuple[torch.Tensor, torch.Tensor]:
    made = built_in_sticker(name)
    return torch.from_numpy(made.image)[None].float() / 255, torch.from_numpy(made.mask)[None].float() / 255


def call(node, image, mask=None, **more):
    """A node's output with every other input at its default."""
    if node is SEALSaveStickerPack:
        node = node.PREPARE_CLASS_CLONE({"hidden_inputs": {}})
    schema = node.define_schema()
    given = {i.id: i.default for i in schema.inputs if getattr(i, "default", None) is not None}
    given |= {"images" if "images" in [i.id for i in schema.inputs] else "image": image, **more}
    if "mask" in [i.id for i in schema.inputs] and mask is not None:
        given["mask"] = mask
    given = {k: [v] if schema.is_input_list else v for k, v in given.items()}
    known = inspect.signature(node.execute).parameters
    return node.execute(**{k: v for k, v in given.items() if k in known})


def check_half_precision_everywhere() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        for node in NODES:
            image, mask = sticker()
            call(node, image.to(dtype), mask.to(dtype))


def check_masks_of_any_shape_and_size() -> None:
    image, mask = sticker()
    small = torch.nn.functional.interpolate(mask[None], (32, 32), mode="area")[0]
    for given in (mask[0], mask[None], mask[..., None], mask > 0.5, small):
        for node in NODES:
            out = call(node, image, given)
            said = out.ui["text"] if node is not SEALContactSheet else None
            resized = ["mask: resized from 32 x 32 to the image's 128 x 128."] if given is small else []
            assert said is None or said == resized, (node, said)


def check_core_s_joined_alpha() -> None:
    for name in BUILT_IN:
        image, mask = sticker(name)
        for joined, words in ((mask, 1), (1 - mask, 0)):
            rgba = JoinImageWithAlpha.execute(image, joined).result[0]
            for node, place in ((SemanticMask, 0), (SEALStickerCutout, 1)):
                out = call(node, rgba)
                found = out.result[place][0] if node is SEALStickerCutout else out.result[place]
                overlap = torch.minimum(found, mask).sum() / torch.maximum(found, mask).sum()
                assert overlap > 0.95 and len(out.ui["text"]) == words, (name, node, float(overlap), out.ui)
            pack = call(SEALSaveStickerPack, rgba, platform="plain")
            notes = [note for note in json.loads(pack.result[1])["notes"] if "turned round" in note]
            assert len(notes) == words and len(pack.ui["text"]) == words + 1


def check_not_a_number_is_refused() -> None:
    for node in NODES:
        image, mask = sticker()
        image[0, 5, 5] = torch.nan
        try:
            call(node, image, mask)
        except SealError as error:
            assert str(error).split(":")[0] in ("image", "images") and "NaN" in str(error)
        else:
            raise AssertionError(node)


def check_cancel_at_the_first_picture() -> None:
    image, mask = sticker()
    many = image.repeat(40, 1, 1, 1)
    for node in NODES:
        seen = []
        pressed = comfy.model_management.interrupt_current_processing
        real = comfy.utils.ProgressBar.update_absolute
        comfy.utils.ProgressBar.update_absolute = lambda self, value, *rest: (seen.append(value), pressed())  # noqa: B023
        try:
            call(node, many, mask)
        except comfy.model_management.InterruptProcessingException:
            assert len(seen) == 1, (node, seen)  # one progress report, Cancel, stopped at the next
        else:
            raise AssertionError(node)
        finally:
            comfy.utils.ProgressBar.update_absolute = real
            pressed(False)


def check_the_global_generator_stays() -> None:
    image, mask = sticker()
    before = torch.get_rng_state()
    for node in NODES:
        call(node, image, mask)
    call(SemanticMask, image, method="learned")
    assert torch.equal(torch.get_rng_state(), before)


if __name__ == "__main__":
    assert Path(folder_paths.get_output_directory()).is_dir()
    run(globals())
