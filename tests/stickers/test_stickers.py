"""From picture to sticker: cut-outs with clean edges, borders, layouts, captions, contact sheets; bad input."""

from __future__ import annotations

import bench_cutout
import glyphs
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from seal_core.masks.methods import border_mask
from seal_core.messages import SealError
from seal_core.pictures.matting import is_hard, is_straight, sample_matte, unexplained_share
from seal_core.stickers.border import Border, Shadow, add_border
from seal_core.stickers.caption import Caption, add_caption, caption_layer
from seal_core.stickers.contact_sheet import arrange, contact_sheet
from seal_core.stickers.cutout import cutout
from seal_core.stickers.die_cut_rim import with_die_cut_rim
from seal_core.stickers.font import BUNDLED, open_font
from seal_core.stickers.layers import distance_outside, over, parse_colour
from seal_core.stickers.layout import LAYOUTS, lay_out
from seal_core.stickers.platforms import PLATFORMS

font = pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)


def disc(size=64, radius=20.0, centre=None):
    """Exact enough coverage of a disc, (size, size)."""
    y, x = np.mgrid[: size * 4, : size * 4] / 4 + 0.125
    cy, cx = centre or (size / 2, size / 2)
    return (np.hypot(y - cy, x - cx) < radius).reshape(size, 4, size, 4).mean((1, 3)).astype(np.float32)


def picture(alpha, front=(0.9, 0.3, 0.1), back=(0.55, 0.8, 0.95)):
    """(1, H, W, 3): a flat subject over a flat ground."""
    a = alpha[..., None]
    return torch.from_numpy((a * np.float32(front) + (1 - a) * np.float32(back)).astype(np.float32))[None]


def sticker(size=64, radius=20.0, rgb=(0.9, 0.3, 0.1)):
    """(1, H, W, 4): a disc on a transparent ground."""
    alpha = disc(size, radius)
    return torch.from_numpy(np.dstack([np.broadcast_to(np.float32(rgb), (size, size, 3)), alpha]))[None]


# -- cutout -----------------------------------------------------------------------------------------


def test_disc_is_cut_exactly():
    alpha = disc()
    cut, mask = cutout(picture(alpha))
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
    grey, blue = (np.full((64, 64, 3), parse_colour, np.float32) for parse_colour in (0.6, (0.1, 0.2, 0.9)))
    image, twin = (picture(alpha, back=tuple(back[0, 0]))[0].numpy() for back in (grey, blue))
    clean, halo = (lambda shown: np.dstack([true, alpha])), (lambda shown: np.dstack([shown, alpha]))
    known = bench_cutout.Case("disc", image, alpha, grey, colours=true)
    twinned = bench_cutout.Case("disc", image, alpha, grey, twin=(twin, blue))
    for case in (known, twinned):
        assert bench_cutout.scores(case, clean) == pytest.approx((1, 0, 0, 0), abs=1e-6)
        assert min(bench_cutout.scores(case, halo)[2:]) > 0.1
    # Clean colours with more opacity in one cut-out are no old ground, but show.
    grown = np.dstack([true, np.maximum(alpha, np.roll(alpha, 2, 0))])
    cuts = iter((grown, clean(image)))
    found = bench_cutout.scores(twinned, lambda shown: next(cuts))
    assert found[1] > 0.1 and found[2] < 1e-6 < 0.05 < found[3]
    # Ground that is left whole is all of it, ground taken by half is half of it.
    wide = ndimage.binary_dilation(alpha > 0.5, iterations=2).astype(np.float32)
    whole, half = (
        bench_cutout.scores(twinned, lambda shown, share=share: np.dstack([shown, share * wide]))[2]
        for share in (1.0, 0.5)
    )
    assert whole > 0.7 and 0.1 < half < 0.6 * whole


