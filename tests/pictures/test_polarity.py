"""A picture's own alpha the wrong way round: core's Join Image with Alpha makes alpha = 1 - mask."""

from __future__ import annotations

import glyphs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seal_core.demo.sticker_files import BUILT_IN, built_in_sticker
from seal_core.masks.methods import semantic_mask
from seal_core.messages import collected_notices
from seal_core.method.fit_references import fit_references
from seal_core.pictures.polarity import border_is_one, fix_inverted_alpha, foreground_from_mask
from seal_core.stickers.cutout import cut_all, cutout
from seal_core.stickers.layers import layers_of

TURNED = "image: its alpha showed the ground and hid the subject"
font = pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)


def sticker(name):
    """A built-in sticker: image (1, H, W, 3) and its mask (1, H, W), foreground = 1."""
    made = built_in_sticker(name)
    return tuple(torch.from_numpy(np.asarray(a, np.float32) / 255)[None] for a in (made.image, made.mask))


def join(image, mask):
    """What core's node makes of an IMAGE and a MASK."""
    return torch.cat([image, 1 - mask[..., None]], -1)


def turned(images):
    """Whether `fix_inverted_alpha` turns the alpha of pictures (B, H, W, 4) round, and what it tells."""
    with collected_notices() as told:
        made = fix_inverted_alpha(images)
    assert torch.equal(made[..., :3], images[..., :3])
    changed = not torch.equal(made, images)
    assert not changed or torch.equal(made[..., 3], 1 - images[..., 3])
    return changed, told


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("foreground", [True, False])
def test_built_in_stickers_joined_either_way(name, foreground):
    image, mask = sticker(name)
    joined = join(image, mask if foreground else 1 - mask)
    with collected_notices() as told:
        found = {
            "SemanticMask": semantic_mask(joined, method="alpha"),
            "SEALStickerCutout": cutout(joined)[1],
            "SEALStickerCutout, a list": cut_all([joined])[0][0][..., 3],
            "SEALStickerBorder, Layout, Text, packs": torch.from_numpy(layers_of(joined))[..., 3],
        }
    (reference,), notes = fit_references(joined, None, 128)
    found["training"] = reference.mask[None]
    for taker, one in found.items():
        assert glyphs.iou(one[0].numpy(), mask[0].numpy()) > 0.97, taker
    assert [words.startswith(TURNED) for words in told] == [True] * foreground
    assert sum(words.startswith(TURNED) for words in notes) == foreground


@font
def test_glyphs_joined_either_way():
    """Over four grounds, and cut to what they show, so that they touch the frame."""
    wrong = []
    for i, glyph in enumerate(glyphs.REPORTED):
        for ground in ("plain", "gradient", "patterned", "tight"):
            drawn = glyphs.render(glyph, 96)
            if ground == "tight":
                rows, columns = (np.flatnonzero((drawn[..., 3] > 0.1).any(axis)) for axis in (1, 0))
                drawn = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            image, alpha = (torch.from_numpy(a)[None] for a in glyphs.over(drawn, ground.replace("tight", "plain"), i))
            straight = torch.from_numpy(drawn)[None]
            wrong += [(glyph, ground, "right way") for one in (join(image, 1 - alpha), straight) if turned(one)[0]]
            if not turned(join(image, alpha))[0]:
                wrong.append((glyph, ground, "inverted"))
    assert not [case for case in wrong if case[2] == "right way"]
    assert len(wrong) <= 3, wrong  # of 228: headphones that touch the frame with both ends


def test_pictures_that_fill_the_frame_stay():
    image, _ = sticker(next(iter(BUILT_IN)))
    high, wide = image.shape[1:3]
    y, x = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
    corners = (torch.hypot((x - 63.5).abs() - 44, (y - 63.5).abs() - 44) > 20) & ((x - 63.5).abs() > 44)
    corners &= (y - 63.5).abs() > 44
    notch, hole = (x - 64).abs() + y < 30, torch.hypot(x - 40.0, y - 90.0) < 12
    cut = y > 100  # a picture cut by the frame at its foot and sides
    for hidden in (corners, notch, hole, cut, torch.zeros_like(notch), torch.ones_like(notch)):
        assert turned(torch.cat([image, 1 - hidden.float()[None, ..., None]], -1)) == (False, [])


@pytest.mark.parametrize("left", [0.0, 1.0, "around"])
def test_frames_stay_and_are_told(left):
    """A window in a frame hides nothing that anybody drew: black, white, or the frame's own colour goes on."""
    colour = torch.tensor([0.2, 0.5, 0.8])
    frame = torch.ones(1, 64, 64, 4)
    frame[..., :3] = colour
    frame[:, 14:50, 14:50, 3] = 0
    if left != "around":
        frame[:, 14:50, 14:50, :3] = left
    changed, told = turned(frame)
    assert not changed and [words.split(",")[0] for words in told] == [
        "image: its alpha shows the frame's border and hides the middle"
    ]


def test_a_batch_is_turned_as_one():
    """Of an animation some frame may not tell: one whose subject fills it."""
    names = list(BUILT_IN)[:2]
    image, mask = (torch.cat(parts) for parts in zip(*map(sticker, names)))
    image, mask = torch.cat([image, image[:1]]), torch.cat([mask, torch.ones_like(mask[:1])])
    mask[2, :30] = 0
    joined = join(image, mask)
    assert not turned(joined[2:])[0]
    changed, told = turned(joined)
    assert changed and len(told) == 1


# ------------------------------------------------------------------ any mask, any picture

SIDES = st.integers(3, 24)
soft = st.floats(0, 1, width=32)


@st.composite
def masks(draw):
    """(H, W) float32 in [0, 1]: noise of few values, or a box, or all of one value."""
    shape = draw(st.tuples(SIDES, SIDES))
    return torch.from_numpy(draw(hnp.arrays(np.float32, shape, elements=soft, fill=soft)))


@settings(deadline=None)
@given(masks())
def test_auto_gives_one_foreground_for_both_polarities(mask):
    found = foreground_from_mask(mask)
    assert torch.equal(found, mask) or torch.equal(found, 1 - mask)
    assert torch.equal(foreground_from_mask(mask, "foreground"), mask)
    assert torch.equal(foreground_from_mask(mask, "background"), 1 - mask)
    hard = (mask > 0.5).float()
    if border_is_one(hard) != border_is_one(1 - hard):  # a perfect tie has no right side
        assert torch.equal(foreground_from_mask(hard), foreground_from_mask(1 - hard))


@settings(deadline=None)
@given(masks())
def test_a_border_of_one_value_decides_alone(mask):
    for border in (0.0, 1.0):
        framed = torch.nn.functional.pad(mask, [1] * 4, value=border)
        assert border_is_one(framed) == bool(border)
        assert foreground_from_mask(framed)[0, 0] == 0


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 3), SIDES, SIDES, st.just(4)), elements=soft, fill=soft))
def test_alpha_is_turned_round_whole_or_left(images):
    images = torch.from_numpy(images)
    changed, told = turned(images)
    assert (TURNED in " ".join(told)) == changed or bool((images[..., 3] == 0.5).all())


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.tuples(SIDES, SIDES, st.just(3)), elements=soft, fill=soft), st.integers(0, 1000))
def test_a_clear_border_is_never_turned_round(rgb, seed):
    alpha = torch.from_numpy(np.random.default_rng(seed).random(rgb.shape[:2], np.float32))
    alpha[[0, -1]], alpha[:, [0, -1]] = 0, 0
    assert turned(torch.cat([torch.from_numpy(rgb), alpha[..., None]], -1)[None]) == (False, [])
