"""Cut-outs: clean edges without the old background, hard cases, and batches in which one picture shows no subject."""

from __future__ import annotations

import bench_cutout
import glyphs
import numpy as np
import pytest
import torch
from discs import disc, disc_picture
from PIL import Image
from scipy import ndimage

from seal_core.messages import SealError
from seal_core.pictures.matting import is_hard, is_straight
from seal_core.stickers.border import Border, add_border
from seal_core.stickers.caption import Caption, add_caption
from seal_core.stickers.cutout import CARD, cut_all, cutout, whole_card
from seal_core.stickers.layout import lay_out

font = pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)


def test_disc_is_cut_exactly():
    alpha = disc()
    cut, mask = cutout(disc_picture(alpha))
    assert cut.shape == (1, 64, 64, 4) and cut.dtype == torch.float32 and torch.equal(mask, cut[..., 3])
    assert np.abs(mask[0].numpy() - alpha).max() < 0.06
    shown = mask[0] > 0.05
    assert (cut[0, ..., :3][shown] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 0.03, "no halo"
    assert torch.equal(cut[0, 0, 0], torch.tensor([1.0, 1.0, 1.0, 0.0])), "transparent pixels are white"


@font
@pytest.mark.parametrize(("ground", "least", "edge"), [("plain", 0.99, 0.04), ("patterned", 0.95, 0.12)])
def test_glyphs_leave_no_old_ground(ground, least, edge):
    scores = []
    for i, glyph in enumerate(glyphs.REPORTED[:8]):
        scores.append(bench_cutout.scores(bench_cutout.glyph_case(glyph, ground, 1000 + i, 128), cut_out))
    iou, alpha_error, old, _ = np.mean(scores, 0)
    assert iou >= least and alpha_error < edge
    assert old < (0.03 if ground == "plain" else 0.08)


def test_renders_leave_little_old_ground_whatever_the_ground():
    """The die-cut rim of a StickerWorld render is thinner than a pixel, so its edge is the edge network's to tell."""
    for ground in ("plain", "patterned", "scenic"):
        found = [bench_cutout.scores(case, cut_out) for case in bench_cutout.world_cases(ground, 3, 128, 20_009_500)]
        iou, alpha_error, old, _ = np.mean(found, 0)
        assert iou > 0.97 and alpha_error < 0.2 and old < 0.15


def test_bodies_are_solid_and_no_veil_lies_around():
    case = next(bench_cutout.world_cases("scenic", 1, 256, 20_009_600))
    alpha = cut_out(case.image)[..., 3]
    assert not ((alpha > 0.96) & (alpha < 1)).any() and not ((alpha > 0) & (alpha < 0.03)).any()
    assert ((alpha > 0.1) & (alpha < 0.9)).any()


def cut_out(image):
    return cutout(torch.from_numpy(image)[None])[0][0].numpy()


def test_scores_know_a_halo():
    alpha = disc()
    true = np.broadcast_to(np.float32([0.9, 0.3, 0.1]), (64, 64, 3))
    grey, blue = (np.full((64, 64, 3), back, np.float32) for back in (0.6, (0.1, 0.2, 0.9)))
    image, twin = (disc_picture(alpha, back=tuple(back[0, 0]))[0].numpy() for back in (grey, blue))
    clean, halo = (lambda shown: np.dstack([true, alpha])), (lambda shown: np.dstack([shown, alpha]))
    known = bench_cutout.Case("disc", image, alpha, grey, colours=true)
    twinned = bench_cutout.Case("disc", image, alpha, grey, twin=(twin, blue))
    for case in (known, twinned):
        assert bench_cutout.scores(case, clean) == pytest.approx((1, 0, 0, 0), abs=1e-6)
        assert min(bench_cutout.scores(case, halo)[2:]) > 0.1
    # Clean colours with more opacity in one cut-out are no old ground, but count.
    grown = np.dstack([true, np.maximum(alpha, np.roll(alpha, 2, 0))])
    cuts = iter((grown, clean(image)))
    found = bench_cutout.scores(twinned, lambda shown: next(cuts))
    assert found[1] > 0.1 and found[2] < 1e-6 < 0.05 < found[3]
    # All of the ground left scores as all of it, half of it as half.
    wide = ndimage.binary_dilation(alpha > 0.5, iterations=2).astype(np.float32)
    whole, half = (
        bench_cutout.scores(twinned, lambda shown, share=share: np.dstack([shown, share * wide]))[2]
        for share in (1.0, 0.5)
    )
    assert whole > 0.7 and 0.1 < half < 0.6 * whole


def test_true_alpha_is_kept_and_composed_colours_are_solved():
    alpha = disc()
    image, mask = disc_picture(alpha), torch.from_numpy(alpha)[None]
    for given in (mask, 1 - mask):  # LoadImage's polarity and a segmentation's
        cut, found = cutout(image, given)
        assert torch.allclose(found, mask, atol=1e-6)
        assert (cut[..., :3][found > 0.25] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 0.02
    raw, _ = cutout(image, mask, decontaminate=False)
    assert torch.equal(raw[..., :3][mask > 0], image[mask > 0])


def test_straight_colours_are_left_alone():
    """What LoadImage gives for a transparent PNG: colours that were never mixed, black where nothing shows."""
    alpha = disc()
    image = np.where(alpha[..., None] > 0, np.float32([0.9, 0.3, 0.1]), 0).astype(np.float32)
    assert is_straight(image, alpha) and not is_straight(disc_picture(alpha)[0].numpy(), alpha)
    cut, found = cutout(torch.from_numpy(image)[None], torch.from_numpy(1 - alpha)[None])
    assert torch.allclose(found[0], torch.from_numpy(alpha), atol=1e-6)
    assert (cut[..., :3][found > 0] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 1e-6
    rgba = torch.from_numpy(np.dstack([image, alpha]))[None]
    assert torch.allclose(cutout(rgba)[0][..., 3], torch.from_numpy(alpha)[None])


def test_a_hard_mask_gets_a_smooth_edge_but_pixel_art_stays():
    alpha = disc()
    hard = torch.from_numpy((alpha > 0.5).astype(np.float32))[None]
    assert is_hard(hard[0].numpy()) and not is_hard(alpha)
    found = cutout(disc_picture(alpha), hard)[1][0].numpy()
    assert np.abs(found - alpha).max() < 0.1 and ((found > 0.1) & (found < 0.9)).sum() > 50
    blocks = disc_picture((alpha > 0.5).astype(np.float32))
    assert torch.equal(cutout(blocks, hard)[1], hard)


@pytest.mark.parametrize("back", [(1.0, 1.0, 1.0), (0.98, 0.97, 0.93), (0.7, 0.9, 0.8)])
def test_a_die_cut_rim_belongs_to_the_sticker(back):
    """A white rim on a white ground, parted from it by a thin grey line: the flood alone takes the rim for ground."""
    whole, rim, subject = disc(256, 88), disc(256, 86), disc(256, 76)
    image = np.float32(back) * (1 - whole[..., None]) + np.float32([0.69, 0.68, 0.71]) * whole[..., None]
    image = image * (1 - rim[..., None]) + rim[..., None]
    image = image * (1 - subject[..., None]) + np.float32([0.2, 0.5, 0.8]) * subject[..., None]
    cut = cutout(torch.from_numpy(image.astype(np.float32))[None])[1][0].numpy()
    assert glyphs.iou(cut, whole) > 0.98


def test_a_drop_shadow_is_no_rim():
    alpha = disc(256, 72)
    shade = 0.4 * ndimage.gaussian_filter(ndimage.shift(alpha, (10, 10)), 8)[..., None]
    image = (np.float32([0.2, 0.5, 0.8]) - 1) * alpha[..., None] + 1 - shade * (1 - alpha[..., None])
    assert glyphs.iou(cutout(torch.from_numpy(image.astype(np.float32))[None])[1][0].numpy(), alpha) > 0.97


def test_specks_and_parts():
    alpha = disc(96, 24)
    alpha = np.maximum(alpha, disc(96, 1.2, (8, 8)))  # a speck
    alpha = np.maximum(alpha, disc(96, 4, (48, 78)))  # close to the subject
    alpha = np.maximum(alpha, disc(96, 4, (88, 8)))  # far away
    alpha[46:49, 46:49] = 0  # a pinhole
    mask, image = torch.from_numpy(alpha)[None], disc_picture(alpha)

    def seen(keep, specks=0.5):
        found = cutout(image, mask, keep=keep, specks=specks)[1][0]
        return [bool(found[y, x] > 0.5) for y, x in ((48, 30), (8, 8), (48, 78), (88, 8), (47, 47))]

    assert seen("main") == [True, False, True, False, False]
    assert seen("largest") == [True, False, False, False, False]
    assert seen("all") == [True, False, True, True, False]
    assert seen("all", specks=0) == [True, True, True, True, False]
    assert seen("main", specks=10) == [True, False, False, False, True], "9 pixels of 1,800 are a pinhole at 10 %"


def test_grow_shows_more_of_the_picture_and_feather_softens():
    alpha = disc()
    image, mask = disc_picture(alpha), torch.from_numpy(alpha)[None]
    wide = cutout(image, mask, grow=4)
    assert abs(float(wide[1].sum()) - np.pi * 24**2) < 40
    assert (wide[0][0, 32, 54, :3] - torch.tensor([0.55, 0.8, 0.95])).abs().max() < 1e-6
    soft = cutout(image, mask, feather=6)
    assert (soft[0][..., :3][soft[1] > 0.02] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 0.02
    with pytest.raises(SealError, match="grow"):
        cutout(image, mask, grow=-30)


def test_batches_and_progress():
    images = torch.cat([disc_picture(disc(radius=r)) for r in (10, 15, 20)])
    told = []
    cut, mask = cutout(images, progress=lambda done, count: told.append((done, count)))
    assert cut.shape == (3, 64, 64, 4) and told == [(1, 3), (2, 3), (3, 3)]
    assert [round(float(m.sum()) / np.pi) for m in mask] == pytest.approx([100, 225, 400], abs=8)
    images[1] = 0.5
    with pytest.raises(SealError, match=r"1 of 3 pictures could not be cut out. Picture 2: "):
        cutout(images)


def hard_cases():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64].astype(np.float32) / 63
    a = disc()
    touching = disc(64, 20, (32, 10))
    yield "touches the frame", disc_picture(touching)[0]
    yield "colour of the ground", disc_picture(a, front=(0.56, 0.8, 0.94))[0]
    yield "gradient", torch.from_numpy(np.dstack([x, y, 1 - x]).astype(np.float32))
    yield "noise", torch.from_numpy(rng.random((64, 64, 3), np.float32))
    yield "noisy subject", (disc_picture(a)[0] + torch.from_numpy(rng.normal(0, 0.05, (64, 64, 3))).float()).clamp(0, 1)
    yield "one pixel", torch.rand(1, 1, 3)
    yield "two by one hundred", torch.rand(2, 100, 3)
    yield "grey", disc_picture(a)[0].mean(-1, keepdim=True)
    yield "fully opaque", torch.cat([disc_picture(a)[0], torch.ones(64, 64, 1)], -1)
    yield "fully transparent", torch.cat([disc_picture(a)[0], torch.zeros(64, 64, 1)], -1)
    yield "one colour", torch.full((64, 64, 3), 0.3)
    yield "not numbers", torch.full((64, 64, 3), float("nan"))


@pytest.mark.parametrize(("name", "image"), list(hard_cases()), ids=lambda v: v if isinstance(v, str) else "")
def test_hard_cases_give_a_result_or_say_why(name, image):
    try:
        cut, mask = cutout(image[None])
    except SealError as error:
        assert str(error).startswith("image") and name not in ("touches the frame", "grey", "fully opaque"), error
        return
    assert cut.isfinite().all() and float(cut.min()) >= 0 and float(cut.max()) <= 1
    assert cut.shape == (1, *image.shape[:2], 4) and bool((mask > 0.5).any())
    bordered, _ = add_border(cut, border=Border(4))
    assert lay_out(bordered)[0].shape[1:3] != (0, 0)
    assert name not in ("fully transparent", "one colour", "not numbers", "one pixel")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"keep": "some"}, "keep"), ({"specks": -1}, "specks"), ({"method": "magic"}, "method")],
)
def test_bad_choices(options, words):
    with pytest.raises(SealError, match=f"^{words}"):
        cutout(disc_picture(disc()), **options)
    with pytest.raises(SealError, match="mask: 2 masks for 3"):
        cutout(disc_picture(disc()).repeat(3, 1, 1, 1), torch.rand(2, 64, 64))
    with pytest.raises(SealError, match="image: needs the shape"):
        cutout(torch.zeros(0, 8, 8, 3))