def test_true_alpha_is_kept_and_composed_colours_are_solved():
    alpha = disc()
    image, mask = picture(alpha), torch.from_numpy(alpha)[None]
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
    assert is_straight(image, alpha) and not is_straight(picture(alpha)[0].numpy(), alpha)
    cut, found = cutout(torch.from_numpy(image)[None], torch.from_numpy(1 - alpha)[None])
    assert torch.allclose(found[0], torch.from_numpy(alpha), atol=1e-6)
    assert (cut[..., :3][found > 0] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 1e-6
    rgba = torch.from_numpy(np.dstack([image, alpha]))[None]
    assert torch.allclose(cutout(rgba)[0][..., 3], torch.from_numpy(alpha)[None])


def test_a_hard_mask_gets_a_smooth_edge_but_pixel_art_stays():
    alpha = disc()
    hard = torch.from_numpy((alpha > 0.5).astype(np.float32))[None]
    assert is_hard(hard[0].numpy()) and not is_hard(alpha)
    found = cutout(picture(alpha), hard)[1][0].numpy()
    assert np.abs(found - alpha).max() < 0.1 and ((found > 0.1) & (found < 0.9)).sum() > 50
    blocks = picture((alpha > 0.5).astype(np.float32))
    assert torch.equal(cutout(blocks, hard)[1], hard)


def test_unexplained_are_lines_along_the_edge():
    """A crisp edge is a mixture of both sides, noise or not; a thin line of a third colour is none."""
    alpha, noise = disc(), np.random.default_rng(0).normal(0, 0.01, (64, 64, 3)).astype(np.float32)
    crisp = picture(alpha)[0].numpy()
    rim = np.abs(alpha - ndimage.minimum_filter(alpha, 3))[..., None]
    lined = crisp * (1 - rim) + rim * np.float32([0.1, 0.1, 0.6])
    assert unexplained_share(crisp, alpha) < 0.01 and unexplained_share(crisp + noise, alpha) < 0.02
    assert unexplained_share(lined, alpha) > 0.2
    assert unexplained_share(crisp, np.zeros_like(alpha)) == unexplained_share(crisp, np.ones_like(alpha)) == 1


def test_sampled_finds_a_hair():
    """A one-pixel line that covers half of its pixels: its own colour is never shown pure."""
    alpha = np.zeros((48, 48), np.float32)
    alpha[14:34, 14:34] = 1
    alpha[24, 34:44] = 0.9
    cut, mask = cutout(picture(alpha, front=(0.1, 0.1, 0.1), back=(1, 1, 1)))
    assert (mask[0, 24, 34:44] > 0.5).all() and (mask[0, 22, 34:44] == 0).all()
    assert cut[0, 24, 40, :3].max() < 0.25


@pytest.mark.parametrize("back", [(1.0, 1.0, 1.0), (0.98, 0.97, 0.93), (0.7, 0.9, 0.8)])
def test_a_die_cut_rim_belongs_to_the_sticker(back):
    """A white rim on a white ground, parted from it by a thin grey line: the flood alone takes the rim for ground."""
    whole, rim, subject = disc(128, 44), disc(128, 43), disc(128, 38)
    image = np.float32(back) * (1 - whole[..., None]) + np.float32([0.69, 0.68, 0.71]) * whole[..., None]
    image = image * (1 - rim[..., None]) + rim[..., None]
    image = image * (1 - subject[..., None]) + np.float32([0.2, 0.5, 0.8]) * subject[..., None]
    mask = border_mask(torch.from_numpy(image.astype(np.float32))).numpy()
    cut = cutout(torch.from_numpy(image.astype(np.float32))[None])[1][0].numpy()
    assert glyphs.iou(cut, whole) > 0.98
    assert glyphs.iou(mask, whole) < 0.98


def test_a_drop_shadow_is_no_rim():
    alpha = disc(128, 36)
    shade = 0.4 * ndimage.gaussian_filter(ndimage.shift(alpha, (5, 5)), 4)[..., None]
    image = (np.float32([0.2, 0.5, 0.8]) - 1) * alpha[..., None] + 1 - shade * (1 - alpha[..., None])
    mask = border_mask(torch.from_numpy(image.astype(np.float32))).numpy()
    assert with_die_cut_rim(image.astype(np.float32), mask) is mask and glyphs.iou(mask, alpha) > 0.97


def test_specks_and_parts():
    alpha = disc(96, 24)
    alpha = np.maximum(alpha, disc(96, 1.2, (8, 8)))  # a speck
    alpha = np.maximum(alpha, disc(96, 4, (48, 78)))  # close to the subject
    alpha = np.maximum(alpha, disc(96, 4, (88, 8)))  # far away
    alpha[46:49, 46:49] = 0  # a pinhole
    mask, image = torch.from_numpy(alpha)[None], picture(alpha)

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
    image, mask = picture(alpha), torch.from_numpy(alpha)[None]
    wide = cutout(image, mask, grow=4)
    assert abs(float(wide[1].sum()) - np.pi * 24**2) < 40
    assert (wide[0][0, 32, 54, :3] - torch.tensor([0.55, 0.8, 0.95])).abs().max() < 1e-6
    soft = cutout(image, mask, feather=6)
    assert (soft[0][..., :3][soft[1] > 0.02] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 0.02
    with pytest.raises(SealError, match="grow"):
        cutout(image, mask, grow=-30)


def test_batches_and_progress():
    images = torch.cat([picture(disc(radius=r)) for r in (10, 15, 20)])
    told = []
    cut, mask = cutout(images, progress=lambda done, count: told.append((done, count)))
    assert cut.shape == (3, 64, 64, 4) and told == [(1, 3), (2, 3), (3, 3)]
    assert [round(float(m.sum()) / np.pi) for m in mask] == pytest.approx([100, 225, 400], abs=8)
    images[1] = 0.5
    with pytest.raises(SealError, match=r"picture 2 of 3"):
        cutout(images)


def hard_cases():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64].astype(np.float32) / 63
    a = disc()
    touching = disc(64, 20, (32, 10))
    yield "touches the frame", picture(touching)[0]
    yield "colour of the ground", picture(a, front=(0.56, 0.8, 0.94))[0]
    yield "gradient", torch.from_numpy(np.dstack([x, y, 1 - x]).astype(np.float32))
    yield "noise", torch.from_numpy(rng.random((64, 64, 3), np.float32))
    yield "noisy subject", (picture(a)[0] + torch.from_numpy(rng.normal(0, 0.05, (64, 64, 3))).float()).clamp(0, 1)
    yield "one pixel", torch.rand(1, 1, 3)
    yield "two by one hundred", torch.rand(2, 100, 3)
    yield "grey", picture(a)[0].mean(-1, keepdim=True)
    yield "fully opaque", torch.cat([picture(a)[0], torch.ones(64, 64, 1)], -1)
    yield "fully transparent", torch.cat([picture(a)[0], torch.zeros(64, 64, 1)], -1)
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
        cutout(picture(disc()), **options)
    with pytest.raises(SealError, match="mask: 2 masks for 3"):
        cutout(picture(disc()).repeat(3, 1, 1, 1), torch.rand(2, 64, 64))
    with pytest.raises(SealError, match="image: needs the shape"):
        cutout(torch.zeros(0, 8, 8, 3))


# -- layers and border --------------------------------------------------------------------------------


def test_distance_is_exact():
    """Against the true distance from a disc's outline, whose radius is no whole number."""
    y, x = np.mgrid[:96, :96] + 0.5
    true = np.hypot(y - 48, x - 48) - 20.3
    found = distance_outside(disc(96, 20.3))
    away = true > 1
    assert np.abs(found - true)[away].max() < 0.2 and np.abs(found - true)[away].mean() < 0.05
    assert (found[true < -1] == 0).all()
    assert np.isinf(distance_outside(np.zeros((4, 4), np.float32))).all()


def test_over_is_porter_and_duff():
    top, bottom = np.float32([[[1, 0, 0, 0.5]]]), np.float32([[[0, 0, 1, 0.5]]])
    assert np.allclose(over(top, bottom), [[[2 / 3, 0, 1 / 3, 0.75]]])


def test_border_is_as_wide_as_asked():
    """The area of line and subject is that of a disc whose radius is larger by the width, to half a percent."""
    out, mask = add_border(sticker(), border=Border(width=9, colour="#00ff00", smooth=0))
    assert abs(float(mask.sum()) - np.pi * 29**2) < 0.005 * np.pi * 29**2
    middle = out.shape[1] // 2
    assert torch.allclose(out[0, middle, 32 + 25, :3], torch.tensor([0.0, 1.0, 0.0]), atol=1e-3)
    assert (out[0, middle, 32 + 5, :3] - torch.tensor([0.9, 0.3, 0.1])).abs().max() < 1e-3
    rounded = add_border(sticker(), border=Border(width=9, smooth=8))[1]
    assert abs(float(rounded.sum() - mask.sum())) < 0.01 * float(mask.sum()), "nothing to round on a disc"


def test_gap_leaves_a_ring_of_nothing():
    _, mask = add_border(sticker(), border=Border(width=5, gap=6, smooth=0))
    row = mask[0, mask.shape[1] // 2]
    centre = mask.shape[2] // 2
    assert [round(float(row[centre + r]), 2) for r in (10, 23, 28, 32)] == [1, 0, 1, 0]


def test_nothing_is_clipped_and_frames_stay_in_register():
    batch = torch.cat([sticker(64, 31), sticker(64, 12)])
    line, shadow = Border(width=10, softness=4, smooth=12), Shadow(0.5, x=20, y=-15, blur=8)
    out, mask = add_border(batch, border=line, shadow=shadow)
    edges = torch.cat([mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]], 1)
    assert edges.max() < 0.01, "all that is drawn fits"
    assert out.shape[0] == 2 and out.shape[2] > 64 + 2 * 10 + 20 and out.shape[1] > 64 + 2 * 10 + 15
    alone = add_border(batch[:1], border=line, shadow=shadow)[0]
    assert torch.equal(out[0], alone[0]), "the larger frame decides, the other one has the same canvas"
    roomy = add_border(sticker(96, 10), border=Border(width=4))[0]
    assert roomy.shape == (1, 96, 96, 4), "no more canvas where there is room"


def test_shadow_falls_where_it_should():
    out, _ = add_border(sticker(96, 15), border=Border(width=0), shadow=Shadow(0.6, x=12, y=0, blur=2))
    row = out[0, 48]
    assert row[48 + 20, 3] == pytest.approx(0.6, abs=0.02) and row[48 + 20, :3].max() < 0.01
    assert row[48 - 20, 3] < 0.01


def test_inner_corners_are_rounded_and_holes_filled():
    ring = np.maximum(disc(96, 22, (48, 30)), disc(96, 22, (48, 66))) * (1 - disc(96, 10, (48, 30)))
    image = torch.from_numpy(np.dstack([np.ones((96, 96, 3), np.float32), ring]))[None]
    sharp, smooth, filled = (
        add_border(image, border=Border(2, smooth=s, filled=f))[1] for s, f in ((0, False), (12, False), (0, True))
    )
    top = sharp.shape[1] // 2 - 17
    assert smooth[0, : top + 1, 48].sum() > sharp[0, : top + 1, 48].sum() + 1
    assert sharp[0, 48, 30] == 0 and filled[0, 48, 30] == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Border(width=-1), "^width"),
        (lambda: Border(width=float("nan")), "^width"),
        (lambda: Border(colour="whiteish"), "^colour: 'whiteish' is no colour"),
        (lambda: Shadow(opacity=2), "^shadow: "),
        (lambda: add_border(picture(disc())), "^image: has no transparent ground"),
        (lambda: add_border(torch.zeros(2, 8, 8, 4)), r"^image: shows nothing.*picture 1 of 2"),
        (lambda: add_border(sticker(), torch.ones(3, 64, 64)), "^mask"),
    ],
)
def test_bad_borders(call, words):
    with pytest.raises(SealError, match=words):
        call()


