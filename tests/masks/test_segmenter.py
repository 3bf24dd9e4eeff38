"""The segmenter: what it finds, its file, sizes, how auto chooses, its training."""

from __future__ import annotations

import random

import glyphs
import numpy as np
import pytest
import torch
from scipy import ndimage

from seal_core.demo.attribute_values import VALUES
from seal_core.masks import edge_network, segmenter, small_networks
from seal_core.masks import learned_mask as learned
from seal_core.masks.methods import METHODS, semantic_mask
from seal_core.messages import SealError
from seal_core.stickers.cutout import cutout
from seal_core.world.judges.judge_networks import SIZE
from seal_core.world.judges.training_pictures import records
from seal_core.world.mask_networks import procedural as segmenter_grounds
from seal_core.world.mask_networks import segmenter_data, train_segmenter
from seal_core.world.mask_networks.averaged import AveragedTraining
from seal_core.world.renderer.characters import character
from seal_core.world.renderer.render import render
from seal_core.world.renderer.scenes import Scene, random_scene

PLAIN = [v for v in VALUES["background"] if v.startswith("plain")]
BUSY = [v for v in VALUES["background"] if v not in PLAIN]


def sticker(seed, size=128, **fixed):
    """image (size, size, 3) and mask (size, size), float32 in [0, 1], of a character that was not trained on."""
    found = render(character(seed), random_scene(random.Random(seed), **fixed), seed, size)
    return found.image.astype(np.float32) / 255, found.mask.astype(np.float32) / 255


def disc(side=96, radius=30.0):
    y, x = np.mgrid[:side, :side] + 0.5
    return (radius + 0.5 - np.hypot(y - side / 2, x - side / 2)).clip(0, 1).astype(np.float32)


def painted(alpha, front=(0.9, 0.3, 0.1), back=(0.55, 0.8, 0.95)):
    a = alpha[..., None]
    return a * np.float32(front) + (1 - a) * np.float32(back)


@pytest.fixture
def other_file(tmp_path, monkeypatch):
    """A path that the segmenter is read from instead of its own."""
    path = tmp_path / "segmenter.safetensors"
    monkeypatch.setattr(segmenter, "SEGMENTER_FILE", path)
    return path


# -- what it sees -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grounds", "least"), [(PLAIN, 0.97), (BUSY, 0.95)])
def test_held_out_renders(grounds, least):
    scores = []
    for i in range(10):
        image, truth = sticker(27_000_000 + i, style=VALUES["style"][i % 5], background=grounds[i % len(grounds)])
        scores.append(glyphs.iou(learned.learned_mask(image), truth))
    assert np.mean(scores) >= least, scores