def test_from_picture_to_png(tmp_path):
    """The whole way; the file has the transparency that was cut."""
    cut, _ = cutout(disc_picture(disc(96, 30)))
    out = add_caption(add_border(cut, border=Border(5))[0], None, Caption("Hi!", "below"))[0]
    laid, mask = lay_out(out, platform="whatsapp")
    Image.fromarray((laid[0].numpy() * 255).round().astype(np.uint8)).save(tmp_path / "s.png")
    read = np.asarray(Image.open(tmp_path / "s.png"))
    assert read.shape == (512, 512, 4) and np.abs(read[..., 3] / 255 - mask[0].numpy()).max() < 1 / 255


def red_disc(size=48, radius=14.0, ground=0.9):
    """(size, size, 3): a red disc on a grey ground."""
    y, x = np.ogrid[0.5:size, 0.5:size]
    inside = np.clip(radius - np.hypot(x - size / 2, y - size / 2) + 0.5, 0, 1)[..., None]
    return torch.from_numpy((inside * np.float32([0.8, 0.1, 0.1]) + (1 - inside) * ground).astype(np.float32))


EMPTY = torch.full((48, 48, 3), 0.5)


def test_batches_as_cutout_makes_them():
    batches = [torch.stack([red_disc(), red_disc(radius=10)]), red_disc(64)[None]]
    cuts, report, sure = cut_all(batches)
    assert 0.9 < sure <= 1 and report == "3 of 3 pictures cut out"
    for cut, batch in zip(cuts, batches, strict=True):
        assert torch.equal(cut, cutout(batch)[0])