def test_colours():
    assert np.allclose(parse_colour("#ff000080", "x")[0], [1, 0, 0]) and parse_colour("#ff000080", "x")[1] == 128 / 255
    assert parse_colour(" white ", "x")[1] == 1


# -- layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("animated", [False, True])
@pytest.mark.parametrize("platform", [n for n in LAYOUTS if n != "custom"])
@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (64, 64), (3, 200)])
def test_layouts_meet_the_platform(platform, animated, shape):
    image = torch.ones(2, *shape, 4)
    out, mask = lay_out(image, platform=platform, animated=animated)
    height, width = out.shape[1:3]
    form = PLATFORMS[platform].motion if animated else PLATFORMS[platform].still
    if form.canvas == "exact":
        assert (width, height) == (form.width, form.height)
    elif form.canvas == "longest":
        assert max(width, height) == form.width and min(width, height) <= form.height
    else:
        assert width <= form.width and height <= form.height and width % 2 == height % 2 == 0
    rows, columns = (torch.nonzero(mask[0].amax(d) > 0.5).flatten() for d in (1, 0))
    ratio = (columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1)
    assert ratio == pytest.approx(shape[1] / shape[0], rel=0.35 if 3 in shape else 0.03), "not distorted"


def test_layout_centres_keeps_margin_and_register():
    small = torch.zeros(2, 64, 64, 4)
    small[0, 10:20, 40:60] = 1
    small[1, 12:16, 42:50] = 1
    _, mask = lay_out(small, platform="custom", width=200, height=120, margin=10)
    rows, columns = (torch.nonzero(mask[0].amax(d) > 0.5).flatten() for d in (1, 0))
    assert columns[0] == 12 and 199 - columns[-1] == 12 and abs(rows[0] - (119 - rows[-1])) <= 1
    assert mask[1].sum() == pytest.approx(0.16 * float(mask[0].sum()), rel=0.1), "scaled alike"
    stands = lay_out(small, platform="custom", width=100, height=200, margin=10, anchor="bottom")[1]
    assert torch.nonzero(stands[0].amax(1) > 0.5).flatten()[-1] == 200 - 10 - 1
    as_is = lay_out(small, platform="custom", enlarge=False)[1]
    assert as_is[0].sum() == 200
    for name, value in (("platform", "plain"), ("margin", 50), ("anchor", "left")):
        with pytest.raises(SealError, match=f"^{name}"):
            lay_out(small, **{name: value})
    with pytest.raises(SealError, match="shows nothing"):
        lay_out(small * 0)


