"""One animated sticker as an example: resampled, masked, refused where nothing moves."""

import pytest
import torch
from sticker_clips import sliding

from seal_core.messages import SealError
from seal_core.motion.temporal.example_clip import example_clip

SIDE = 64


def clip(images, masks=None, caption="a cat", frames=4):
    return example_clip(images, masks, caption, frames=frames, resolution=SIDE)


@pytest.mark.parametrize("count", [2, 3, 8, 500])
def test_any_number_of_frames_becomes_the_one_asked_for(count):
    images = sliding(count, SIDE)
    example, noticed = clip(images)
    assert example.images.shape == (4, SIDE, SIDE, 3) and example.masks.shape == (4, SIDE, SIDE)
    shown = [i * count // 4 for i in range(4)]
    assert torch.allclose(example.images, images[shown], atol=1e-4)
    assert any(f"{count} frames, of which 4" in line for line in noticed)


def test_the_loss_looks_where_the_subject_comes_in_any_frame():
    images = sliding(4, SIDE)
    masks = (images[..., 0] > 0.5).float()
    focus = clip(images, masks)[0].focus(8, 8, 0.1)
    assert focus.shape == (1, 4, 8, 8) and torch.allclose(focus.mean(), torch.tensor(1.0))
    assert all(torch.equal(focus[0, 0], frame) for frame in focus[0])
    reached = torch.nn.functional.max_pool2d(masks, 8).amax(0) > 0
    assert focus[0, 0][reached].min() > focus[0, 0][~reached].max()
    assert torch.allclose(clip(images)[0].focus(8, 8, 0.1), torch.ones(1)), "without a mask everything counts"


def test_alpha_counts_as_a_mask_and_an_opaque_one_does_not():
    images = sliding(4, SIDE, channels=4)
    example, noticed = clip(images)
    assert 0.05 < float(example.masks.mean()) < 0.5 and any("alpha is used" in line for line in noticed)
    opaque = torch.cat([sliding(4, SIDE), torch.ones(4, SIDE, SIDE, 1)], dim=-1)
    assert float(clip(opaque)[0].masks.mean()) == 1


def test_a_mask_that_is_the_same_everywhere_is_not_used():
    example, noticed = clip(sliding(4, SIDE), torch.zeros(1, SIDE, SIDE))
    assert float(example.masks.mean()) == 1 and any("the same everywhere" in line for line in noticed)


@pytest.mark.parametrize(
    ("images", "masks", "caption", "words"),
    [
        (sliding(1, SIDE), None, "a cat", "^image: one picture does not move"),
        (sliding(1, SIDE).repeat(8, 1, 1, 1), None, "a cat", "^image: its frames are all alike"),
        (sliding(4, SIDE), None, "a {cat}", "^image_captions: .*braces"),
        (sliding(4, SIDE), torch.rand(3, SIDE, SIDE).round(), "a cat", "^mask: 3 masks"),
        (sliding(4, SIDE), torch.stack([torch.eye(SIDE), *[torch.zeros(SIDE, SIDE)] * 3]), "a cat", "^mask of image 2"),
        (sliding(4, 8), None, "a cat", "^image: 8 x 8 is too small"),
        (sliding(4, SIDE) * float("nan"), None, "a cat", "^image: "),
    ],
)
def test_bad_examples_are_refused(images, masks, caption, words):
    with pytest.raises(SealError, match=words):
        clip(images, masks, caption)