def test_a_white_border_on_white_and_hearts_beside_the_head():
    scene = Scene("in love", "jumping", "full body", "flat vector", "plain white")
    found = render(character(27_000_100), scene, 5)
    image, truth = torch.from_numpy(found.image).float()[None] / 255, found.mask / 255
    for mask in (cutout(image)[1][0], cutout(image, method="learned")[1][0], semantic_mask(image)[0]):
        assert glyphs.iou(mask, truth) > 0.95


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 40), (8, 8), (37, 200), (700, 420)])
def test_any_size(shape):
    image = painted(np.zeros(shape, np.float32))
    height, width = shape
    image[height // 3 : height - height // 3, width // 3 : width - width // 3] = (0.9, 0.3, 0.1)
    mask = learned.learned_mask(image)
    assert mask.shape == shape and mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1
    if min(shape) < segmenter.LEAST:
        assert not mask.any()


def test_large_pictures_get_a_sharp_outline_and_the_network_sees_no_tile_without_it(monkeypatch):
    truth, predict, shares = disc(1000, 320), edge_network.predict_edge, []
    monkeypatch.setattr(edge_network, "predict_edge", lambda *a: shares.append((a[2] > 0.5).mean()) or predict(*a))
    mask = learned.learned_mask(painted(truth))
    assert glyphs.iou(mask, truth) > 0.985
    assert len(shares) > 4 and min(shares) > 0 and max(shares) < 1


def test_the_same_every_time():
    image, _ = sticker(27_000_200)
    assert np.array_equal(learned.learned_mask(image), learned.learned_mask(image.copy()))


# -- its file -----------------------------------------------------------------------------------------


def test_the_file_is_small_and_tells_its_figures():
    _, card = segmenter.load_segmenter()
    assert segmenter.SEGMENTER_FILE.stat().st_size < 1.5e6 and card["figures"]["all"] > 0.9 and card["pictures"] > 1000


def test_a_missing_or_damaged_file_is_an_error_but_auto_goes_on(other_file):
    alpha = disc()
    image = torch.from_numpy(painted(alpha))[None]
    whole = segmenter.segmenter_bytes(segmenter.Segmenter(segmenter.SegmenterLayout((8, 8, 8, 8))), {})
    for data, message in (
        (None, "there is no file"),
        (b"", "cannot be read"),
        (whole[:-100], "cannot be read"),
        (whole.replace(b"segmenter", b"somethign"), "another kind of file"),
        (whole.replace(b'\\"format\\": 1', b'\\"format\\": 7'), "format 7"),
        (whole.replace(b"[8, 8, 8, 8]", b"[8, 8, 8, 9]"), "no whole segmenter"),
    ):
        if data is not None:
            other_file.write_bytes(data)
        with pytest.raises(SealError, match=f"segmenter: .*{message}"):
            semantic_mask(image, method="learned")
        with pytest.raises(SealError, match="segmenter: "):
            cutout(image, method="learned")
        assert glyphs.iou(semantic_mask(image)[0], alpha) > 0.98
        assert glyphs.iou(cutout(image)[1][0], alpha) > 0.98
        small_networks._cached.cache_clear()


def test_a_file_holds_the_folded_network(tmp_path):
    torch.manual_seed(0)
    network = segmenter.Segmenter(segmenter.SegmenterLayout((8, 8, 16, 16)), norm=True)
    network(torch.rand(4, 3, 64, 48))  # running figures
    path = tmp_path / "one.safetensors"
    path.write_bytes(segmenter.segmenter_bytes(network.eval().folded(), {"figures": {"all": 0.5}}))
    loaded, card = segmenter.load_segmenter(path)
    images = torch.rand(2, 3, 32, 64)
    assert card == {"figures": {"all": 0.5}}
    assert torch.allclose(loaded(images), network(images), atol=0.02) and loaded(images).shape == (2, 32, 64)


# -- auto ---------------------------------------------------------------------------------------------


def test_auto_keeps_the_flood_where_both_agree_and_where_the_segmenter_is_unsure(monkeypatch):
    alpha = disc()
    image = painted(alpha)
    for small, sure, flooded, chosen in (
        (alpha, 0.99, alpha, False),
        (disc(radius=20.0), 0.99, alpha, True),
        (disc(radius=28.6), 0.94, alpha, False),
        (disc(radius=28.6), 0.97, alpha, True),
        (disc(radius=20.0), 0.5, alpha, False),
        (disc(radius=20.0), 0.99, None, True),
        (disc(radius=20.0), 0.5, None, False),
        (0 * alpha, 0.0, alpha, False),
        (1 + 0 * alpha, 1.0, alpha, False),
    ):
        monkeypatch.setattr(learned, "coarse_mask", lambda _, found=(small, sure): found)
        better = learned.better_than_flood(image, flooded)
        assert (better is not None) == chosen
        if chosen:
            assert glyphs.iou(better, small) > 0.98


def test_parts_that_the_segmenter_is_sure_of_are_put_right(monkeypatch):
    """Shadows under the feet and wrongly filled ground leave a flood that is right otherwise; thin lines and parts
    where the segmenter is unsure stay."""
    subject = disc(128, 50)
    shadow, gap, line = (np.zeros((128, 128), np.float32) for _ in range(3))
    shadow[109:116, 44:84] = 1 - subject[109:116, 44:84]
    gap[60:68, 60:68] = 1
    line[40:80, 120:121] = 1
    truth = subject * (1 - gap)
    image = painted(truth, back=(1, 1, 1))
    flooded = np.maximum(np.maximum(subject, shadow), line)
    monkeypatch.setattr(learned, "coarse_mask", lambda _: (truth, 0.98))
    found = learned.better_than_flood(image, flooded)
    for part, value in ((shadow, 0), (gap, 0), (line, 1)):
        inner = part > 0.9 if part is line else ndimage.binary_erosion(part > 0.9)
        assert inner.sum() > 20 and abs(found[inner].mean() - value) < 0.1
    near = ndimage.binary_dilation(np.maximum(shadow, gap) > 0, iterations=4)
    assert np.array_equal(found[~near], flooded[~near])
    monkeypatch.setattr(learned, "coarse_mask", lambda _: (truth, 0.94))
    assert learned.better_than_flood(image, flooded) is None
    monkeypatch.setattr(learned, "coarse_mask", lambda _: (np.maximum(truth, 0.3 * np.maximum(shadow, gap)), 0.98))
    assert learned.better_than_flood(image, flooded) is None


def test_a_shadow_is_left_to_the_flood(monkeypatch):
    subject = disc(128, 30)
    shade = ndimage.gaussian_filter(ndimage.shift(disc(128, 33), (6, 5)), 4)
    image = painted(subject, back=(1, 1, 1)) * (1 - 0.4 * shade * (1 - subject))[..., None].astype(np.float32)
    wide = np.maximum(subject, (shade > 0.15).astype(np.float32))
    monkeypatch.setattr(learned, "coarse_mask", lambda _: (wide, 0.94))
    assert learned.better_than_flood(image, subject) is None
    lined = image * (1 - 0.5 * (wide - ndimage.grey_erosion(wide, 3)))[..., None]  # a border's line is none
    assert learned.better_than_flood(lined.astype(np.float32), subject) is not None


def test_method_is_known_and_an_empty_picture_is_an_error():
    assert METHODS[-1] == "learned", "a new option comes last, so that saved workflows keep theirs"
    flat = torch.full((1, 64, 64, 3), 0.3)
    with pytest.raises(SealError, match=r"image: the learned method found an (empty|full) mask"):
        semantic_mask(flat, method="learned")
    with pytest.raises(SealError, match=r"image: .*empty"):
        semantic_mask(flat)


# -- its training -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source():
    rendered = records(range(10_000_000, 10_000_004), 2)
    rng = np.random.default_rng(0)
    sprites = [s for s in map(segmenter_data.of_render, rendered) if s is not None]
    for _ in range(4):
        rgb, alpha = segmenter_grounds.random_object(rng, SIZE)
        sprites.append(segmenter_data.sprite(rgb, alpha.astype(np.float32) / 255))
    return segmenter_data.SegmenterData(rendered, np.stack(sprites), segmenter_data._grounds(0, 6))


def test_batches(source):
    images, masks = source.batch(24, 3)
    assert images.shape == (24, 3, SIZE, SIZE) and masks.shape == (24, SIZE, SIZE)
    assert images.min() >= 0 and images.max() <= 1 and masks.min() >= 0 and masks.max() <= 1
    again = source.batch(24, 3)
    assert torch.equal(images, again[0]) and torch.equal(masks, again[1])
    assert not torch.equal(images, source.batch(24, 4)[0])
    share = masks.mean((1, 2))
    assert ((share > 0.01) & (share < 0.99)).float().mean() > 0.85


def test_loss_is_lowest_for_the_truth():
    truth = torch.from_numpy(disc())[None]
    right, wrong = 20 * (truth - 0.5), 20 * (torch.from_numpy(disc(radius=20.0))[None] - 0.5)
    assert train_segmenter.segmenter_loss(right, truth) < 0.1 < 0.5 < train_segmenter.segmenter_loss(wrong, truth)
    nothing = torch.zeros_like(truth)
    assert train_segmenter.segmenter_loss(nothing - 12, nothing) < 0.2


@pytest.mark.parametrize("load", [segmenter.load_segmenter, edge_network.load_edge_network])
def test_loading_leaves_the_global_generator(load):
    before = torch.get_rng_state()
    load()
    assert torch.equal(torch.get_rng_state(), before)


def test_training_goes_on_where_it_stopped(source, tmp_path):
    def training():
        torch.manual_seed(0)
        network = segmenter.Segmenter(segmenter.SegmenterLayout((8, 8, 8, 8)), norm=True)
        return AveragedTraining(tmp_path / "state.pt", network)

    def loss(images, truth):
        return lambda network: train_segmenter.segmenter_loss(network(images), truth)

    first = training()
    for _ in range(2):
        first.step(loss(*source.batch(4, 0)), 0.5)
    first.save()
    second = training()
    assert second.about["step"] == 2
    batch = source.batch(4, 1)
    assert first.step(loss(*batch), 0.6) == pytest.approx(second.step(loss(*batch), 0.6), rel=1e-3)
    (tmp_path / "state.pt").write_bytes(b"nothing")
    with pytest.raises(SealError, match="state: "):
        training()