# -- text ---------------------------------------------------------------------------------------------


def test_bundled_font_has_the_scripts_it_promises():
    has = open_font(BUNDLED).has
    assert all(has(c) for c in "Hello Çñßőž ΑΩαωά Привет ёЇґ ありがとう カタカナ ー、。！？ ♥★♪ “”…€")
    assert not has("漢") and not has("😀")
    assert BUNDLED.stat().st_size < 150_000 and "OPEN FONT LICENSE" in BUNDLED.with_name("OFL.txt").read_text()


def test_character_tables_agree_with_what_is_drawn():
    """Characters that the file says it has leave ink unlike that of the glyph for missing ones."""
    letters = open_font(BUNDLED)
    missing = letters.at(40).getmask("\uffff")
    for c in "AgЖΩあ♥":
        drawn = letters.at(40).getmask(c)
        assert bytes(drawn) != bytes(missing) and any(drawn)


def test_text_fits_and_breaks_lines():
    one = caption_layer(Caption("Hi", size=30), 200, 200)
    long = caption_layer(Caption("a rather long caption with many words", size=30, height=40), 200, 200)
    assert one.shape[0] <= 60 and one.shape[1] < 100
    assert long.shape[1] <= 0.92 * 200 + 2 and long.shape[0] <= 0.4 * 200 + 2
    tall = caption_layer(Caption("a\nb\nc", size=10), 200, 200)
    assert tall.shape[0] > 2 * caption_layer(Caption("a", size=10), 200, 200).shape[0]
    kana = caption_layer(Caption("ありがとうございました", size=20, width=40), 200, 200)
    assert kana.shape[1] <= 82 and kana.shape[0] > kana.shape[1] / 2, "broken between characters"


