"""Folders that appear whole or not at all, and never in another's place."""

from __future__ import annotations

import errno
import os

import pytest

from seal_core.files.whole_folder import unfinished_folders, write_new_folder
from seal_core.messages import SealError


def filled(text):
    def fill(folder):
        (folder / "a.txt").write_text(text)
        return text

    return fill


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_each_gets_a_name_of_its_own(tmp_path):
    made = [write_new_folder(tmp_path / "new", stem, filled(stem), "out") for stem in ("cat", "cat", "Cat")]
    assert [folder.name for folder, _ in made] == ["cat", "cat-2", "Cat-3"] and names(tmp_path / "new") == sorted(
        folder.name for folder, _ in made
    )
    assert [(folder / "a.txt").read_text() for folder, _ in made] == [text for _, text in made]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SealError("x: y"), OSError(errno.ENOSPC, "full")])
def test_whatever_stops_it_leaves_nothing(error, tmp_path):
    def fill(folder):
        (folder / "half.txt").write_text("half")
        assert unfinished_folders(tmp_path) == [folder.name]
        raise error

    wanted = SealError if isinstance(error, OSError) else error if isinstance(error, type) else type(error)
    with pytest.raises(wanted) as caught:
        write_new_folder(tmp_path, "cat", fill, "out")
    assert names(tmp_path) == []
    if isinstance(error, OSError):
        assert str(caught.value) == (
            f"out: cannot write into {tmp_path}: no free disk space; free some. Nothing was changed."
        )


def test_a_folder_that_a_killed_process_left_is_swept_a_day_later(tmp_path):
    old, fresh = tmp_path / ".cat.0123456789ab.part", tmp_path / ".dog.0123456789ab.part"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "half.txt").write_text("half")
    os.utime(old, (0, 0))
    write_new_folder(tmp_path, "cat", filled("whole"), "out")
    assert names(tmp_path) == [fresh.name, "cat"] and unfinished_folders(tmp_path) == [fresh.name]
