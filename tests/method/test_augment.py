"""Context augmentation: same size, same seed, no halo, and words that are true of the ground."""

import pytest
import torch

from seal_core.messages import SealError
from seal_core.method.augment import (
    AUGMENT_GROUNDS,
    COLOURS,
    ENLARGED,
    LARGE,
    SMALL,
    _decontaminated,
    _ground,
    make_views,
)
from seal_core.method.references import Reference

OWN = (0.3, 0.25, 0.45)


def disc(height=96, width=128, ground=(0.1, 0.9, 0.1), radius=0.3, soften=1.0, colour=OWN):
    """A disc with a soft edge, brighter on its left half, on a plain ground; composed exactly."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    away = ((y - height / 2) ** 2 + (x - width / 2) ** 2).sqrt() - radius * min(height, width)
    mask = (0.5 - away / soften).clamp(0, 1)
    subject = torch.tensor(colour) + 0.3 * (x < width / 2)[..., None]
    return Reference(mask[..., None] * subject + (1 - mask[..., None]) * torch.tensor(ground), mask)


def views(count=40, seed=0, references=None):
    return make_views(references or [disc()], count, torch.Generator().manual_seed(seed))


def extent(mask):
    rows, columns = (torch.nonzero((mask > 0.5).any(d)).flatten() for d in (1, 0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def test_references_come_first_unchanged():
    references = [disc(), disc(64, 64)]
    made = views(5, references=references)
    assert len(made) == 7
    for view, reference in zip(made, references):
        assert view.image is reference.image and view.mask is reference.mask
        assert view.background == "" and not view.mirrored
    assert [v.source for v in made] == [0, 1, 0, 1, 0, 1, 0]
    for view in made[2:]:
        assert view.background and view.image.shape[:2] == view.mask.shape == references[view.source].mask.shape
    assert len(views(0)) == 1


def test_deterministic_for_a_seed():
    one, same, other = views(6), views(6), views(6, seed=1)
    for a, b in zip(one, same):
        assert torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask) and a.background == b.background
    assert [v.background for v in one] != [v.background for v in other]


def test_views_are_valid_and_the_subject_stays_whole():
    scales, centres = [], []
    for view in views(60)[1:]:
        assert view.image.isfinite().all() and view.image.min() >= 0 and view.image.max() <= 1
        assert view.mask.min() >= 0 and view.mask.max() <= 1
        height, width = extent(view.mask)
        assert abs(height - width) <= 2, "a disc stays a disc"
        scales.append(height / 96)
        centres.append(torch.nonzero(view.mask > 0.5).float().mean(0))
    assert min(scales) > SMALL - 0.05 and max(scales) < LARGE + 0.05 and max(scales) - min(scales) > 0.3
    assert torch.stack(centres).std(0).min() > 5, "moved both ways"


def test_mirrored_says_so():
    made = views(40)[1:]
    assert 8 < sum(v.mirrored for v in made) < 32
    for view in made:
        inside = view.mask > 0.99
        columns = torch.nonzero(inside)[:, 1].float()
        pixels = view.image[inside].mean(-1)
        bright_left = pixels[columns < columns.mean()].mean() > pixels[columns > columns.mean()].mean()
        assert bool(bright_left) != view.mirrored


def test_no_halo_of_the_old_ground():
    """The same disc cut from a green ground and from a red one gives the same views."""
    green, red = (views(12, references=[disc(ground=ground)]) for ground in ((0.1, 0.9, 0.1), (0.9, 0.1, 0.1)))
    for a, b in zip(green[1:], red[1:]):
        assert a.background == b.background
        assert (a.image - b.image).abs().max() < 0.02


def test_thin_parts_keep_their_own_colour():
    """A grey whisker, half covering its pixels, next to an orange face."""
    mask, subject = torch.zeros(64, 64), torch.tensor([1.0, 0.6, 0.1]).expand(64, 64, 3).clone()
    mask[20:44, 20:40] = 1
    mask[30, 40:56], subject[30, 40:56] = 0.5, torch.tensor([0.3, 0.3, 0.3])
    image = mask[..., None] * subject + (1 - mask[..., None]) * torch.tensor([0.2, 0.9, 0.3])
    clean = _decontaminated(Reference(image, mask))
    assert (clean.image[30, 40:56] - 0.3).abs().max() < 1e-5
    assert torch.equal(clean.image[mask == 1], image[mask == 1])


def test_a_feathered_mask_is_no_opacity():
    reference = disc(soften=24)
    assert _decontaminated(reference) is reference


@pytest.mark.parametrize("mask", [torch.ones(64, 64), torch.full((64, 64), 0.5)], ids=["full", "half"])
def test_odd_masks_survive(mask):
    for view in make_views([Reference(torch.rand(64, 64, 3), mask)], 4, torch.Generator().manual_seed(0)):
        assert view.image.isfinite().all() and view.image.shape == (64, 64, 3)


def test_an_empty_mask_is_a_clear_error():
    with pytest.raises(SealError, match=r"^mask: empty.*SEAL Semantic Mask"):
        make_views([Reference(torch.rand(32, 32, 3), torch.zeros(32, 32))], 1, torch.Generator())


def nearest_colours(image):
    """Which named colour each pixel is nearest to, as a share of all pixels."""
    names = list(COLOURS)
    away = torch.cdist(image.reshape(-1, 3), torch.tensor([COLOURS[n] for n in names]))
    shares = torch.bincount(away.argmin(1), minlength=len(names)) / away.shape[0]
    return dict(zip(names, shares.tolist()))


def grounds(count=150):
    g = torch.Generator().manual_seed(3)
    for _ in range(count):
        names = [list(COLOURS)[int(i)] for i in torch.randperm(len(COLOURS), generator=g)]
        yield _ground(48, 72, names, g)


def test_words_are_true_of_the_ground():
    seen = set()
    for image, words in grounds():
        assert image.shape == (48, 72, 3) and image.min() >= 0 and image.max() <= 1
        kind = next(k for k in AUGMENT_GROUNDS if k in words)
        seen.add(kind)
        shares = nearest_colours(image)
        named = [n for n in COLOURS if n in words.split()]
        variation = float(image.std(dim=(0, 1)).max())
        if kind == "plain":
            assert len(named) == 1 and shares[named[0]] == 1 and variation < 1e-6
        elif kind in ("striped", "checkered", "dotted"):
            assert len(named) == 2 and " and " in words
            assert sum(shares[n] for n in named) > 0.7 and min(shares[n] for n in named) > 0.1, (words, shares)
        elif kind == "grainy":
            assert len(named) == 1 and 0.005 < variation < 0.2
            shift = image.mean(dim=(0, 1)) - torch.tensor(COLOURS[named[0]])
            assert shift.abs().max() < 0.15, (words, shift)
        else:
            assert len(named) == 1 and variation > 0.01
            assert (image - torch.tensor(COLOURS[named[0]])).abs().sum(-1).min() < 0.1
    assert seen == set(AUGMENT_GROUNDS)


def test_two_coloured_grounds_show_two_colours():
    for _, words in grounds():
        named = [torch.tensor(COLOURS[n]) for n in COLOURS if n in words.split()]
        assert len(named) == 1 or (named[0] - named[1]).norm() > 0.4, words


def test_the_subject_does_not_melt_into_the_ground():
    red = disc(colour=tuple(c - 0.1 for c in COLOURS["red"]), ground=(0.5, 0.5, 0.5))
    words = [v.background for v in views(60, references=[red])[1:]]
    assert not any(w in ("plain red", "red gradient", "grainy red") for w in words)


def test_a_small_subject_is_seen_closer_but_never_blown_up():
    small = [extent(v.mask)[0] for v in views(30, references=[disc(radius=0.1)])[1:]]
    assert max(small) > 2 * 19, "it was 19 pixels"
    tiny = [extent(v.mask)[0] for v in views(30, references=[disc(radius=0.03)])[1:]]
    assert max(tiny) <= (ENLARGED + 0.7) * 6