def test_fill_and_stroke():
    block = caption_layer(
        Caption("O", size=80, height=90, fill="#ff0000", stroke_colour="#0000ff", stroke=10), 200, 200
    )
    solid = block[block[..., 3] > 0.99][:, :3]
    red, blue = ((np.abs(solid - c).max(1) < 0.02).mean() for c in ([1, 0, 0], [0, 0, 1]))
    assert red > 0.2 and blue > 0.2 and red + blue > 0.85
    bare = caption_layer(Caption("O", size=80, height=90, stroke=0), 200, 200)
    assert bare.shape[0] < block.shape[0] - 10


def test_places():
    image = sticker(128, 50)
    for place in ("bottom", "top", "middle"):
        out, mask = add_caption(image, None, Caption("Hello", place))
        assert out.shape == image.shape
        where = torch.nonzero((out - image).abs().amax((0, 2, 3)) > 0.2).flatten().float().mean()
        assert {"bottom": where > 90, "top": where < 38, "middle": 50 < where < 78}[place]
    for place in ("below", "above"):
        out, mask = add_caption(image, None, Caption("Hello", place))
        extra = out.shape[1] - 128
        assert 15 < extra < 40 and out.shape[2] == 128
        kept = out[:, :128] if place == "below" else out[:, extra:]
        assert torch.equal(kept, image)
        assert mask[0, 128:].max() == 1 if place == "below" else mask[0, :extra].max() == 1
    assert torch.equal(add_caption(image, None, Caption("  "))[0], image)


@font
def test_emoji_come_from_a_font_that_has_them():
    with pytest.raises(SealError, match=r"^text: .*lacks .*U\+1F600"):
        caption_layer(Caption("ok 😀"), 200, 200)
    emoji = open_font(glyphs.FONT)
    assert emoji.strike and emoji.has("😀") and not emoji.has("あ")
    block = caption_layer(Caption("ok 😀", size=40, stroke=0, fill="#000000"), 200, 200, [emoji])
    solid = block[block[..., 3] > 0.9][:, :3]
    yellow = (solid[:, 0] > 0.8) & (solid[:, 1] > 0.5) & (solid[:, 2] < 0.4)
    assert 0.2 < yellow.mean() < 0.9, "the face is yellow, the letters are black"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text": "漢字"}, r"^text: .*漢 \(U\+6F22\)"),
        ({"text": "word " * 79, "height": 5}, "^text: .*too small"),
        ({"text": "x" * 401}, "^text: 401"),
        ({"text": "x", "place": "left"}, "^place"),
        ({"text": "x", "size": 0}, "^size"),
        ({"text": "x", "fill": "#12"}, "^fill"),
    ],
)
def test_bad_captions(options, words):
    with pytest.raises(SealError, match=words):
        add_caption(sticker(), None, Caption(**options))


