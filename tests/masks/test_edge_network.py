"""The edge network: how it refines a rough outline, its file, its training data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from discs import disc, disc_picture
from scipy import ndimage

from seal_core.masks import edge_network, outline
from seal_core.masks.outline import matte
from seal_core.messages import SealError
from seal_core.pictures.resize import resize
from seal_core.stickers.cutout import cutout
from seal_core.world.mask_networks import edge_data, train_edges
from seal_core.world.mask_networks.averaged import AveragedTraining

SEED = 20_700_000  # validation characters that no figure is reported on


def rough(alpha, factor=4):
    """The mask of a method that sees a picture of a quarter of the size."""
    height, width = alpha.shape
    return resize((resize(alpha, height // factor, width // factor) > 0.5).astype(np.float32), height, width)


def edge_error(found, alpha, values=None):
    soft = ndimage.binary_dilation((alpha > 0.02) & (alpha < 0.98), iterations=2)
    return float(np.abs(found - alpha)[soft].mean()) if values is None else float(np.abs(found - values)[soft].mean())


# -- what it does -------------------------------------------------------------------------------------


def test_a_rough_outline_becomes_fine_and_its_colours_stay():
    """Its colours are about as near as the picture's own: 1.06 times their error on 24 pictures."""
    before, after, washed, clean = [], [], [], []
    for i in range(24):
        image, own, alpha = edge_data.rendered_sticker(SEED + i, 256)
        colours, found = matte(image, rough(alpha))
        before.append(edge_error(rough(alpha), alpha))
        after.append(edge_error(found, alpha))
        solid = alpha[..., None]
        washed.append(edge_error(image * solid, alpha, own * solid))
        clean.append(edge_error(colours * solid, alpha, own * solid))
    assert np.mean(after) < 0.5 * np.mean(before) and np.mean(after) < 0.12
    assert np.mean(clean) < 1.1 * np.mean(washed)


def test_a_smaller_mask_is_made_finer_step_by_step():
    image, _, alpha = edge_data.rendered_sticker(SEED + 10, 512)
    small = resize(alpha, 128, 128)
    found = matte(image, small)[1]
    assert found.shape == alpha.shape
    assert edge_error(found, alpha) < 0.7 * edge_error(resize(small, 512, 512), alpha)


