"""Files of a folder as stickers: which, in what order, with their transparency and times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sticker_clips import moving, picture

from seal_core.messages import SealError
from seal_core.stickers.pack.batches import stickers_of
from seal_core.stickers.pack.clip import Clip
from seal_core.stickers.pack.load_files import even_rate, load_stickers


def animation(path: Path, count: int = 3, duration: int | list[int] = 100) -> Path:
    frames = [Image.fromarray(frame) for frame in moving(count).frames]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, disposal=2, lossless=True)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cat2.gif", "cat10.gif", "dog.webp"):
        animation(tmp_path / name)
    Image.fromarray(picture(40, 30)).save(tmp_path / "still.png")
    (tmp_path / "walk").mkdir()
    for i in range(4):
        Image.fromarray(moving(4).frames[i]).save(tmp_path / f"walk/{i}.png")
    return tmp_path


def names(folder: Path, *patterns: str, kind: str = "animated") -> list[str]:
    return [sticker.name for sticker in load_stickers(folder, patterns, kind)]


def test_names_and_kinds_choose(folder: Path) -> None:
    assert names(folder, "*.GIF") == ["cat2", "cat10"]
    assert names(folder, "dog.webp", " cat2.gif ", "") == ["cat2", "dog"]
    assert names(folder) == ["cat2", "cat10", "dog", "walk"]
    assert names(folder, kind="still") == ["still"]
    (folder / "broken.gif").write_bytes(b"GIF89a")
    assert names(folder, "cat*") == ["cat2", "cat10"], "others are not opened"
    with pytest.raises(SealError, match=r"^files: .*broken\.gif"):
        names(folder)


def test_a_whole_name_is_itself_before_it_is_a_pattern(folder: Path) -> None:
    animation(folder / "cat [1].gif")
    assert names(folder, "cat [1].gif") == ["cat [1]"]


def test_nothing_that_fits_is_told(folder: Path) -> None:
    with pytest.raises(SealError, match=r"^files: no pictures with these names in "):
        names(folder, "*.apng")
    with pytest.raises(SealError, match=r"^files: none that matches in .* is still; choose kind animated.*cat10\.gif"):
        names(folder, "*.gif", kind="still")
    with pytest.raises(SealError, match="kind: 'both' is not known"):
        names(folder, kind="both")
    for fps in (0.0, float("nan"), -1.0):
        with pytest.raises(SealError, match=r"^fps: .* is no frame rate"):
            load_stickers(folder, [], "still", fps)


def test_pictures_keep_their_transparency(folder: Path) -> None:
    (one,) = load_stickers(folder, [], "still")
    assert one.images.dtype == torch.float32 and one.fps == 0
    assert np.array_equal((one.images[0] * 255).round().numpy().astype(np.uint8), picture(40, 30))
    (walk,) = load_stickers(folder, ["walk"], "animated", fps=5.0)
    assert walk.images.shape[0] == 4 and walk.fps == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("times", "repeats", "fps"),
    [
        ((100.0, 100.0), [1, 1], 10.0),
        ((50.0, 150.0, 100.0), [1, 3, 2], 20.0),
        ((100.0, 250.0, 100.0, 100.0), [1, 2, 1, 1], 10.0),  # 11 frames of 50 ms would be exact
        ((33.0, 34.0), [1, 1], 1000 / 33),
        ((0.4, 1.0), [1, 1], 1000.0),
    ],
)
def test_times_are_kept_by_repeating_frames(times: tuple[float, ...], repeats: list[int], fps: float) -> None:
    frames = np.arange(len(times), dtype=np.uint8)[:, None, None, None].repeat(4, 3)
    made, rate = even_rate(Clip(frames, times))
    assert [int((made[:, 0, 0, 0] == i).sum()) for i in range(len(times))] == repeats and rate == pytest.approx(fps)


def test_a_packs_animations_have_their_own_rates() -> None:
    batches = [torch.from_numpy(moving(n).frames / 255.0).float() for n in (2, 3)]

    def made(*fps: float) -> list[float]:
        found = stickers_of(batches, [], True, fps, [], lambda: None)
        return [sticker.read().durations[0] for sticker in found]

    assert made(10.0) == [100.0, 100.0] and made(10.0, 4.0) == [100.0, 250.0]
    with pytest.raises(SealError, match=r"^fps: 3 numbers for 2 batches"):
        made(1.0, 2.0, 3.0)


def test_gifs_travel_with_their_times(folder: Path) -> None:
    animation(folder / "slow.gif", 3, [100, 300, 200])
    (one,) = load_stickers(folder, ["slow.gif"], "animated")
    assert (len(one.images), one.fps) == (6, 10.0)
    (sticker,) = stickers_of([one.images], [], True, [one.fps], [one.name], lambda: None)
    assert sticker.read().merged().durations == (100.0, 300.0, 200.0)
