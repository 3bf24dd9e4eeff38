import numpy as np
import pytest
import torch

from seal_core.messages import SealError
from seal_core.style.regions import Regions, find_regions, silhouette

SIZE = 32


def three_parts(seed: int = 0):
    """(true labels, latents, features): a subject of two parts on a ground, told apart in features and colour."""
    truth = np.zeros((SIZE, SIZE), int)
    truth[6:26, 8:24] = 1
    truth[6:14, 8:24] = 2
    noise = torch.Generator().manual_seed(seed)
    means = torch.randn(3, 12, generator=noise) * 3
    colours = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]])
    at = torch.from_numpy(truth)
    features = (means[at] + 0.3 * torch.randn(SIZE, SIZE, 12, generator=noise)).permute(2, 0, 1)
    return truth, colours[at].permute(2, 0, 1)[None], features


def found(mask=None, seed: int = 0, most: int = 6, **changes) -> Regions:
    _, latents, features = three_parts()
    given = {"latents": latents, "features": features} | changes
    return find_regions(torch.zeros(SIZE * 8, SIZE * 8, 3), mask=mask, most=most, seed=seed, **given)


def same_parts(a, b) -> bool:
    """Whether two labellings cut alike: each label of one is one label of the other."""
    pairs = set(zip(np.ravel(a).tolist(), np.ravel(b).tolist()))
    return len(pairs) == len(np.unique(a)) == len(np.unique(b))


def test_parts_that_look_alike_become_regions_and_their_number_is_found():
    assert same_parts(found().labels, three_parts()[0])
    assert found().inside is None and found().count == 3


def test_the_same_seed_gives_the_same_regions():
    assert (found(seed=3).labels == found(seed=3).labels).all()


def test_regions_end_at_the_mask_and_the_subject_comes_first():
    truth, latents, features = three_parts()
    mask = torch.from_numpy((truth > 0).astype(np.float32))
    cut = found(mask)
    assert cut.inside == (True, True, False) and same_parts(cut.labels, truth)
    plain = found(mask, features=torch.zeros_like(features), latents=torch.zeros_like(latents))  # nothing to tell apart
    assert plain.inside == (True, False) and ((plain.labels == 0) == (truth > 0)).all()


def test_regions_of_one_colour_are_one():
    truth, latents, _ = three_parts()
    alike = latents.clone()
    alike[:, :, torch.from_numpy(truth == 2)] = alike[:, :, torch.from_numpy(truth == 1)][:, :, :1]
    assert same_parts(found(latents=alike).labels, truth > 0)


def test_small_pieces_go_to_their_neighbours():
    truth, latents, features = three_parts()
    features, latents = features.clone(), latents.clone()
    features[:, 1, 1], latents[:, :, 1, 1] = features[:, 8, 10], latents[:, :, 8, 10]
    assert same_parts(found(features=features, latents=latents).labels, truth)


def test_a_picture_of_one_colour_is_one_region():
    one = found(features=torch.ones(12, SIZE, SIZE), latents=torch.ones(1, 4, SIZE, SIZE))
    assert one.count == 1


def test_labels_at_another_size():
    assert found().at(8, 8).unique().tolist() == [0, 1, 2] and found().at(8, 8).shape == (64,)


def test_bad_input_is_refused_with_a_remedy():
    with pytest.raises(SealError, match="mask: it marks no subject"):
        found(torch.zeros(SIZE, SIZE))
    with pytest.raises(SealError, match="regions: 0"):
        found(most=0)


def test_silhouette_of_known_points():
    points = np.array([0.0, 1.0, 10.0, 11.0])
    apart = np.abs(points[:, None] - points[None])
    # (b - a) / max(a, b) by hand: 9.5/10.5, 8.5/9.5, twice
    assert silhouette(apart, np.array([0, 0, 1, 1])) == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    assert silhouette(apart, np.array([0, 0, 0, 0])) == -1
    assert silhouette(apart, np.array([0, 0, 0, 1])) < silhouette(apart, np.array([0, 0, 1, 1]))
