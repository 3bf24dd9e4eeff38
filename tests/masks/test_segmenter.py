"""The segmenter: what it finds, its file, sizes, how auto chooses, its training."""

from __future__ import annotations

import random

import glyphs
import numpy as np
import pytest
import torch

from seal_core.demo.attribute_values import VALUES
from seal_core.masks import edge_network, segmenter, small_networks
from seal_core.masks.barrier import barrier_and_toll
from seal_core.masks.methods import METHODS, semantic_mask
from seal_core.messages import SealError
from seal_core.stickers.cutout import cutout
from seal_core.world.mask_networks import segmenter_data, sprites, train_segmenter
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


def learned(image):
    return semantic_mask(torch.from_numpy(image)[None], method="learned")[0].numpy()


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
        scores.append(glyphs.iou(learned(image), truth))
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
    mask = segmenter.coarse_mask(image)
    assert max(mask.shape) == segmenter.SIDE and mask.dtype == np.float32 and mask.min() >= 0 and mask.max() <= 1
    if min(shape) < segmenter.LEAST:
        assert not mask.any()


def test_a_closed_outline_is_a_barrier_and_a_shadow_is_a_toll():
    """White within a black ring on white; the ring open at one place; and a soft slope."""
    y, x = np.mgrid[:96, :96] - 47.5
    ring = np.abs(np.hypot(y, x) - 30) < 1.5
    gap = ring & ~((np.abs(y) < 4) & (x > 0))
    images = np.ones((3, 96, 96, 3), np.float32)
    images[0][ring], images[1][gap] = 0, 0
    images[2] -= 0.6 * (1 - np.hypot(y, x) / 68)[..., None].clip(0, 1)
    barrier, toll = barrier_and_toll(images)
    assert barrier[0, 48, 48] == pytest.approx(0.99) and barrier[0, 2, 48] == barrier[0, 48, 2] == 0
    assert barrier[1, 48, 48] == toll[1, 48, 48] == 0, "the way through the gap costs nothing"
    assert barrier[2].max() < 0.01 and barrier[:, 0].max() == toll[:, 0].max() == 0
    steep = images.copy()
    steep[2] = 1 - 3 * (1 - steep[2])
    assert barrier_and_toll(steep)[1][2, 48, 48] > 10 * barrier_and_toll(steep)[0][2, 48, 48] > 0


def test_the_same_every_time():
    image, _ = sticker(27_000_200)
    assert np.array_equal(learned(image), learned(image.copy()))


# -- its file -----------------------------------------------------------------------------------------


def test_the_file_is_small_and_tells_its_figures():
    _, card = segmenter.load_segmenter()
    both = sum(path.stat().st_size for path in (segmenter.SEGMENTER_FILE, edge_network.EDGE_NETWORK_FILE))
    assert both < 6e6 and card["figures"]["all"] > 0.9 and card["pictures"] > 1000
    assert any("MIT" in source for source in card["art"])


def test_a_missing_or_damaged_file_is_an_error(other_file):
    image = torch.from_numpy(painted(disc()))[None]
    whole = segmenter.segmenter_bytes(segmenter.Segmenter(segmenter.SegmenterLayout((8, 8, 8, 8, 8))), {})
    for data, message in (
        (None, "there is no file"),
        (b"", "cannot be read"),
        (whole[:-100], "cannot be read"),
        (whole.replace(b"segmenter", b"somethign"), "another kind of file"),
        (whole.replace(b'\\"format\\": 1', b'\\"format\\": 7'), "format 7"),
        (whole.replace(b"[8, 8, 8, 8, 8]", b"[8, 8, 8, 8, 9]"), "no whole segmenter"),
    ):
        if data is not None:
            other_file.write_bytes(data)
        with pytest.raises(SealError, match=f"segmenter: .*{message}"):
            semantic_mask(image, method="learned")
        with pytest.raises(SealError, match="segmenter: "):
            cutout(image, method="learned")
        with pytest.raises(SealError, match="segmenter: "):
            semantic_mask(image)
        small_networks._cached.cache_clear()


def test_a_file_holds_the_folded_network(tmp_path):
    torch.manual_seed(0)
    network = segmenter.Segmenter(segmenter.SegmenterLayout((8, 8, 8, 16, 16)), norm=True)
    network(torch.rand(4, 3, 64, 96))  # running figures
    path = tmp_path / "one.safetensors"
    path.write_bytes(segmenter.segmenter_bytes(network.eval().folded(), {"figures": {"all": 0.5}}))
    loaded, card = segmenter.load_segmenter(path)
    images = torch.rand(2, 3, 32, 64)
    assert card == {"figures": {"all": 0.5}}
    assert torch.allclose(loaded(images), network(images), atol=0.02) and loaded(images).shape == (2, 32, 64)


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
    return segmenter_data.SegmenterData(
        segmenter_data.renders(0, 4), [sprites.of_objects(6)], segmenter_data.grounds(0, 6)
    )


def test_batches(source):
    images, masks = source.batch(12, 3)
    assert images.shape == (12, 3, segmenter.SIDE, segmenter.SIDE) and masks.shape == (
        12,
        segmenter.SIDE,
        segmenter.SIDE,
    )
    assert images.min() >= 0 and images.max() <= 1 and masks.min() >= 0 and masks.max() <= 1
    again = source.batch(12, 3)
    assert torch.equal(images, again[0]) and torch.equal(masks, again[1])
    assert not torch.equal(images, source.batch(12, 4)[0])
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
        network = segmenter.Segmenter(segmenter.SegmenterLayout((8, 8, 8, 8, 8)), norm=True)
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
