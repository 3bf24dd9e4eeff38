"""Masks: polarity, the border flood on real stickers (Noto glyphs) and drawings, shaping, bad input."""

from __future__ import annotations

import warnings

import glyphs
import numpy as np
import pytest
import torch
from scipy import ndimage

from seal_core.masks import methods
from seal_core.masks.doubts import doubts
from seal_core.masks.grow_and_feather import feather_mask, grow_mask
from seal_core.masks.holes import without_doubtful_holes
from seal_core.masks.methods import FoundSubject, semantic_mask
from seal_core.masks.plain_ground import PlainGround, flood_mask, plain_ground
from seal_core.masks.preview import mask_overlay
from seal_core.messages import SealError, SealWarning
from seal_core.pictures.polarity import coverage, foreground_from_mask

font = pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)


def disc(height=64, width=64, radius=20.0, centre=None):
    cy, cx = centre or ((height - 1) / 2, (width - 1) / 2)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    return torch.from_numpy((radius + 0.5 - np.hypot(y - cy, x - cx)).clip(0, 1).astype(np.float32))


def paint(mask, front=(0.9, 0.3, 0.1), back=(0.8, 0.85, 0.9)):
    m = mask[..., None]
    return m * torch.tensor(front) + (1 - m) * torch.tensor(back)


def border_mask(image):
    return semantic_mask(image[None], method="border")[0]


# -- polarity --------------------------------------------------------------------------------------


def test_polarity_auto_takes_the_frame_for_background():
    m = disc()
    assert torch.equal(foreground_from_mask(m), m)
    assert torch.allclose(foreground_from_mask(1 - m), m)
    assert torch.equal(foreground_from_mask(m, "foreground"), m)
    assert torch.allclose(foreground_from_mask(m, "background"), 1 - m)


def test_polarity_of_a_subject_cut_by_the_frame():
    half = torch.zeros(40, 40)
    half[20:] = 1
    half[:, :4] = 0  # stands on the lower edge, just under half of the frame
    assert torch.equal(foreground_from_mask(half), half)
    assert torch.equal(foreground_from_mask(1 - half), half)


def test_polarity_ties_go_to_the_corners():
    m = torch.zeros(42, 42)
    m[10:32, :] = 1  # a band from side to side
    m[:, 11:31] = 1  # and one from top to bottom: about half the frame, no corner
    border = torch.cat([m[0], m[-1], m[1:-1, 0], m[1:-1, -1]]).mean()
    assert abs(border - 0.5) < 0.05
    assert torch.equal(foreground_from_mask(m), m)
    assert torch.equal(foreground_from_mask(1 - m), m)


def test_polarity_that_is_not_known():
    with pytest.raises(SealError, match="mask_polarity"):
        foreground_from_mask(torch.zeros(4, 4), "inverted")


# -- auto, on stickers that nobody here drew -----------------------------------------------------------


@font
@pytest.mark.parametrize("ground", glyphs.GROUNDS)
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_reported_glyphs(ground, every):
    wanted = 0.9 if ground == "patterned" else 0.97
    scores = []
    for i, glyph in list(enumerate(glyphs.REPORTED))[::every]:
        image, alpha = glyphs.compose(glyph, ground, 1000 + i, 160)
        scores.append(glyphs.iou(semantic_mask(torch.from_numpy(image)[None])[0].numpy(), alpha))
    assert len(scores) == 60 // every
    assert np.mean(scores) >= wanted, sorted(zip(scores, glyphs.REPORTED))[:5]


def test_the_lists_are_disjoint():
    assert len(set(glyphs.REPORTED)) == 60
    assert not set(glyphs.REPORTED) & set(glyphs.TUNING)


