"""Preparing references: every kind of image and mask input, nothing distorted, clear errors."""

import pytest
import torch

from seal_core.messages import SealError
from seal_core.method.fit_references import fit_references
from seal_core.method.references import digest, shrunk_mask


def picture(height=60, width=100, channels=3, count=1):
    """A red disc on grey, and its mask."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    radius = 0.3 * min(height, width)
    mask = ((y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2).float()
    image = torch.full((height, width, 3), 0.5)
    image = torch.where(mask[..., None] > 0, torch.tensor([0.9, 0.1, 0.1]), image)
    if channels == 1:
        image = image.mean(-1, keepdim=True)
    if channels == 4:
        image = torch.cat([image, mask[..., None]], -1)
    return image.expand(count, -1, -1, -1).clone(), mask


def box(mask):
    rows, columns = (torch.nonzero((mask > 0.5).any(d)).flatten() for d in (1, 0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


@pytest.mark.parametrize("size", [(60, 100), (100, 60), (17, 301), (64, 64), (511, 333), (16, 16)])
@pytest.mark.parametrize("resolution", [256, 200])
def test_fitted_and_padded_never_distorted(size, resolution):
    if size == (17, 301) and resolution == 200:
        resolution = 512  # a disc of ten pixels needs the room
    image, mask = picture(*size)
    (reference,), warnings = fit_references(image, mask, resolution)
    height, width = reference.image.shape[:2]
    step = 64 if resolution % 64 == 0 else 8
    assert max(height, width) == resolution and height % step == 0 and width % step == 0
    assert min(height, width) < resolution * min(size) / max(size) + step
    assert reference.mask.shape == (height, width) and reference.image.dtype == reference.mask.dtype == torch.float32
    tall, wide = box(reference.mask)  # a disc stays a disc, scaled by resolution / longer side
    assert abs(tall - wide) <= 2
    assert abs(tall - 0.6 * min(size) * resolution / max(size)) <= 0.1 * tall + resolution / max(size)
    assert reference.image.min() >= 0 and reference.image.max() <= 1 and warnings == []


def test_padding_has_the_grounds_colour_and_no_mask():
    image, mask = picture(60, 100)
    (reference,), _ = fit_references(image, mask, 256)
    assert reference.image.shape == (192, 256, 3)
    for rows in (slice(0, 19), slice(-19, None)):
        assert (reference.image[rows] - 0.5).abs().max() < 0.01 and reference.mask[rows].max() == 0


def test_a_subject_that_reaches_the_border_does_not_colour_the_padding():
    image, mask = torch.full((1, 60, 100, 3), 0.5), torch.zeros(60, 100)
    image[:, :, 20:80], mask[:, 20:80] = torch.tensor([0.9, 0.1, 0.1]), 1
    (reference,), _ = fit_references(image, mask, 256, "foreground")
    assert (reference.image[0] - 0.5).abs().max() < 0.01


def test_picture_and_mask_stay_aligned_through_scaling():
    image, mask = picture(200, 333)
    (reference,), _ = fit_references(image, mask, 128)
    red = (reference.image[..., 0] - reference.image[..., 1]) / 0.8
    assert (red - reference.mask).abs().mean() < 0.01


def test_same_size_is_left_bit_equal():
    image, mask = picture(64, 128)
    (reference,), _ = fit_references(image, mask, 128)
    assert torch.equal(reference.image, image[0]) and torch.equal(reference.mask, mask)


def test_grey_becomes_rgb_and_alpha_lies_on_white():
    grey, mask = picture(channels=1)
    (reference,), warnings = fit_references(grey, mask, 128)
    assert reference.image.shape[-1] == 3 and not warnings
    assert torch.equal(reference.image[..., 0], reference.image[..., 2])
    rgba, mask = picture(channels=4)
    (reference,), warnings = fit_references(rgba, mask, 128)
    assert reference.image[0, 0].tolist() == pytest.approx([1, 1, 1], abs=1e-3)
    assert len(warnings) == 1 and "alpha" in warnings[0] and "white" in warnings[0]


def test_alpha_is_the_mask_only_if_none_is_given():
    rgba, mask = picture(channels=4)
    (own,), warnings = fit_references(rgba, None, 128, "background")  # an image's own alpha has one meaning
    (given,), _ = fit_references(rgba, mask, 128)
    assert torch.equal(own.mask, given.mask) and any("own alpha" in w for w in warnings)
    other = torch.zeros_like(mask)
    other[20:40, 40:60] = 1
    (reference,), _ = fit_references(rgba, other, 128)
    assert box(reference.mask) == pytest.approx((25.6, 25.6), abs=1)
    with pytest.raises(SealError, match=r"mask.*SEAL Semantic Mask"):
        fit_references(rgba[..., :3], None, 128)


def test_inverted_masks_are_understood():
    image, mask = picture()
    (right,), _ = fit_references(image, mask, 128)
    for polarity in ("auto", "background"):
        assert torch.allclose(fit_references(image, 1 - mask, 128, polarity)[0][0].mask, right.mask, atol=1e-6)
    taken_literally = fit_references(image, 1 - mask, 128, "foreground")[0][0].mask
    assert taken_literally[64, 64] == 0 and taken_literally[64, 4] == 1


def test_one_mask_for_all_or_one_each_and_no_other_count():
    image, mask = picture(count=3)
    shifted = torch.stack([mask.roll(10 * i, 1) for i in range(3)])
    centres = [
        float((r.mask.sum(0) * torch.arange(128)).sum() / r.mask.sum()) for r in fit_references(image, shifted, 128)[0]
    ]
    assert centres[2] - centres[1] == pytest.approx(12.8, abs=0.1) == centres[1] - centres[0]
    for one in (mask, mask[None]):
        assert len(fit_references(image, one, 128)[0]) == 3
    with pytest.raises(SealError, match=r"^mask: 2 masks for 3 images"):
        fit_references(image, shifted[:2], 128)
    with pytest.raises(SealError, match=r"^mask: 3 masks for 1 image;"):
        fit_references(image[:1], shifted, 128)


def test_a_mask_of_another_size_is_resized_and_said():
    image, mask = picture(60, 100)
    _, small = picture(30, 50)
    (reference,), warnings = fit_references(image, small, 128)
    assert warnings == ["mask: resized from 50 x 30 to the image's 100 x 60."]
    assert (reference.mask - fit_references(image, mask, 128)[0][0].mask).abs().mean() < 0.02


@pytest.mark.parametrize("value, what", [(0.0, "empty"), (1.0, "full")])
def test_empty_and_full_masks(value, what):
    image, mask = picture(count=2)
    masks = torch.stack([mask, torch.full_like(mask, value)])
    with pytest.raises(SealError, match=rf"^mask of image 2: {what} \([\d.]+%.*SEAL Semantic Mask.*mask_polarity"):
        fit_references(image, masks, 128, "foreground")
    with pytest.raises(SealError, match=rf"^mask: {what}"):
        fit_references(image[:1], masks[1], 128, "foreground")


def test_a_subject_that_shrinks_to_nothing():
    image, mask = torch.rand(1, 1000, 1000, 3), torch.zeros(1000, 1000)
    mask[480:520, 480:530] = 1
    with pytest.raises(SealError, match=r"^mask: the subject is lost at 64 px.*raise resolution"):
        fit_references(image, mask, 64)
    assert len(fit_references(image, mask, 512)[0]) == 1


def test_values_out_of_range():
    image, mask = picture()
    (reference,), warnings = fit_references(image * 2 - 0.3, mask * 3 - 1, 128)
    assert sorted(w.split(":")[0] for w in warnings) == ["image", "mask"] and all("clipped" in w for w in warnings)
    assert reference.image.min() >= 0 and reference.image.max() <= 1 and reference.mask.max() <= 1
    assert fit_references(image + 1e-5, mask * (1 + 1e-6), 128)[1] == []  # rounding is not worth a word
    for bad in (float("nan"), float("inf")):
        broken = image.clone()
        broken[0, 3, 3, 1] = bad
        with pytest.raises(SealError, match=r"^image: .*NaN"):
            fit_references(broken, mask, 128)
        with pytest.raises(SealError, match=r"^mask: .*NaN"):
            fit_references(image, mask + bad, 128)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 15, 300, 3), (1, 64, 64, 2), (64, 64), (0, 64, 64, 3)])
def test_shapes_that_are_no_picture(shape):
    with pytest.raises(SealError, match=r"^image: "):
        fit_references(torch.rand(shape), torch.ones(64, 64), 128)
    with pytest.raises(SealError, match=r"^mask: shape"):
        fit_references(picture()[0], torch.ones(1, 2, 60, 100), 128)


def test_larger_than_the_resolution_and_half_precision():
    image, mask = picture(816, 1089)
    (reference,), _ = fit_references(image.half(), mask, 512)
    assert reference.image.shape == (384, 512, 3) and reference.image.dtype == torch.float32


def test_inputs_are_not_changed_and_inference_tensors_work():
    with torch.inference_mode():
        image, mask = picture(64, 64, 4)
    before = image.clone(), mask.clone()
    (reference,), _ = fit_references(image, mask, 64)
    assert torch.equal(image, before[0]) and torch.equal(mask, before[1])
    reference.image.clone().requires_grad_(True).sum().backward()
    assert not reference.image.is_inference() and not reference.mask.is_inference()


def test_shrunk_mask_averages_areas():
    mask = torch.zeros(64, 48)
    mask[:32, :20] = 1
    small = shrunk_mask(mask, 8, 6)
    assert small.shape == (8, 6) and small[0].tolist() == [1, 1, 0.5, 0, 0, 0] and small[4:].max() == 0
    assert torch.equal(shrunk_mask(torch.stack([mask, 1 - mask]), 8, 6), torch.stack([small, 1 - small]))
    assert shrunk_mask(mask, 5, 7).mean() == pytest.approx(float(mask.mean()), abs=0.02)


def test_digest_sees_content_and_shape():
    image, mask = picture(64, 64)
    assert digest(image, mask) == digest(image.clone(), mask.double())
    others = [digest(image + 0.01, mask), digest(image, 1 - mask), digest(image, mask[None]), digest(mask, image)]
    assert len({digest(image, mask), *others}) == 5
    assert digest(image.permute(0, 2, 1, 3), mask) != digest(image.reshape(1, 32, 128, 3), mask)


def test_a_mask_that_is_turned_round_is_said():
    """A subject that fills the border looks like LoadImage's inverted mask, whoever made the mask."""
    image, mask = picture()
    for given in (1 - mask, (1 - mask).expand(1, -1, -1)):
        (reference,), warnings = fit_references(image, given, 128, "auto")
        assert float(reference.mask.mean()) < 0.5 and len(warnings) == 1
        assert warnings[0].startswith("mask: 1 was taken for the ground") and "mask_polarity" in warnings[0]
    for given, polarity in ((mask, "auto"), (1 - mask, "background"), (1 - mask, "foreground")):
        assert fit_references(image, given, 128, polarity)[1] == []