def test_bad_fonts(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(BUNDLED.read_bytes()[:400])
    (tmp_path / "words.txt").write_text("no font")
    for name, words in (("broken.ttf", "damaged"), ("words.txt", "not a font"), ("none.ttf", "no file")):
        with pytest.raises(SealError, match=f"^font: .*{words}"):
            open_font(tmp_path / name)


# -- contact sheet --------------------------------------------------------------------------------------


def test_rows_and_columns_come_from_the_sweep():
    labels = [f"{a}, {b}" for a in ("happy", "sad, crying") for b in ("jumping", "waving", "asleep")]
    grid = arrange(labels, [1] * 6)
    assert grid.columns == 3 and grid.rows == ("happy", "sad, crying") and grid.heads == ("jumping", "waving", "asleep")
    assert arrange(["a", "b", "c", "d", "e"], [1] * 5).columns == 3
    assert arrange(["a", "b", "c", "d", "e"], [1] * 5).captions == ("a", "b", "c", "d", "e")
    seeds = arrange(["a", "a", "b", "b"], [2, 2], repeated=True)
    assert seeds.columns == 2 and seeds.rows == ("a", "b") and seeds.heads == ("#1", "#2")
    assert arrange(labels, [1] * 6, columns=2).captions == tuple(labels)


def test_sheet_shows_every_picture_in_its_place():
    colours = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)]
    images = [sticker(40 + 8 * i, 18, c) for i, c in enumerate(colours)]
    sheet = contact_sheet(images, columns=3, cell=64, ground="white")
    assert sheet.shape[0] == 1 and sheet.shape[3] == 3
    gap = 4
    for i, c in enumerate(colours):
        y, x = gap + i // 3 * (64 + gap) + 32, gap + i % 3 * (64 + gap) + 32
        assert (sheet[0, y, x] - torch.tensor(c, dtype=torch.float32)).abs().max() < 0.02
    labelled = contact_sheet(images, list("abcdef"), [0.1, 0.2, 0.3, 0.9, 0.5, 0.6], columns=3, cell=64, title="Six")
    assert labelled.shape[1] > sheet.shape[1] + 2 * 20


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([],), {}, "^image: 0 pictures"),
        (([torch.ones(3, 8, 8, 3)], ["a", "b"]), {}, "^labels: 2 for 1"),
        (([torch.ones(3, 8, 8, 3)], [], [1.0, 2.0]), {}, "^scores: 2 for 1"),
        (([torch.ones(3, 8, 8, 3)],), {"ground": "sea"}, "^ground"),
        (([torch.ones(3, 8, 8, 3)],), {"cell": 5}, "^cell"),
        (([torch.ones(3, 8, 8, 3)],), {"columns": 9}, "^columns"),
    ],
)
def test_bad_sheets(arguments, options, words):
    with pytest.raises(SealError, match=words):
        contact_sheet(*arguments, **options)


def test_from_picture_to_png(tmp_path):
    """The whole way; the file has the transparency that was cut."""
    cut, _ = cutout(picture(disc(96, 30)))
    out = add_caption(add_border(cut, border=Border(5))[0], None, Caption("Hi!", "below"))[0]
    laid, mask = lay_out(out, platform="whatsapp")
    Image.fromarray((laid[0].numpy() * 255).round().astype(np.uint8)).save(tmp_path / "s.png")
    read = np.asarray(Image.open(tmp_path / "s.png"))
    assert read.shape == (512, 512, 4) and np.abs(read[..., 3] / 255 - mask[0].numpy()).max() < 1 / 255


def test_sampled_leaves_what_it_cannot_tell():
    image = np.random.default_rng(1).random((16, 16, 3), np.float32)
    for mask in (np.zeros((16, 16), np.float32), np.ones((16, 16), np.float32)):
        colours, alpha = sample_matte(image, mask)
        assert colours is image and alpha is mask