@font
@pytest.mark.parametrize("ground", ["plain", "gradient", "shadow", "stripes", "dots"])
def test_whiskers_of_the_cat_survive(ground):
    image, alpha = glyphs.over(glyphs.render("\U0001f431", 256), ground, 1)
    thin = (alpha > 0.9) & ~ndimage.binary_opening(alpha > 0.5, np.ones((7, 7), bool))
    assert thin.sum() > 100
    mask = semantic_mask(torch.from_numpy(image)[None])[0].numpy()
    assert (mask[thin] > 0.5).mean() > 0.85


@font
@pytest.mark.parametrize("ground", ["plain", "gradient"])
@pytest.mark.parametrize("glyph", ["\U0001f511", "\u2693"])  # key, anchor: a ring each
def test_holes_of_glyphs_are_ground(glyph, ground):
    image, alpha = glyphs.compose(glyph, ground, 7, 256)
    labels, _ = ndimage.label(alpha < 0.1)
    hole = (labels > 0) & (labels != labels[0, 0])
    assert hole.sum() > 100
    for method, holes in (("auto", "auto"), ("learned", "cut"), ("border", "auto")):
        mask = semantic_mask(torch.from_numpy(image)[None], method=method, holes=holes)[0].numpy()
        assert (mask[hole] < 0.5).mean() > 0.9
    kept = semantic_mask(torch.from_numpy(image)[None], holes="keep")[0].numpy()
    assert (kept[ndimage.binary_erosion(hole, iterations=10)] == 1).all()


# -- border, on drawings --------------------------------------------------------------------------------


def test_soft_edge_is_unmixed():
    truth = disc(96, 96, 30.3)
    mask = border_mask(paint(truth))
    assert (mask - truth).abs().max() < 0.12
    assert (mask - truth).abs().mean() < 0.003


def test_handle_is_open_and_white_eyes_stay():
    mug, hole = disc(128, 128, 45), disc(128, 128, 15, (64, 80))
    eye = disc(128, 128, 8, (64, 45))
    truth = mug * (1 - hole)
    image = paint(truth, (0.2, 0.4, 0.8), (0.93, 0.9, 0.8))
    image = image * (1 - eye[..., None]) + eye[..., None]  # an eye that is white, not the ground's cream
    mask = border_mask(image)
    assert glyphs.iou(mask, truth.numpy()) > 0.98
    assert mask[64, 80] < 0.1 and mask[64, 45] > 0.9


def test_outline_drawing_on_paper_of_its_own_colour_is_filled():
    outline = disc(128, 128, 45) * (1 - disc(128, 128, 42))
    mask = border_mask(paint(outline, (0.1, 0.1, 0.1), (1.0, 1.0, 1.0)))
    assert glyphs.iou(mask, disc(128, 128, 45).numpy()) > 0.97


@pytest.mark.parametrize("ground", ["plain", "gradient"])
@pytest.mark.parametrize("width", [12, 20])
def test_inside_of_a_ring_is_ground(ground, width):
    ring = disc(160, 160, 50) * (1 - disc(160, 160, 50 - width))
    sticker = torch.cat([torch.tensor([0.95, 0.75, 0.2]).expand(160, 160, 3), ring[..., None]], -1).numpy()
    image, alpha = glyphs.over(sticker, ground, 20101)
    assert glyphs.iou(border_mask(torch.from_numpy(image)).numpy(), alpha) > 0.97


def test_hairlines_survive():
    truth = disc(128, 128, 30)
    for y in (50, 64, 78):
        truth[y, 8:120] = 1
    mask = border_mask(paint(truth, (0.2, 0.15, 0.1)))
    assert (mask[[50, 64, 78], 8:30] > 0.5).float().mean() > 0.95


@pytest.mark.parametrize(("centre", "radius"), [((110, 64), 50), ((115, 112), 34)])
def test_subject_cut_by_the_frame(centre, radius):
    truth = disc(128, 128, radius, centre)
    assert glyphs.iou(border_mask(paint(truth)), truth.numpy()) > 0.97


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 2), (3, 3), (37, 5)])
def test_tiny_images_do_not_crash(shape):
    assert plain_ground(torch.rand(*shape, 3).numpy()) is None
    found = plain_ground(np.full((*shape, 3), 0.5, np.float32))
    assert found is None or not flood_mask(found).any()


