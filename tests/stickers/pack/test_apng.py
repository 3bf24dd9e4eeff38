"""APNG files, read back by Pillow: what is decoded is what was written."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from seal_core.stickers.pack.apng import SIGNATURE, animated_png, chunks

LEVELS = st.sampled_from([0, 1, 127, 128, 254, 255])


@st.composite
def animations(draw):
    """uint8 (N, H, W, 4): 1 to 5 frames of up to 6 x 6 pixels, of which many repeat, vanish or fade."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.just(4)))
    frames = draw(hnp.arrays(np.uint8, shape, elements=LEVELS))
    for i in range(1, len(frames)):
        if draw(st.booleans()):
            frames[i] = frames[i - 1]
            frames[i, 0, 0] = draw(st.tuples(*[LEVELS] * 4))
    return frames


def decoded(data):
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        found, durations = [], []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            found.append(np.array(image.convert("RGBA")))
            durations.append(image.info.get("duration"))
        return np.stack(found), durations, image.info.get("loop")


def shown(frames):
    """Colours of transparent pixels do not count."""
    return np.where(frames[..., 3:] > 0, frames, 0)


@settings(deadline=None, max_examples=60)
@given(animations(), st.integers(0, 3), st.data())
def test_every_pixel_and_time_comes_back(frames, plays, data):
    durations = data.draw(st.lists(st.integers(1, 3_600_000), min_size=len(frames), max_size=len(frames)))
    got, times, loop = decoded(animated_png(frames, durations, plays))
    assert np.array_equal(shown(got), shown(frames))
    if len(frames) > 1:
        assert loop == plays
        assert all(abs(time - wanted) <= (1 if wanted < 65536 else 50) for time, wanted in zip(times, durations))


@settings(deadline=None, max_examples=60)
@given(animations(), st.integers(2, 256))
def test_few_colours_stay_few_and_the_shape_stays(frames, colours):
    got, _, _ = decoded(animated_png(frames, [40] * len(frames), colours=colours))
    assert got.shape == frames.shape
    assert len(np.unique(shown(got).reshape(-1, 4), axis=0)) <= colours


@settings(deadline=None, max_examples=60)
@given(animations(), st.dictionaries(st.sampled_from(["prompt", "workflow"]), st.text(max_size=8)))
def test_texts_in_latin_1_are_kept_and_pixels_do_not_depend_on_them(frames, texts):
    data = animated_png(frames, [40] * len(frames), texts=texts)
    kinds = dict(content.split(b"\0", 1) for kind, content in chunks(data) if kind == b"tEXt")
    latin = {k: t for k, t in texts.items() if all(ord(c) < 256 for c in t)}
    assert {k.decode(): t.decode("latin-1") for k, t in kinds.items()} == latin
    assert data.startswith(SIGNATURE) and np.array_equal(shown(decoded(data)[0]), shown(frames))
