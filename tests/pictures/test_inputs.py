"""Whatever an IMAGE or MASK input carries, every node and command takes it alike, or refuses it by the input's name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seal_core.masks.methods import semantic_mask
from seal_core.messages import SealError, SealWarning, collected_notices
from seal_core.method.fit_references import fit_references
from seal_core.motion.moving_stickers import MotionSettings, moving_stickers
from seal_core.pictures.inputs import images_of, masks_for
from seal_core.stickers.border import add_border
from seal_core.stickers.canvas import rgba8
from seal_core.stickers.caption import Caption, add_caption
from seal_core.stickers.contact_sheet import contact_sheet
from seal_core.stickers.cutout import cut_all, cutout
from seal_core.stickers.layers import layers_of
from seal_core.stickers.layout import lay_out

HIGH, WIDE = 40, 56
STILL = MotionSettings("wobble", frames=4)
TAKERS = {
    "SemanticMask": lambda image, mask: semantic_mask(image, mask),
    "SEALStickerCutout, one batch": lambda image, mask: cutout(image, mask)[0],
    "SEALStickerCutout": lambda image, mask: cut_all([image], () if mask is None else [mask])[0][0],
    "SEALStickerBorder": lambda image, mask: add_border(image, mask)[0],
    "SEALStickerLayout": lambda image, mask: lay_out(image, mask, "custom", width=64, height=64)[0],
    "SEALStickerText": lambda image, mask: add_caption(image, mask, Caption("Hi", size=50, height=80))[0],
    "SEALSaveStickerPack": lambda image, mask: torch.from_numpy(rgba8(layers_of(image, mask))).float() / 255,
    "SEALStickerMotion": lambda image, mask: shown(
        moving_stickers([image], () if mask is None else [mask], STILL)[0].images
    ),
    "SEALContactSheet": lambda image, mask: contact_sheet([image], cell=64),
    "SEALTrainEmbedding": lambda image, mask: torch.stack([r.image for r in fit_references(image, mask, 64)[0]]),
}
takers = pytest.mark.parametrize("taker", TAKERS)


def disc(count=2):
    """(count, HIGH, WIDE): a subject with a soft edge, foreground = 1; exact in half precision."""
    y, x = torch.meshgrid(torch.arange(HIGH), torch.arange(WIDE), indexing="ij")
    soft = torch.stack([(12.5 + i - torch.hypot(y - 19.5, x - 27.5)).clamp(0, 1) for i in range(count)])
    return (soft * 4).round() / 4


def picture(count=2):
    """(count, HIGH, WIDE, 3): that subject on a ground."""
    front, back = torch.tensor([0.875, 0.25, 0.125]), torch.tensor([0.5, 0.75, 0.9375])
    mask = disc(count)[..., None]
    return mask * front + (1 - mask) * back


def shown(frames):
    """RGBA by how much each pixel shows: a faint one's colour is hardly told by bytes."""
    return frames * frames[..., 3:]


def apart(one, other):
    return float((one.float() - other.float()).abs().max())


IMAGES = {
    "float16": lambda image: image.half(),
    "bfloat16": lambda image: image.bfloat16(),
    "float64": lambda image: image.double(),
    "bytes": lambda image: (image * 255).round().to(torch.uint8),
    "opaque": lambda image: torch.cat([image, torch.ones_like(image[..., :1])], -1),
    "not contiguous": lambda image: image.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1),
}


@takers
@pytest.mark.parametrize("kind", IMAGES)
def test_images_of_any_type(taker, kind):
    if kind == "opaque" and taker in ("SEALStickerBorder", "SEALStickerCutout", "SEALStickerCutout, one batch"):
        mask = disc()
    else:
        mask = disc() if taker != "SemanticMask" else None
    given = IMAGES[kind](picture())
    assert apart(TAKERS[taker](given, mask), TAKERS[taker](picture(), mask)) < (0.05 if kind == "bytes" else 0.02)


@takers
def test_one_picture_and_grey_ones(taker):
    one = TAKERS[taker](picture(1)[0], disc(1))
    assert apart(one, TAKERS[taker](picture(1), disc(1))) == 0
    grey = picture().mean(-1, keepdim=True)
    assert apart(TAKERS[taker](grey, disc()), TAKERS[taker](grey.expand(-1, -1, -1, 3), disc())) == 0


MASKS = {
    "(B, H, W)": lambda mask: mask,
    "(B, 1, H, W)": lambda mask: mask[:, None],
    "(B, H, W, 1)": lambda mask: mask[..., None],
    "float16": lambda mask: mask.half(),
    "bfloat16": lambda mask: mask.bfloat16(),
    "bytes": lambda mask: (mask * 255).round().to(torch.uint8),
}
masked = pytest.mark.parametrize("taker", [name for name in TAKERS if name != "SEALContactSheet"])


@masked
@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_any_shape_and_type(taker, kind):
    whole = TAKERS[taker](picture(), disc())
    assert apart(TAKERS[taker](picture(), MASKS[kind](disc())), whole) < 0.02


@masked
@pytest.mark.parametrize("kind", ["(H, W)", "(1, H, W)", "(1, 1, H, W)", "(1, H, W, 1)"])
def test_one_mask_for_a_batch(taker, kind):
    one = disc(1)
    given = {"(H, W)": one[0], "(1, H, W)": one, "(1, 1, H, W)": one[None], "(1, H, W, 1)": one[..., None]}[kind]
    assert apart(TAKERS[taker](picture(), given), TAKERS[taker](picture(), one.repeat(2, 1, 1))) == 0


@masked
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_masks_of_yes_and_no(taker, dtype):
    hard = disc() > 0.5
    assert apart(TAKERS[taker](picture(), hard.to(dtype)), TAKERS[taker](picture(), hard.float())) == 0


