import numpy as np
import pytest

from seal_core.messages import SealError
from seal_core.world.evaluation.true_regions import adjusted_rand, true_regions


def test_agreement_of_labellings():
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert adjusted_rand(labels, labels) == 1 and adjusted_rand(labels, 5 - labels) == 1
    # 2 + 1 and 1 + 2 of each part: together 2, rows 6, columns 6, of 15 pairs: (2 - 2.4) / (6 - 2.4)
    assert adjusted_rand(labels, np.array([0, 0, 1, 0, 1, 1])) == pytest.approx(-0.4 / 3.6)
    rng = np.random.default_rng(0)
    assert abs(adjusted_rand(rng.integers(0, 4, 5000), rng.integers(0, 4, 5000))) < 0.01


def test_regions_of_a_flat_picture_are_its_colours_and_edges_are_none():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = (200, 40, 40)
    image[:, 31] = (100, 20, 20)  # an edge
    image[16:32, 40:56] = (0, 0, 250)
    found = true_regions(image, 8, 8)
    expected = np.zeros((8, 8), int)
    expected[:, 4:] = 1
    expected[2:4, 5:7] = 2
    assert adjusted_rand(found, expected) == 1
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    with pytest.raises(SealError, match="no colour"):
        true_regions(noise, 8, 8)