def test_masks_for_all_for_each_batch_and_for_each_picture():
    left, right = torch.zeros(48, 48), torch.zeros(48, 48)
    left[10:38, 8:20], right[10:38, 26:40] = 1, 1
    batches = [torch.stack([red_disc(), red_disc()]), red_disc()[None]]
    options = {"mask_polarity": "foreground"}
    for masks, wanted in (
        ([left], [left, left, left]),
        ([left[None], right[None]], [left, left, right]),
        ([torch.stack([left, right]), left[None]], [left, right, left]),
    ):
        cuts, _, _ = cut_all(batches, masks, **options)
        for cut, mask in zip(torch.cat(cuts), wanted, strict=True):
            assert torch.equal(cut, cutout(red_disc(), mask, **options)[0][0])
    for masks, message in (
        ([left] * 3, "mask: 3 masks for 2 batches"),
        ([torch.stack([left] * 3), left], "mask: 3 masks for 2 images"),
    ):
        with pytest.raises(SealError, match=message):
            cut_all(batches, masks, **options)


def test_stops_and_names_every_picture_that_failed():
    batches = [red_disc()[None], EMPTY[None], torch.stack([red_disc(), EMPTY])]
    message = r"^image: 2 of 4 pictures could not be cut out. Picture 2, 4: image: .*if_not_found to 'keep the picture'"
    with pytest.raises(SealError, match=message):
        cut_all(batches)