@masked
def test_a_mask_of_another_size_is_resized_and_told(taker):
    small = torch.nn.functional.interpolate(disc()[:, None], (HIGH // 2, WIDE // 2), mode="area")[:, 0]
    with collected_notices() as told:
        made = TAKERS[taker](picture(), small)
    assert apart(made, TAKERS[taker](picture(), masks_for(small, 2, HIGH, WIDE, lambda words: None))) == 0
    words = fit_references(picture(), small, 64)[1] if taker == "SEALTrainEmbedding" else told
    assert words == ["mask: resized from 28 x 20 to the image's 56 x 40."]


@takers
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_no_numbers_are_refused(taker, value):
    image, mask = picture(), disc()
    image[1, 3, 4, 1] = value
    with pytest.raises(SealError, match=r"^images?: has values that are not numbers \(NaN or infinite\); check"):
        TAKERS[taker](image, disc())
    if taker != "SEALContactSheet":
        mask[0, 5, 5] = value
        with pytest.raises(SealError, match=r"^mask: has values that are not numbers"):
            TAKERS[taker](picture(), mask)


NO_IMAGES = [
    *(torch.rand(shape) for shape in ((2, 8, 8, 0), (2, 8, 8, 2), (2, 8, 8, 5), (8, 8), (1, 2, 8, 8, 3))),
    *(torch.rand(shape) for shape in ((0, 8, 8, 3), (1, 0, 8, 3), (1, 8, 0, 4))),
    torch.zeros(1, 8, 8, 3, dtype=torch.complex64), [[0.5]], None,
]  # fmt: skip
NO_MASKS = [
    *(torch.rand(shape) for shape in ((0, HIGH, WIDE), (2, 0, WIDE), (2, 2, HIGH, WIDE), (2, HIGH, WIDE, 3), (WIDE,))),
    torch.rand(3, HIGH, WIDE), torch.zeros(2, HIGH, WIDE, dtype=torch.complex64), "mask",
]  # fmt: skip


@takers
def test_what_is_no_picture_is_refused(taker):
    for bad in NO_IMAGES:
        with pytest.raises(SealError, match=r"^images?: .*; .*"):
            TAKERS[taker](bad, None if bad is None else disc())
    for bad in NO_MASKS if taker != "SEALContactSheet" else ():
        with pytest.raises(SealError, match=r"^mask: .*; .*"):
            TAKERS[taker](picture(), bad)


def test_values_and_scales():
    assert images_of(torch.tensor([[[0, 128, 255]]], dtype=torch.uint8))[0, 0, 0].tolist() == pytest.approx(
        [0, 128 / 255, 1]
    )
    assert float(images_of(torch.ones(1, 1, 1, 3, dtype=torch.uint8)).max()) == pytest.approx(1 / 255)
    assert images_of(torch.tensor([[[0, 257, 65535]]]))[0, 0, 0].tolist() == pytest.approx([0, 1 / 255, 1])
    with pytest.warns(SealWarning, match=r"image: values outside 0\.\.1 were clipped"):
        assert images_of(torch.tensor([[[-0.5, 0.5, 2]]]))[0, 0, 0].tolist() == [0, 0.5, 1]
    assert masks_for(torch.ones(1, 1, 5, 1), 1, 5, 1).shape == (1, 5, 1)
    assert masks_for(torch.ones(1, 5, 1, 1), 1, 5, 1).shape == (1, 5, 1)


def test_the_stand_in_for_a_mask_is_no_news():
    """LoadImage gives an empty mask of 64 x 64 beside a picture without alpha."""
    with collected_notices() as told:
        found = semantic_mask(picture(), torch.zeros(1, 64, 64))
    assert told == [] and found.shape == (2, HIGH, WIDE)


def test_notes_of_others_go_on():
    import warnings

    with warnings.catch_warnings(record=True) as caught, collected_notices() as told:
        warnings.simplefilter("always")
        warnings.warn("not ours", DeprecationWarning, stacklevel=1)
    assert told == [] and [str(w.message) for w in caught] == ["not ours"]


def test_notes_of_others_go_on_after_an_error_too():
    import warnings

    with warnings.catch_warnings(record=True) as caught, pytest.raises(SealError), collected_notices():
        warnings.simplefilter("always")
        warnings.warn("not ours", DeprecationWarning, stacklevel=1)
        raise SealError("image: bad; give another.")
    assert [str(w.message) for w in caught] == ["not ours"]


@takers
def test_cancel_stops_after_a_picture(taker):
    class Cancelled(BaseException):
        pass

    done = []

    def cancel(count, total):
        done.append((count, total))
        raise Cancelled

    calls = {
        "SemanticMask": lambda: semantic_mask(picture(), progress=cancel),
        "SEALStickerCutout": lambda: cut_all([picture()], progress=cancel),
        "SEALStickerCutout, one batch": lambda: cutout(picture(), progress=cancel),
        "SEALStickerBorder": lambda: add_border(picture(), disc(), progress=cancel),
        "SEALStickerLayout": lambda: lay_out(picture(), disc(), progress=cancel),
        "SEALStickerText": lambda: add_caption(picture(), None, Caption("Hi", size=50, height=80), progress=cancel),
        "SEALContactSheet": lambda: contact_sheet([picture(1), picture(1)], progress=cancel),
    }
    if taker in calls:
        with pytest.raises(Cancelled):
            calls[taker]()
        assert done == [(1, 2)]


def test_bytes_round_to_the_nearest():
    layer = np.float32([[[[0, 0.5, 1, 0.2]]]])
    assert rgba8(layer)[0, 0, 0].tolist() == [0, 128, 255, 51]
