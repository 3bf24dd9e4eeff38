"""Animations: times, frames and motion of the files, read back by pack_rules."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from pack_rules import png_chunks, read
from sticker_clips import moving, noise, packed, picture, stickers

from seal_core.messages import SealError
from seal_core.stickers.pack import animation_encoder, apng, still_encoder, webm
from seal_core.stickers.pack.clip import Clip, looks_same
from seal_core.stickers.pack.fit_byte_limit import Setting
from seal_core.stickers.pack.frame_times import constant_rate_slots, fit_limits, whole_times
from seal_core.stickers.pack.pack_request import PackRequest, with_emoji
from seal_core.stickers.pack.save_pack import save_pack
from seal_core.stickers.platforms import PLATFORMS

CHAT = [name for name in PLATFORMS if name != "plain"]


@pytest.mark.parametrize("platform", CHAT)
def test_noise_that_never_repeats_is_made_to_fit(platform):
    """The worst case: opaque noise in every frame, and too long. A quarter of the canvas, a sixteenth of the bytes."""
    motion = PLATFORMS[platform].motion
    motion = replace(
        motion, width=motion.width // 4, height=motion.height // 4, max_bytes=motion.max_bytes // 16, canvas="exact"
    )
    clip = Clip.at_rate(noise(9, 128, 128), 0.8)
    made = animation_encoder.encode_animation(clip, motion, motion.formats[0])
    assert len(made.found.data) <= motion.max_bytes and made.found.probes <= 9
    got = read("", made.found.data)
    assert (got.wide, got.high) == made.size and len(got.frames) == made.frames >= motion.min_frames
    assert sum(got.times) <= motion.max_ms + 0.5 and got.size == len(made.found.data)


def test_frames_that_a_low_quality_makes_equal_are_counted_as_they_are():
    """WebP's encoder merges them: the manifest says what is in the file, and one frame alone is no animation."""
    still = noise(1, 64, 64)[0]
    still[..., 3] = still[..., 0]

    def shaded(steps):
        frames = [np.dstack([np.clip(still[..., :3].astype(int) - s, 0, 255), still[..., 3]]) for s in steps]
        return Clip.at_rate(np.stack(frames).astype(np.uint8), 10)

    motion = replace(PLATFORMS["whatsapp"].motion, width=128, height=128, max_bytes=30_000 // 16)
    made = animation_encoder.encode_animation(shaded([60 * (i // 2) + 2 * (i % 2) for i in range(8)]), motion, "webp")
    got = read("", made.found.data)
    assert len(got.frames) == made.frames < 8
    with pytest.raises(SealError, match=r"what changes in its 12 frames is lost at .*, which 1,875 bytes allow"):
        animation_encoder.encode_animation(shaded([3 * (i % 5) for i in range(12)]), motion, "webp")


def test_thirty_noisy_frames_for_whatsapp_use_most_of_the_bytes_after_few_encodings():
    """A sixteenth of WhatsApp's pixels and an eighth of its bytes, as small frames compress worse."""
    base, rng = picture(128, 128).astype(np.int16), np.random.default_rng(0)
    base[..., :3] += rng.normal(0, 8, (128, 128, 3)).astype(np.int16)  # as diffusion models leave it
    frames = np.stack([np.roll(base, (5 * i % 40, 3 * i), (0, 1)) for i in range(30)])
    clip = Clip.at_rate(np.clip(frames, 0, 255).astype(np.uint8), 15)
    motion = replace(PLATFORMS["whatsapp"].motion, width=128, height=128, max_bytes=500 * 1024 // 8)
    made = animation_encoder.encode_animation(clip, motion, "webp")
    got = read("", made.found.data)
    assert got.form == "awebp" and len(got.frames) == 30 and got.plays == 0
    assert motion.max_bytes / 2 < got.size <= motion.max_bytes, "gave away more than half of what is allowed"
    assert made.found.probes <= 9, "an encoding at full size takes a second"


def test_telegram_video_has_the_right_alpha_and_no_dark_fringe():
    clip = moving(5)
    made = animation_encoder.encode_animation(clip, PLATFORMS["telegram"].motion, "webm")
    got = read("", made.found.data)
    wanted = still_encoder.place_frames(clip.frames, made.size)
    assert got.form == "webm" and got.frames.shape == wanted.shape
    errors = np.abs(got.frames[..., 3].astype(int) - wanted[..., 3])
    assert errors.mean() < 2 and (got.frames[..., 3][wanted[..., 3] == 0] < 24).all()
    edge = (wanted[..., 3] > 100) & (wanted[..., 3] < 250)
    assert edge.any() and np.abs(got.frames[..., :3].astype(int) - wanted[..., :3])[edge].mean() < 25


def test_line_gets_whole_seconds_and_five_frames():
    clip = Clip(moving(2).frames, (150.0, 310.0))
    made = animation_encoder.encode_animation(clip, PLATFORMS["line"].motion, "apng")
    got = read("", made.found.data)
    assert len(got.frames) == 5 and sum(got.times) == 1000 and got.plays == 4
    assert {tuple(f.ravel()[:40000]) for f in got.frames} and any((f != got.frames[0]).any() for f in got.frames)


def test_too_long_is_played_faster_or_cut():
    clip = moving(10, fps=2.0)  # 5 s
    motion = replace(PLATFORMS["signal"].motion, width=128, height=128)
    fast = read("", animation_encoder.encode_animation(clip, motion, "apng").found.data)
    cut = read("", animation_encoder.encode_animation(clip, motion, "apng", cut=True).found.data)
    assert len(fast.frames) == 10 and sum(fast.times) == 3000 and len(cut.frames) == 6 and sum(cut.times) == 3000
    assert np.abs(fast.frames[5].astype(int) - cut.frames[5]).mean() < 1


def test_apng_frames_come_back_as_they_were():
    clip = Clip(moving(4).frames[[0, 1, 1, 2, 3]], (70.0, 80.0, 90.0, 33.4, 41.2))
    rung = Setting()
    got = read("", animation_encoder.clip_bytes(clip, "apng", rung, plays=3))
    assert got.plays == 3 and got.times == whole_times(clip.durations) and sum(got.times) == 315
    for wanted, frame in zip(clip.frames, got.frames):
        assert looks_same(np.where(wanted[..., 3:] > 0, wanted, 0), frame)
    merged = clip.merged()
    assert len(merged.frames) == 4 and merged.durations[1] == 170.0 and merged.total == pytest.approx(clip.total)


def test_gif_has_transparency_and_hundredths_of_a_second():
    clip = moving(4, fps=30.0)
    got = read("", animation_encoder.clip_bytes(clip, "gif", Setting(colours=64)))
    assert got.form == "gif" and all(t % 10 == 0 and t >= 20 for t in got.times) and abs(sum(got.times) - 133) <= 10
    wanted = clip.frames[..., 3] >= 128
    assert got.frames.shape == clip.frames.shape and ((got.frames[..., 3] > 0) == wanted).mean() > 0.999
    assert np.abs(got.frames[..., :3].astype(int) - clip.frames[..., :3])[wanted].mean() < 8


def test_ladders_shrink_and_respect_the_least_frames():
    for form in ("webp", "apng", "gif", "webm"):
        ladder = list(animation_encoder.settings_for(form, 20, 5))
        assert len(set(ladder)) == len(ladder) and min(round(r.frames * 20) for r in ladder) == 5
        assert all(b.frames <= a.frames and b.scale <= a.scale for a, b in pairwise(ladder))


# ------------------------------------------------------------------ uneven times

SQUARES = 8


def counted(durations):
    """Frames that can be told apart in any format: frame i has i's bits as light and dark squares."""
    frames = np.zeros((len(durations), 64, 64, 4), np.uint8)
    frames[..., 3] = 255
    for i in range(len(durations)):
        for bit in range(SQUARES):
            row, column = divmod(bit, 4)
            frames[i, 32 * row : 32 * row + 32, 16 * column : 16 * column + 16, :3] = 255 * (i >> bit & 1)
    return Clip(frames, tuple(map(float, durations)))


def number(frame):
    """Which frame of `counted` this is."""
    height, width = frame.shape[0] // 2, frame.shape[1] // 4
    means = [
        frame[row * height : (row + 1) * height, column * width : (column + 1) * width, 0].mean()
        for row in range(2)
        for column in range(4)
    ]
    return sum((mean > 127) << bit for bit, mean in enumerate(means))


def made_of(durations, platform, form, **options):
    motion = PLATFORMS[platform].motion
    motion = replace(motion, canvas="own" if platform == "plain" else "exact", width=64, height=64, margin=0)
    motion = replace(motion, **options)
    return read("", animation_encoder.encode_animation(counted(durations), motion, form).found.data)


def furthest(durations, got):
    """How far, in milliseconds, a frame is shown from its own time; the file's length counts as the clip's."""
    scale = sum(durations) / sum(got.times)
    ends, worst, at = np.cumsum(durations), 0.0, 0.0
    for frame, duration in zip(got.frames, got.times):
        i = number(frame)
        worst = max(worst, (ends[i] - durations[i]) - at, at + duration * scale - ends[i])
        at += duration * scale
    return worst


FORMS = [(name, form) for name in PLATFORMS for form in PLATFORMS[name].motion.formats]


@pytest.mark.parametrize("platform, form", FORMS)
@pytest.mark.parametrize("durations", [
    [1500, 30, 30, 30, 1400],
    [500, 200, 200, 200, 200],
    [40] * 12 + [1000] + [40] * 6,
    [30, 700, 20, 20, 600, 30, 50],
    [1950, 50],
], ids=str)  # fmt: skip
def test_uneven_frames_are_shown_at_their_times(platform, form, durations):
    got = made_of(durations, platform, form)
    least = 4 if durations[-1] == 1400 else len(durations) - 2
    assert len({number(frame) for frame in got.frames}) >= max(2, least)
    assert furthest(durations, got) <= 67, "two frames of the lowest rate, thirty a second"
    assert len(got.frames) >= PLATFORMS[platform].motion.min_frames


@pytest.mark.parametrize("platform, form", [("imessage", "gif"), ("telegram", "webm"), ("plain", "gif")])
def test_frames_that_are_too_short_for_a_format_do_not_vanish_all(platform, form):
    got = made_of([1500, 10, 10, 10, 1400], platform, form)
    shown = [number(frame) for frame in got.frames]
    assert shown[0] == 0 and shown[-1] == 4 and set(shown) & {1, 2, 3}
    assert abs(sum(got.times) - 2930) <= 1
    smooth = made_of([10] * 60, platform, form)
    assert furthest([10] * 60, smooth) <= 67 and len({number(frame) for frame in smooth.frames}) >= 18


def test_fewer_frames_for_fewer_bytes_keep_their_times():
    clip = Clip(noise(25, 64, 64), (2000.0, *[40.0] * 24))
    motion = replace(PLATFORMS["signal"].motion, canvas="exact", width=64, height=64, max_bytes=37_500)
    made = animation_encoder.encode_animation(clip, motion, "apng")
    got = read("", made.found.data)
    assert 3 <= len(got.frames) < 25 and 2000 <= got.times[0] <= 2480 and sum(got.times) == 2960
    assert max(got.times[1:]) <= 480 and got.size > 18_750
    assert str(made.found.setting).endswith(f"{len(got.frames) / 25:.0%} of the frames")


@pytest.mark.parametrize("count", [16, 48, 80, 89, 90])
def test_telegram_videos_last_three_seconds_to_the_millisecond(count):
    got = made_of([3000 / count] * count, "telegram", "webm")
    assert len(got.frames) == count and sum(got.times) == 3000 and min(got.times) > 32.9


def test_a_plain_video_of_a_long_hold_has_few_frames():
    got = made_of([20_000, 10, 10], "plain", "webm")
    assert len(got.frames) == 22 and sum(got.times) == 20_020
    assert [number(frame) for frame in got.frames[-3:]] == [0, 1, 2] and got.times[-2:] == [10, 10]


@pytest.mark.parametrize("form, seconds", [("apng", 70), ("apng", 500), ("gif", 400), ("webp", 300)])
def test_frames_may_last_minutes(form, seconds):
    got = made_of([seconds * 1000, 500], "plain", form)
    assert got.times[0] == pytest.approx(seconds * 1000, abs=5) and got.times[1] == 500


def test_frames_of_an_hour_are_refused():
    with pytest.raises(SealError, match="a frame lasts 3,600 s"):
        made_of([3_600_000, 500], "plain", "gif")


def test_changes_that_the_file_would_not_show_are_refused():
    frames = np.repeat(picture(800, 800)[None], 4, axis=0)
    frames[:, 400, 400, 0] = [220, 221, 222, 223]
    clip = Clip.at_rate(frames, 10)
    for platform in ("discord", "line"):
        for form in PLATFORMS[platform].motion.formats:
            with pytest.raises(SealError, match=r"nothing in it changes visibly|what changes in its \d frames is lost"):
                animation_encoder.encode_animation(clip, PLATFORMS[platform].motion, form)


def test_a_thumbnail_that_would_not_move_is_left_out(tmp_path):
    frames = np.repeat(picture(512, 512)[None], 2, axis=0)
    frames[1, 256, 256, :3] ^= 2
    made = packed([Clip.at_rate(frames, 10)], "telegram", tmp_path)
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "01.webm",
        "how-to-upload.txt",
        "pack.json",
        "thumb.png",
    ]
    assert made.report["notes"] == ["thumb.webm is left out: nothing in it changes visibly at 100x100 pixels; use "
                                    "larger changes."]  # fmt: skip


def test_frames_that_a_palette_makes_equal_are_counted_as_they_are():
    still = noise(1, 320, 320)[0]
    frames = np.repeat(still[None], 6, axis=0)
    frames[3:, 100:110, 100:110, :3] = 128
    frames[1::2, 0, 0, :3] = still[0, 0, :3] ^ 1
    motion = replace(PLATFORMS["imessage"].motion, width=320, height=320)
    made = animation_encoder.encode_animation(Clip.at_rate(frames, 8), motion, "gif")
    got = read("", made.found.data)
    assert made.frames == len(got.frames) < 6 and abs(sum(got.times) - 750) <= 10
    assert any("frames became" in note for note in made.notes) or made.found.setting.frames < 1


@pytest.mark.parametrize("seed", range(6))
def test_no_frame_of_few_is_shown_far_from_its_time(seed):
    rng = np.random.default_rng(seed)
    durations = rng.choice([20.0, 30, 40, 60, 100, 250, 500][: 7 - seed % 3], 60)
    for count in (10, 20, 40, 59):
        clip = counted(durations).thinned(count)
        assert len(clip.frames) == count and clip.total == pytest.approx(durations.sum())
        # Half a group to each side of a central frame, and as much for groups that do not come out even.
        assert furthest(durations, SimpleNamespace(frames=clip.frames, times=clip.durations)) <= clip.total / count


def test_fewer_frames_are_spread_evenly_and_still_move():
    swing = Clip(moving(2).frames[[0, 1] * 6], (100.0,) * 12)
    assert swing.thinned(6).moves and swing.thinned(6).total == pytest.approx(1200)
    assert set(counted([40] * 60).thinned(40).durations) == {40.0, 80.0}
    assert set(counted([40] * 60).thinned(20).durations) == {120.0}
    assert constant_rate_slots([500, 200, 200, 200, 200], 39) == [5, 2, 2, 2, 2]
    assert constant_rate_slots([33.4] * 3, 3) == [1, 1, 1] and constant_rate_slots([100, 1, 1], 4) == [2, 1, 1]
    assert sum(whole_times([1000 / 30] * 90, 1, 3000)) == 3000 and max(whole_times([1000 / 30] * 90)) <= 34
    assert whole_times([14.0, 14.0, 14.0], 10) == [10, 20, 10]
    fast, notes = fit_limits(counted([10] * 200), PLATFORMS["telegram"].motion)
    assert len(fast.frames) == 60 and notes == ["200 frames became 60"]


# ------------------------------------------------------------------ what the platforms take


def controls(data):
    """(x, y, disposal, blending) of an APNG's frames."""
    return [
        (*struct.unpack(">IIIIIHHBB", body)[3:5], body[24], body[25])
        for kind, body in png_chunks(data)
        if kind == b"fcTL"
    ]


def test_signal_s_animations_are_truecolour_however_few_colours_fit():
    rng = np.random.default_rng(0)
    base = picture(128, 128).astype(int)
    base[..., :3] += rng.integers(-20, 20, (128, 128, 3))
    frames = np.stack([np.roll(np.clip(base, 0, 255).astype(np.uint8), 9 * i, 0) for i in range(6)])
    motion = replace(PLATFORMS["signal"].motion, width=128, height=128, max_bytes=50_000)
    made = animation_encoder.encode_animation(Clip.at_rate(frames, 8), motion, "apng")
    got = read("", made.found.data)
    assert made.found.setting.colours and got.colour == 6 and got.size <= 50_000 and got.plays == 0
    assert len(got.frames) == 6 and len(np.unique(got.frames.reshape(-1, 4), axis=0)) <= made.found.setting.colours
    assert {kind for kind, _ in png_chunks(made.found.data)}.isdisjoint({b"PLTE", b"tRNS"})


def test_what_stays_is_not_drawn_again():
    """Two opaque corners blink far apart: laid over what stays, they cost next to nothing."""
    frames = np.repeat(noise(1, 128, 128), 4, axis=0)
    for i in range(4):
        frames[i, :8, :8, :3] = frames[i, -8:, -8:, :3] = 60 * i
    data = apng.animated_png(frames, [100] * 4)
    assert len(data) < 1.05 * len(apng.animated_png(frames[:1], [0])) + 1000
    assert (read("", data).frames == frames).all()
    assert controls(data) == [(0, 0, 0, 0)] + [(0, 0, 0, 1)] * 3
    vanishing = moving(4).frames
    assert (read("", apng.animated_png(vanishing, [100] * 4)).frames == vanishing * (vanishing[..., 3:] > 0)).all()


@pytest.mark.parametrize("fps", [50, 60, 100, 125, 500])
@pytest.mark.parametrize("platform", ["whatsapp", "signal", "discord", "imessage"])
def test_no_frame_is_so_short_that_browsers_hold_it(platform, fps):
    motion = replace(PLATFORMS[platform].motion, canvas="exact", width=64, height=64)
    made = animation_encoder.encode_animation(counted([1000 / fps] * 60), motion, motion.formats[0])
    got = read("", made.found.data)
    assert min(got.times) >= 20 and abs(sum(got.times) - 60_000 / fps) <= 20 and got.plays == 0


@pytest.mark.parametrize("free", [0, 1, 10, 37])
@pytest.mark.parametrize("width, height", [(200, 200), (400, 60), (60, 400), (1, 1), (999, 1)])
def test_line_gets_ten_pixels_of_margin_whatever_the_picture_has(free, width, height):
    art = np.zeros((height + 2 * free, width + 2 * free, 4), np.uint8)
    art[free : free + height, free : free + width] = 255
    row = PLATFORMS["line"]
    found, size = still_encoder.encode_still(art, row.still, "png")
    rows, columns = (np.flatnonzero(read("", found.data).frames[0, ..., 3].any(axis=i)) for i in (1, 0))
    free = (rows[0], columns[0], size[1] - 1 - rows[-1], size[0] - 1 - columns[-1])
    assert min(free) >= 10 and (width == 1 or min(free) <= 11) and size[0] % 2 == size[1] % 2 == 0
    assert size[0] <= 370 and size[1] <= 320 and (size[0] == 370 or size[1] == 320)


def test_a_video_without_its_transparency_is_refused(monkeypatch):
    def opaque(frames, *rest):
        return webm.encode_webm(np.concatenate([frames[..., :3], np.full_like(frames[..., 3:], 255)], -1), *rest)

    monkeypatch.setattr(animation_encoder, "encode_webm", opaque)
    with pytest.raises(SealError, match="the transparency in the written video is off by"):
        animation_encoder.encode_animation(moving(5), PLATFORMS["telegram"].motion, "webm")


@pytest.mark.parametrize("form", ["webp", "apng", "gif", "webm"])
def test_an_encoder_asks_before_each_frame_whether_to_go_on(form):
    """Of one encoding of 12 frames it is asked 12 times or more, and what it raises comes through."""

    class Stopped(BaseException):
        pass

    asked = []
    clip = Clip.at_rate(noise(12, 64, 64), 10)
    animation_encoder.clip_bytes(clip, form, Setting(quality=50, crf=40, colours=16), check=lambda: asked.append(1))
    assert len(asked) >= 12

    def stop():
        asked.append(1)
        if len(asked) == 7:
            raise Stopped

    asked.clear()
    with pytest.raises(Stopped):
        animation_encoder.clip_bytes(clip, form, Setting(quality=50, crf=40, colours=16), check=stop)


@pytest.mark.parametrize("platform", CHAT)
def test_a_pack_is_stopped_within_a_sticker_and_leaves_nothing(platform, tmp_path):
    class Stopped(BaseException):
        pass

    asked = []

    def stop():
        asked.append(1)
        if len(asked) == 5:
            raise Stopped

    clips = [moving(6)] * {"line": 8, "whatsapp": 3}.get(platform, 1)
    request = PackRequest(platform, "T", "A")
    with pytest.raises(Stopped):
        save_pack(with_emoji(stickers(clips), [], platform), request, tmp_path, check=stop)
    assert not list(tmp_path.iterdir())
