"""Stickers that move: whole, in their own colours, alike in every run, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from standing import COLOUR, area, lowest, standing
from torch import Tensor

from seal_core.messages import SealError, SealWarning
from seal_core.motion import moving_stickers as subject
from seal_core.motion.motion_laws import MOTIONS, POSES, stances
from seal_core.motion.moving_stickers import MotionSettings, moving_stickers
from seal_core.motion.overlay_laws import OVERLAYS
from seal_core.stickers.border import Border, add_border

motions = pytest.mark.parametrize("motion", MOTIONS)


def frames_of(motion: str, picture: Tensor | None = None, **settings) -> Tensor:
    """Frames of one loop; for key poses of the picture and its mirror image."""
    picture = standing() if picture is None else picture
    pictures = [picture, picture.flip(2)] if motion == POSES else [picture]
    (made,) = moving_stickers(pictures, (), MotionSettings(motion, **{"shadow": 0.0, **settings}))
    return made.images


@motions
def test_frames_loop_without_a_seam(motion):
    frames = frames_of(motion, frames=24)
    assert frames.shape == (24, 160, 160, 4) and frames.dtype == torch.float32
    assert frames.min() >= 0 and frames.max() <= 1
    shown = frames[..., :3] * frames[..., 3:]
    changes = [float((shown[(i + 1) % 24] - shown[i]).abs().mean()) for i in range(24)]
    assert changes[-1] <= 1.3 * max(changes[-2], changes[0]) + 1e-4, "the seam is like its neighbours"
    assert max(changes) > 5 * 1e-3, "and it moves"


@motions
@pytest.mark.parametrize("hidden", [0.0, 1.0])
def test_an_even_colour_stays_that_colour_up_to_its_edge(motion, hidden):
    """No halo of what the transparent pixels hide, dark or white, also for who scales a frame without its alpha."""
    frames = frames_of(motion, standing(hidden=hidden))
    seen = frames[..., 3] > 1 / 255
    assert float((frames[seen][:, :3] - torch.tensor(COLOUR)).abs().max()) < 2 / 255
    around = torch.nn.functional.max_pool2d(frames[..., 3], 5, 1, 2) > 0.02
    rim = around & ~seen
    assert rim.any() and float((frames[rim][:, :3] - torch.tensor(COLOUR)).abs().max()) < 2 / 255


@motions
@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("size", [(96, 96), (150, 60), (60, 150)])
def test_nothing_leaves_the_picture_at_full_strength(motion, overlay, size):
    """A subject that fills its picture is scaled down, but by no more than it takes."""
    picture = standing(*size, margin=0)
    with pytest.warns(SealWarning, match="cut off"):
        frames = frames_of(motion, picture, overlay=overlay, strength=2.0, shadow=1.0)
    alpha = frames[..., 3].amax(0)
    edges = torch.cat([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    assert float(edges.max()) == 0
    rows, columns = np.flatnonzero(alpha.amax(1) > 0), np.flatnonzero(alpha.amax(0) > 0)
    free = [rows[0] + len(alpha) - 1 - rows[-1], columns[0] + alpha.shape[1] - 1 - columns[-1]]
    assert min(free) <= 12


def test_a_subject_with_room_keeps_its_size_and_place():
    still = standing(300, 300, margin=110)
    frames = frames_of("wobble", still, strength=1e-6)
    assert float((frames[0] - still[0])[..., 3].abs().max()) < 1 / 255


@pytest.mark.parametrize("motion", [name for name in MOTIONS if name != "pop"])
def test_the_area_is_kept(motion):
    shown = area(frames_of(motion, strength=1.5))
    assert (shown.max() - shown.min()) / shown.mean() < 0.01


def test_a_pop_grows_and_shrinks():
    shown = area(frames_of("pop"))
    assert shown.max() / shown[0] > 1.15 and shown.min() / shown[0] < 0.9


@pytest.mark.parametrize("motion", ["bounce", "wobble", POSES])
def test_feet_stay_on_the_ground(motion):
    at = lowest(frames_of(motion))
    landed = [stance.up == 0 for stance in stances(motion, 1.0, 16, 2)]
    assert at[landed].max() - at[landed].min() < 0.6
    if motion == "bounce":
        assert at[~np.array(landed)].min() < at.max() - 20


def test_the_shadow_stays_on_the_ground_and_follows_the_height():
    bare, cast = frames_of("bounce", shadow=0.0), frames_of("bounce", shadow=0.5)
    assert float(bare[..., 3].sum()) < float(cast[..., 3].sum())
    ground = [int(np.flatnonzero(f[..., 3].amax(1) > 0.02)[-1]) for f in cast]
    assert max(ground) - min(ground) <= 3
    dark = [float(f[-22:, :, 3][f[-22:, :, :3].amax(-1) < 0.1].max()) for f in cast]
    up = np.array([stance.up for stance in stances("bounce", 1.0, 16)])
    assert dark[int(up.argmax())] < 0.75 * dark[int(np.argmin(up))] <= 0.5
    for motion in ("pop", "swing"):
        assert torch.equal(frames_of(motion, shadow=0.0), frames_of(motion, shadow=1.0))


def test_overlays_have_a_white_line_where_the_sticker_has_one():
    bordered, _ = add_border(standing(200, 200, margin=50), None, Border(6))
    for picture, lined in ((standing(200, 200, margin=44), False), (bordered, True)):
        plain, marked = (frames_of("wobble", picture, strength=1e-6, overlay=name) for name in ("none", "hearts"))
        assert plain.shape == marked.shape
        added = (marked[..., 3] > 0.9) & (plain[..., 3] < 0.1)
        white = (marked[added][:, :3] > 0.97).all(-1).float().mean()
        assert (float(white) > 0.25) is lined


def test_each_picture_is_cut_once(monkeypatch):
    """One matte for all frames: its edge cannot flicker."""
    calls = []
    whole = subject.cutout
    monkeypatch.setattr(subject, "cutout", lambda *given, **named: calls.append(1) or whole(*given, **named))
    picture = standing()
    moving_stickers([picture[..., :3]], [picture[..., 3]], MotionSettings(frames=12))
    assert len(calls) == 1


def test_equal_inputs_give_equal_frames():
    for motion in MOTIONS:
        assert torch.equal(frames_of(motion, overlay="sparkle"), frames_of(motion, overlay="sparkle"))


def test_inputs_stay_as_they_are():
    picture = standing()
    before = picture.clone()
    frames_of("wobble", picture)
    assert torch.equal(picture, before)


# -- what is animated together


def test_every_picture_of_lists_and_batches_is_a_sticker_of_its_own():
    batch = torch.cat([standing(), standing(margin=40)])
    made = moving_stickers([batch, standing(200, 120)], (), MotionSettings(frames=4))
    assert [tuple(one.images.shape) for one in made] == [(4, 160, 160, 4)] * 2 + [(4, 120, 200, 4)]
    assert not torch.equal(made[0].images, made[1].images)


def test_key_poses_come_as_a_list_or_as_batches():
    poses = [standing(), standing().flip(2), standing(margin=40)]
    settings = MotionSettings(POSES, frames=24)
    (listed,) = moving_stickers(poses, (), settings)
    (batched,) = moving_stickers([torch.cat(poses)], (), settings)
    assert torch.equal(listed.images, batched.images) and listed.fps == batched.fps == pytest.approx(24 / 1.8)
    assert len(moving_stickers([torch.cat(poses), torch.cat(poses[:2])], (), settings)) == 2


def test_key_poses_share_their_ground_and_middle():
    """However each was placed in its picture."""
    low, high = standing(margin=30).roll((20, -15), (1, 2)), standing(margin=30).roll((-20, 15), (1, 2))
    (made,) = moving_stickers([low, high], (), MotionSettings(POSES, frames=16, shadow=0))
    held = [i for i, s in enumerate(stances(POSES, 1.0, 16, 2)) if abs(s.stretch - 1) < 0.002]
    assert len(held) >= 4 and np.ptp(lowest(made.images)[held]) < 0.6
    assert float((made.images[0] - made.images[8])[..., 3].abs().max()) < 0.02


def test_key_poses_of_other_sizes_are_fitted_to_the_first():
    small = torch.nn.functional.interpolate(standing().permute(0, 3, 1, 2), (80, 80), mode="area").permute(0, 2, 3, 1)
    with pytest.warns(SealWarning, match=r"several sizes; all were fitted to the first one's 160 x 160"):
        (made,) = moving_stickers([standing(), small], (), MotionSettings(POSES))
    shown = area(made.images)
    assert made.images.shape[1:3] == (160, 160) and shown.max() / shown.min() < 1.06


def test_fps_is_the_motions_own_or_the_one_given():
    def rate(**settings):
        return moving_stickers([standing()], (), MotionSettings(**settings))[0].fps

    assert rate() == 20 and rate(frames=32) == 40 and rate(motion="float") == 10 and rate(fps=7.5) == 7.5


# -- pictures without transparency


@pytest.mark.parametrize("kind", ["true mask", "hard mask", "inverted mask", "small mask", "no mask"])
def test_opaque_pictures_are_cut_out(kind):
    picture = standing(128, 128, margin=24)
    alpha = picture[..., 3]
    ground = torch.tensor([0.2, 0.5, 0.9])
    opaque = picture[..., :3] * alpha[..., None] + ground * (1 - alpha[..., None])
    small = torch.nn.functional.interpolate(alpha[None], (64, 64), mode="area")[0]
    masks = {
        "true mask": [alpha], "hard mask": [(alpha > 0.5).float()], "inverted mask": [1 - alpha],
        "small mask": [small], "no mask": [],
    }[kind]  # fmt: skip
    settings = MotionSettings("wobble", shadow=0)
    if kind == "small mask":
        with pytest.warns(SealWarning, match="resized"):
            (made,) = moving_stickers([opaque], masks, settings)
    else:
        (made,) = moving_stickers([opaque], masks, settings)
    (exact,) = moving_stickers([picture], (), settings)
    off = (made.images[..., 3] - exact.images[..., 3]).abs().mean()
    assert float(off) < 0.01
    seen = made.images[..., 3] > 0.3
    blue = (made.images[seen][:, 2] > 0.45).float().mean()
    assert float(blue) < 0.01, "nothing of the blue ground is left"


def test_a_mask_leaves_out_a_part_of_a_transparent_picture():
    picture = standing()
    upper = torch.zeros(1, 160, 160)
    upper[:, :80] = 1
    (made,) = moving_stickers([picture], [upper], MotionSettings("wobble", 1e-6, shadow=0))
    assert area(made.images)[0] == pytest.approx(float(picture[:, :80, :, 3].sum()), rel=0.02)


# -- what is refused


@pytest.mark.parametrize("settings, said", [
    ({"motion": "dance"}, "motion: 'dance' is not known; choose one of bounce, shake"),
    ({"overlay": "rain"}, "overlay: 'rain' is not known; choose one of none, hearts"),
    ({"frames": 500}, "frames: 500 is out of range; use 4 to 90 frames a loop"),
    ({"frames": 1}, "frames: 1 is out of range"),
    ({"frames": 7.5}, "frames: 7.5 is not a whole number"),
    ({"fps": -1}, "fps: -1 is out of range; use 1 to 60 frames a second, or 0"),
    ({"fps": float("nan")}, "fps: nan is out of range"),
    ({"strength": 3}, "strength: 3 is out of range"),
    ({"strength": 0}, "strength: 0 without an overlay moves nothing; use more, or choose an overlay"),
    ({"shadow": -0.1}, "shadow: -0.1 is out of range"),
])  # fmt: skip
def test_settings_out_of_range(settings, said):
    with pytest.raises(SealError, match=f"^{said}"):
        MotionSettings(**settings)


EMPTY = torch.zeros(1, 160, 160)


@pytest.mark.parametrize("pictures, masks, settings, said", [
    ([standing()], [], {"motion": POSES}, "image: motion poses needs 2 to 8 key poses, got 1; wire the pictures"),
    ([standing()] * 9, [], {"motion": POSES, "frames": 36}, "image: motion poses needs 2 to 8 key poses, got 9"),
    ([standing(), standing().repeat(2, 1, 1, 1)], [], {"motion": POSES},
     "image: motion poses needs 2 to 8 key poses in batch 1, got 1"),
    ([standing()] * 8, [], {"motion": POSES, "frames": 15}, "frames: 15 are too few for 8 key poses; use 16 or more"),
    ([standing() * 0], [], {}, "image: the picture shows nothing that could move"),
    ([standing(), standing() * 0], [], {"motion": POSES}, "image: picture 2 shows nothing that could move"),
    ([standing()], [EMPTY], {}, "image: the picture shows nothing that could move; .* or another mask"),
    ([torch.full((1, 64, 64, 3), 0.5)], [], {}, "image: .*no foreground"),
    ([standing()], [EMPTY, EMPTY], {}, "mask: 2 masks for 1 batches; give one for all, or one each"),
    ([standing().expand(500, -1, -1, -1)], [], {"frames": 90}, "image: 500 pictures of 90 frames each are too many"),
    ([torch.full((1, 8, 8, 3), float("nan"))], [], {}, "image: has values that are not numbers"),
    ([torch.zeros(0, 8, 8, 3)], [], {}, "image: needs the shape of at least one picture"),
    (["cat"], [], {}, "image: is str, which is no IMAGE"),
])  # fmt: skip
def test_bad_input(pictures, masks, settings, said):
    with pytest.raises(SealError, match=f"^{said}"):
        moving_stickers(pictures, masks, MotionSettings(**settings))


def test_a_subject_that_runs_out_of_its_picture_is_told():
    with pytest.warns(SealWarning, match="the picture is cut off at the bottom; its flat edge will show"):
        moving_stickers([standing()[:, :110]], (), MotionSettings(frames=4))


def test_cancel_ends_it_within_a_frame():
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        moving_stickers([standing()], (), MotionSettings(), stop)
    assert seen == [(1, 16), (2, 16), (3, 16)]