def test_nothing_but_noise_or_one_colour_is_an_error():
    noise = 0.5 + 0.02 * torch.randn(64, 64, 3, generator=torch.Generator().manual_seed(0))
    for image in (torch.full((1, 64, 64, 3), 0.3), torch.zeros(1, 1, 1, 3), noise[None]):
        with pytest.raises(SealError, match=r"image: .*(empty|no plain ground)"):
            semantic_mask(image, method="border")


def test_a_large_picture_is_flooded_on_a_small_copy_and_keeps_its_lines(monkeypatch):
    truth = disc(1536, 1536, 490)
    truth[760:763, 50:1470] = 1
    seen: list[PlainGround] = []
    monkeypatch.setattr(methods, "flood_mask", lambda ground: seen.append(ground) or flood_mask(ground))
    mask = border_mask(paint(truth))
    assert [one.like.shape for one in seen] == [(512, 512)], "what a flood costs does not grow with the picture"
    assert glyphs.iou(mask, truth.numpy()) > 0.99
    assert (mask[761, 50:220] > 0.5).float().mean() > 0.9  # a line that is one pixel wide on the small copy


# -- what makes it unsure ---------------------------------------------------------------------------------


def found_in(image, **options):
    seen: list[FoundSubject] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        semantic_mask(image[None], look=seen.append, **options)
    return seen[0], " ".join(str(w.message) for w in told)


def test_a_clear_sticker_is_sure_and_nothing_is_said():
    found, told = found_in(paint(disc(192, 192, 60)))
    assert found.method == "learned" and found.confidence > 0.95 and not found.doubts and not told


def test_a_subject_that_the_frame_cuts_is_told():
    found, told = found_in(paint(disc(192, 192, 60, (180, 96))))
    assert "at the lower edge" in told and len(found.doubts) == 1


def test_next_to_no_contrast_is_told():
    truth = disc(192, 192, 60)
    pale = doubts(paint(truth, (0.81, 0.86, 0.91)).numpy(), truth.numpy(), None)
    assert len(pale) == 1 and "along 100% of its outline" in pale[0]


def test_two_readings_are_told_and_shown():
    image = paint(disc(192, 192, 60))
    other = disc(192, 192, 40).numpy()
    assert not doubts(image.numpy(), disc(192, 192, 60).numpy(), disc(192, 192, 59).numpy())
    assert "two ways" in doubts(image.numpy(), disc(192, 192, 60).numpy(), other)[0]
    plain, both = (mask_overlay(image, disc(192, 192, 60), o) for o in (None, other))
    assert not torch.equal(plain, both) and torch.equal(plain[96, 96], both[96, 96])


# -- shaping ---------------------------------------------------------------------------------------------


def test_grow_moves_the_outline_by_that_many_pixels():
    for px in (-10, -1, 1, 10):
        assert (grow_mask(disc(), px) - disc(radius=20 + px)).abs().max() < 0.75
        grown = (grow_mask(disc(radius=20.3), px) > 0.5).sum().float()
        assert abs(float((grown / torch.pi).sqrt()) - 20.8 - px) < 0.6
    assert torch.equal(grow_mask(disc(), 0), disc())
    with pytest.raises(SealError, match="grow"):
        grow_mask(disc(), 65)


def test_feather_is_soft_and_keeps_the_amount():
    soft = feather_mask(disc(), 8)
    assert abs(coverage(soft) - coverage(disc())) < 1e-3
    assert ((soft > 0.05) & (soft < 0.95)).sum() > 3 * ((disc() > 0.05) & (disc() < 0.95)).sum()
    with pytest.raises(SealError, match="feather"):
        feather_mask(disc(), -1)