def test_keeps_the_others_and_tells_which_one_stayed_whole():
    told = []
    batches = [red_disc()[None], EMPTY[None], red_disc(radius=9)[None]]
    cuts, report, sure = cut_all(batches, failing=CARD, progress=lambda *step: told.append(step))
    first, second = report.splitlines()
    assert sure == 0 and first == "2 of 3 pictures cut out" and second.startswith("picture 2 kept whole: image: ")
    assert torch.equal(cuts[0], cutout(batches[0])[0]) and torch.equal(cuts[2], cutout(batches[2])[0])
    assert torch.equal(cuts[1][0], whole_card(EMPTY)) and told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("failing", ["stop", CARD])
def test_nothing_found_anywhere_is_an_error(failing):
    with pytest.raises(SealError, match=r"^image: none of the 2 pictures"):
        cut_all([EMPTY[None], EMPTY[None]], failing=failing)
    with pytest.raises(SealError, match=r"^image: the learned method"):
        cut_all([EMPTY[None]], failing=failing)


def test_bad_input():
    with pytest.raises(SealError, match=r"^if_not_found: 'drop'"):
        cut_all([red_disc()[None]], failing="drop")
    with pytest.raises(SealError, match=r"^image: needs the shape .*got \(0, 48"):
        cut_all([red_disc()[None], red_disc()[None][:0]])


@pytest.mark.parametrize("shape", [(48, 48, 3), (30, 100, 4), (3, 2, 1), (1, 1, 3)])
def test_a_card_is_the_picture_with_round_corners(shape):
    made = whole_card(torch.full(shape, 0.25))
    assert made.shape == (*shape[:2], 4) and made.dtype == torch.float32 and bool((made[..., :3] == 0.25).all())
    alpha = made[..., 3]
    assert alpha.min() >= 0 and alpha.max() <= 1
    assert torch.equal(alpha, alpha.flip(0)) and torch.equal(alpha, alpha.flip(1))
    if min(shape[:2]) > 20:
        assert alpha[0, 0] == 0 and alpha[2:-2, shape[1] // 2].min() == 1
        assert add_border(made[None])[0].shape[1] > shape[0], "the other nodes take it"
