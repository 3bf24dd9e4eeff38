"""Files that appear whole or not at all, and never in another's place."""

import errno
import multiprocessing
import os
import re
import signal
import time

import pytest
from full_disk import full_in

from seal_core.files import whole_file
from seal_core.files.safe_names import TAKEN_BY, is_windows_device, unique_stem
from seal_core.files.whole_file import ready_folder, sweep_leftovers, write_new_files, write_whole
from seal_core.messages import SealError
from seal_core.stickers.pack.pack_names import folder_name

SUFFIXES = (".safetensors", ".loss.png", ".json")


def group(text: str) -> dict:
    return {".safetensors": text.encode(), ".loss.png": text.encode(), ".json": lambda stem: f"{stem} {text}".encode()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def complete(folder, stems, texts):
    """Every group is whole and of one writer."""
    assert names(folder) == sorted(f"{stem}{suffix}" for stem in stems for suffix in SUFFIXES)
    found = [(folder / f"{stem}.safetensors").read_text() for stem in stems]
    assert sorted(found) == sorted(texts)
    for stem, text in zip(stems, found, strict=True):
        assert (folder / f"{stem}.loss.png").read_text() == text
        assert (folder / f"{stem}.json").read_text() == f"{stem} {text}"


def _writes(folder, text, start):
    start.wait()
    write_new_files(folder, "cat", group(text), "out", taken_by=TAKEN_BY)


@pytest.mark.skipif(os.name == "nt", reason="starts processes by fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_four_at_once_with_one_name_give_four_groups(tmp_path):
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        start = context.Event()
        folder = tmp_path / str(attempt)
        texts = [f"run {i}" for i in range(4)]
        processes = [context.Process(target=_writes, args=(folder, text, start)) for text in texts]
        for process in processes:
            process.start()
        start.set()
        for process in processes:
            process.join(30)
            assert process.exitcode == 0
        complete(folder, ["cat", "cat-2", "cat-3", "cat-4"], texts)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("taken", SUFFIXES)
def test_a_name_taken_at_the_last_moment_stays_whole(tmp_path, monkeypatch, links, taken):
    """Between the look and the claim somebody puts one file of the group there."""
    claim = whole_file._claim

    def late(temporary, target):
        if target.name == f"cat{taken}":
            target.write_text("somebody's")
        claim(temporary, target)

    def without_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(whole_file, "_claim", late)
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    written = write_new_files(tmp_path, "cat", group("mine"), "out", taken_by=TAKEN_BY)
    assert [path.name for path in written.values()] == [f"cat-2{suffix}" for suffix in SUFFIXES]
    assert (tmp_path / f"cat{taken}").read_text() == "somebody's"
    (tmp_path / f"cat{taken}").unlink()
    complete(tmp_path, ["cat-2"], ["mine"])


@pytest.mark.parametrize("taken", ["cat.json", "CAT.loss.png", "cat.pt", "cat"])
def test_one_stem_for_the_whole_group(tmp_path, taken):
    (tmp_path / taken).write_text("somebody's")
    write_new_files(tmp_path, "cat", group("mine"), "out", taken_by=TAKEN_BY)
    assert (tmp_path / taken).read_text() == "somebody's"
    (tmp_path / taken).unlink()
    complete(tmp_path, ["cat-2"], ["mine"])


@pytest.mark.parametrize("step", ["fsync", "link"])
@pytest.mark.parametrize("count", [1, 2])
def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch, step, count):
    own, calls = getattr(os, step), []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == count:
            raise KeyboardInterrupt
        return own(*arguments)

    monkeypatch.setattr(os, step, stop)
    with pytest.raises(KeyboardInterrupt):
        write_new_files(tmp_path, "cat", group("mine"), "out")
    assert names(tmp_path) == []


COMFY_LISTS = {".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("call", ["scandir", "fsync", "link", "unlink"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_kill_never_tears_a_file(tmp_path, call, count):
    """Killed just before the count-th time that it looks, syncs, takes the name or clears up."""
    (tmp_path / "cat.safetensors").write_text("old")
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        real, calls = getattr(os, call), []

        def stop(*arguments, **options):
            calls.append(arguments)
            if len(calls) == count:
                os.write(writes, b"!")
                signal.pause()
            return real(*arguments, **options)

        try:
            setattr(os, call, stop)
            for text in (b"first", b"second"):
                write_new_files(tmp_path, "cat", {".safetensors": text}, "name")
        finally:
            os._exit(1)
    os.close(writes)
    assert os.read(reads, 1) == b"!", "the child did not get that far"
    os.close(reads)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = {path.name: path.read_text() for path in tmp_path.iterdir() if not path.name.startswith(".")}
    whole = {"cat.safetensors": "old", "cat-2.safetensors": "first", "cat-3.safetensors": "second"}
    assert found.items() <= whole.items() and "cat.safetensors" in found
    for path in set(tmp_path.iterdir()) - {tmp_path / name for name in found}:
        assert path.suffix not in COMFY_LISTS and whole_file.LEFTOVER.fullmatch(path.name)


def test_replacing_is_whole_too(tmp_path, monkeypatch):
    write_whole(tmp_path / "new" / "a.png", b"old")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "new" / "a.png", b"new")
    assert names(tmp_path / "new") == ["a.png"] and (tmp_path / "new" / "a.png").read_bytes() == b"old"


def test_what_cannot_be_saved_is_kept_elsewhere(tmp_path, monkeypatch):
    target, full, spare = (tmp_path / name for name in ("target", "full", "spare"))
    (tmp_path / "full").write_text("a file")
    full_in(target, monkeypatch)
    with pytest.raises(SealError, match=r"^out: .*no free disk space; free some\..*kept as .*move it to") as caught:
        write_new_files(target, "cat", group("mine"), "out", elsewhere=(full, spare))
    complete(spare, ["cat"], ["mine"])
    assert str(spare / "cat.safetensors") in str(caught.value)
    with pytest.raises(SealError, match=r"Nothing was changed\.$"):
        write_new_files(target, "cat", group("mine"), "out", elsewhere=(full,))
    assert names(target) == []


def test_ready_says_before_the_work_what_saving_would_say_after_it(tmp_path, monkeypatch):
    assert ready_folder(str(tmp_path / "new" / "folder"), "out") == tmp_path / "new" / "folder"
    assert names(tmp_path / "new" / "folder") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(SealError, match=r"^name: .*file cannot be written to: a file is where the folder should be; "):
        ready_folder(tmp_path / "file", "name")
    with pytest.raises(SealError, match=r"^name: .*a file is where the folder should be; "):
        ready_folder(tmp_path / "file" / "below", "name")
    for nothing in ("", " "):
        with pytest.raises(SealError, match=r"^out: empty; give a folder"):
            ready_folder(nothing, "out")
    full_in(tmp_path, monkeypatch)
    with pytest.raises(SealError, match=r"^out: .*no free disk space; free some"):
        ready_folder(tmp_path, "out")


def test_leftovers_are_swept_at_the_next_save_when_old(tmp_path):
    ours = (".cat.0123456789ab.part", ".0123456789ab.part", ".a.b.01234567.part")
    others = (
        ".cat.part",
        "cat.0123456789ab.part",
        ".cat.0123456789ab.tmp",
        ".cat.0123456789ag.part",
        "cat.safetensors",
    )
    for name in (*ours, *others, ".fresh.0123456789ab.part"):
        (tmp_path / name).write_text("")
        if "fresh" not in name:
            os.utime(tmp_path / name, (0, time.time() - 25 * 3600))
    (tmp_path / ".folder.0123456789ab.part").mkdir()
    os.utime(tmp_path / ".folder.0123456789ab.part", (0, 0))
    write_new_files(tmp_path, "dog", {".json": b""}, "out")
    kept = {*others, ".fresh.0123456789ab.part", "dog.json"}
    assert set(names(tmp_path)) == kept
    sweep_leftovers(tmp_path / "missing")


def test_numbers_keep_to_the_length_of_a_name(tmp_path):
    (tmp_path / f"{'x' * 70}.png").write_text("")
    assert unique_stem(tmp_path, "x" * 70, (".png",)) == "x" * 70 + "-2"
    assert unique_stem(tmp_path, "x" * 70, (".json",)) == "x" * 70


@pytest.mark.parametrize("name", ["COM¹", "com².txt", "LPT³", "lpt¹", "CONIN$", "conout$.png", "COM1", "nul"])
def test_names_of_windows_devices(name):
    assert is_windows_device(name)
    with pytest.raises(SealError, match=re.escape("is reserved by Windows")):
        folder_name(name)


@pytest.mark.parametrize("name", ["COM", "COM⁴", "COM0", "CONIN", "CON-1", "console", "LPT10"])
def test_names_that_only_look_like_devices(name):
    assert not is_windows_device(name)