@pytest.mark.parametrize("shape", [(131, 77), (9, 7), (300, 260), (1, 40)])
def test_any_size(shape):
    image = np.full((*shape, 3), 0.9, np.float32)
    mask = np.zeros(shape, np.float32)
    mask[shape[0] // 4 : shape[0] * 3 // 4 + 1, shape[1] // 4 : shape[1] * 3 // 4] = 1
    image[mask > 0] = (0.8, 0.1, 0.1)
    colours, alpha = matte(image, mask)
    assert colours.shape == image.shape and alpha.shape == shape
    assert colours.dtype == alpha.dtype == np.float32
    for values in (colours, alpha):
        assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1


def test_far_from_the_outline_the_mask_is_believed():
    image, _, alpha = edge_data.rendered_sticker(SEED + 11, 256)
    near = outline.REACH
    found = matte(image, rough(alpha))[1]
    solid = rough(alpha) > 0.5
    deep = ndimage.binary_erosion(solid, np.ones((3, 3)), iterations=near + 1)
    far = ~ndimage.binary_dilation(solid, np.ones((3, 3)), iterations=near + 1)
    assert deep.any() and far.any() and (found[deep] == 1).all() and (found[far] == 0).all()
    for flat in (np.zeros, np.ones):
        colours, same = matte(image, flat(alpha.shape, np.float32))
        assert np.array_equal(same, flat(alpha.shape)) and np.array_equal(colours, image)


def test_tiles_leave_no_seams(monkeypatch):
    image, _, alpha = edge_data.rendered_sticker(SEED + 12, 512)
    tiled = matte(image, rough(alpha))
    monkeypatch.setattr(outline, "TILE", 1024)
    whole = matte(image, rough(alpha))
    for one, other in zip(tiled, whole, strict=True):
        assert np.quantile(np.abs(one - other), 0.9999) < 0.1 and np.abs(one - other).mean() < 1e-4


def test_large_pictures_get_a_sharp_outline_and_the_network_sees_no_tile_without_it(monkeypatch):
    alpha = disc(1000, 320)
    predict, shares = outline.predict_edge, []
    monkeypatch.setattr(outline, "predict_edge", lambda *a: shares.append((a[2] > 0.5).mean()) or predict(*a))
    found = matte(disc_picture(alpha)[0].numpy(), resize(alpha, 250, 250))[1]
    assert edge_error(found, alpha) < 0.05
    assert len(shares) > 4 and min(shares) > 0 and max(shares) < 1


def test_deep_inside_not_a_bit_changes():
    image, _, alpha = edge_data.rendered_sticker(SEED + 14, 512)
    colours, found = matte(image, rough(alpha) * np.float32(0.7))
    deep = ndimage.distance_transform_edt(found > 0.5) > outline.TOUCHED
    assert deep.sum() > 10_000 and np.array_equal(colours[deep], image[deep])
    assert (found[deep] == 1).all(), "the inside is opaque, however unsure the mask"


# -- its file -----------------------------------------------------------------------------------------


def test_the_file_is_small_and_tells_its_figures():
    _, card = edge_network.load_edge_network()
    assert edge_network.EDGE_NETWORK_FILE.stat().st_size < 1e6 and card["pictures"] > 10_000
    assert {"opacity 128", "colour 128", "opacity 512", "colour 512"} <= card["figures"].keys()


def test_without_its_file_it_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(edge_network, "EDGE_NETWORK_FILE", tmp_path / "edges.safetensors")
    image, _, alpha = edge_data.rendered_sticker(SEED + 13, 256)
    with pytest.raises(SealError, match=r"edge network: .*no file"):
        cutout(torch.from_numpy(image)[None])
    (tmp_path / "edges.safetensors").write_bytes(b"nothing")
    with pytest.raises(SealError, match=r"edge network: .*cannot be read"):
        matte(image, alpha)


# -- its training -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source():
    rng = np.random.default_rng(0)
    rows = []
    for i, size in enumerate((128, 192)):
        rows += edge_data.crops(rng, *edge_data.rendered_sticker(SEED + 20 + i, size))
        rows += edge_data.crops(rng, *edge_data.composed_picture(rng, size, art=False))
    return edge_data.EdgeData([np.stack(rows)])


def test_what_is_composed_is_its_own_colours_over_a_ground():
    for seed in range(6):
        image, own, alpha = edge_data.composed_picture(np.random.default_rng(seed), 160, art=False)
        assert np.abs(image - own)[alpha == 1].max() < 1e-5
        assert (alpha > 0.5).any() and (alpha < 0.5).any() and ((alpha > 0.02) & (alpha < 0.98)).any()


def test_batches(source):
    image, mask, alpha, own = source.batch(12, 3)
    assert image.shape == own.shape == (12, 3, edge_data.CROP, edge_data.CROP)
    assert mask.shape == alpha.shape == (12, edge_data.CROP, edge_data.CROP)
    for values in (image, mask, alpha, own):
        assert values.min() >= 0 and values.max() <= 1
    again, other = source.batch(12, 3), source.batch(12, 4)
    assert all(torch.equal(a, b) for a, b in zip((image, mask, alpha, own), again, strict=True))
    assert not torch.equal(image, other[0])
    off = (mask - alpha).abs().mean((1, 2))
    assert off.max() < 0.2 and (off > 1e-3).float().mean() > 0.5, "masks are rough, not others"


def test_loss_is_lowest_for_the_truth(source):
    image, mask, alpha, own = source.batch(4, 1)
    logits = torch.logit(alpha.clamp(1e-4, 1 - 1e-4))
    best = train_edges.edge_loss((logits, own), image, mask, alpha, own)
    for worse in ((torch.logit(mask.clamp(1e-4, 1 - 1e-4)), own), (logits, image)):
        assert train_edges.edge_loss(worse, image, mask, alpha, own) > best + 0.005


def test_training_learns_and_goes_on(source, tmp_path):
    def training():
        torch.manual_seed(0)
        network = edge_network.EdgeNetwork(edge_network.EdgeLayout((8, 8, 8, 8)), norm=True)
        return AveragedTraining(tmp_path / "state.pt", network)

    images, masks, alpha, own = source.batch(6, 0)

    def loss(network):
        return train_edges.edge_loss(network(images, masks), images, masks, alpha, own)

    first = training()
    values = [first.step(loss, 0.0) for _ in range(24)]
    assert values[-1] < 0.8 * values[0]
    first.save()
    assert training().step(loss, 0.1) == pytest.approx(first.step(loss, 0.1), rel=1e-3)


def test_folding_changes_nothing(source):
    torch.manual_seed(0)
    network = edge_network.EdgeNetwork(edge_network.EdgeLayout((8, 8, 8, 8)), norm=True)
    images, masks, _, _ = source.batch(4, 0)
    for _ in range(3):
        network(images, masks)
    network.eval()
    with torch.no_grad():
        for one, other in zip(network(images, masks), network.folded()(images, masks), strict=True):
            assert torch.allclose(one, other, atol=1e-4)