def test_overlay_keeps_the_subject_and_dims_the_ground():
    image = paint(disc())
    preview = mask_overlay(image, disc())
    assert preview.shape == image.shape
    assert torch.equal(preview[32, 32], image[32, 32]) and not torch.allclose(preview[0, 0], image[0, 0], atol=0.05)
    assert mask_overlay(image[..., :1], disc(32, 32, 8)).shape == image.shape


# -- the whole -------------------------------------------------------------------------------------------


def test_auto_prefers_a_usable_mask_then_the_border():
    m, image = disc(radius=10), paint(disc())
    assert torch.equal(semantic_mask(image[None], m)[0], m)
    assert torch.allclose(semantic_mask(image[None], 1 - m)[0], m)  # LoadImage's inverted MASK
    empty = torch.zeros(64, 64)  # LoadImage's MASK of a picture without alpha
    for unusable in (empty, 1 - empty, torch.zeros(1, 64, 64)):
        assert glyphs.iou(semantic_mask(image[None], unusable)[0], disc().numpy()) > 0.98
    with pytest.raises(SealError, match=r"mask: .*empty"):
        semantic_mask(image[None], empty, "alpha")


def test_alpha_of_the_image_counts_as_a_mask():
    rgba = torch.cat([paint(disc()), disc(radius=10)[..., None]], -1)
    assert torch.equal(semantic_mask(rgba[None], method="alpha")[0], disc(radius=10))
    assert torch.equal(semantic_mask(rgba[None], disc(radius=15), "alpha")[0], disc(radius=15))
    with pytest.raises(SealError, match="mask"):
        semantic_mask(rgba[None, ..., :3], method="alpha")


def test_batches_sizes_and_channels():
    images = torch.stack([paint(disc()), paint(disc(radius=12))])
    assert semantic_mask(images).shape == (2, 64, 64)
    assert semantic_mask(images, disc()).shape == (2, 64, 64)
    assert semantic_mask(images, disc()[None]).shape == (2, 64, 64)
    two = semantic_mask(images, torch.stack([disc(radius=9), disc(radius=5)]))
    assert torch.equal(two[1], disc(radius=5))
    with pytest.warns(SealWarning, match="resized from 128 x 128"):
        assert glyphs.iou(semantic_mask(images[:1], disc(128, 128, 40))[0], disc().numpy()) > 0.95
    grey = paint(disc(), (0.1,) * 3, (0.8,) * 3)[None, ..., :1]
    assert glyphs.iou(semantic_mask(grey)[0], disc().numpy()) > 0.98
    with pytest.raises(SealError, match="3 masks for 2 images"):
        semantic_mask(images, disc().repeat(3, 1, 1))
    for bad in (torch.rand(1, 8, 8, 2), torch.rand(8, 8), torch.rand(1, 0, 8, 3)):
        with pytest.raises(SealError, match="image"):
            semantic_mask(bad)
    with pytest.raises(SealError, match="method"):
        semantic_mask(images, method="magic")


def test_grow_that_leaves_nothing_is_an_error():
    with pytest.raises(SealError, match="grow"):
        semantic_mask(paint(disc())[None], grow=-40)


def test_result_is_the_same_every_time_and_in_range():
    image = paint(disc())[None]
    first, second = semantic_mask(image, grow=2, feather=3), semantic_mask(image, grow=2, feather=3)
    assert torch.equal(first, second) and first.dtype == torch.float32
    assert first.min() >= 0 and first.max() <= 1


@pytest.mark.parametrize(("certainty", "filled"), [(0.4, True), (0.1, False)])
def test_a_hole_that_the_segmenter_is_not_sure_of_is_none(certainty, filled):
    """The grey eyes of a panda on scenery came out as ragged holes."""
    whole, inner = (disc(64, 64, radius).numpy() > 0.5 for radius in (26, 6))
    rough = np.random.default_rng(3).uniform(-0.08, 0.08, whole.shape)
    likely = np.where(inner, certainty + rough, np.where(whole, 0.97, 0.02)).astype(np.float32)
    found = without_doubtful_holes(likely) > 0.5
    assert np.array_equal(found, whole if filled else whole & ~inner)
