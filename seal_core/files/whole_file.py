"""Files that appear whole or not at all. A new file never replaces another.

Everything is written to a hidden file beside its target, synced, and gets its name in one step: `write_whole` replaces
the old file, `write_new_files` takes a free name. A killed process leaves its hidden file behind; once that is a day
old, the next `write_new_files` in the folder removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ..messages import SealError
from .safe_names import folder_entries, unique_stem

Content = bytes | Callable[[str], bytes]
"""The bytes of a file, or a function that makes them from the stem that the file gets."""

_TRIES = 1000
_OLD = 24 * 3600
_PROBE = 4 << 20  # more than the files of a training
LEFTOVER = re.compile(r"\.(?:.+\.)?(?:[0-9a-f]{8}|[0-9a-f]{12})\.part")


def write_whole(path: Path, data: bytes) -> None:
    """Write the file at `path` and replace what was there. Makes the folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _hidden(path.parent, path.name, data) as temporary:
        os.replace(temporary, path)
    sync_folder(path.parent)


def write_output(path: Path, data: bytes) -> None:
    """`write_whole` for a command line's results. Raises SealError naming `out`."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise SealError(f"out: {path} cannot be written ({error.strerror or error}); choose another folder.") from error


def write_new_files(
    folder: Path,
    stem: str,
    files: Mapping[str, Content],
    what: str,
    *,
    taken_by: Iterable[str] = (),
    elsewhere: Iterable[Path] = (),
) -> dict[str, Path]:
    """Write a group of files, suffix -> content, under one free stem: `stem`, or stem-2, stem-3, ...

    The stem is claimed at the very end, so that several processes with one name each get their own. The group appears
    whole or not at all. taken_by: further suffixes that make a stem taken. Returns suffix -> path.
    Raises SealError, beginning with `what`, where the folder cannot be written to. The files then go into the first of
    the folders `elsewhere` that takes them, and the message says where.
    """
    try:
        return _write_new(folder, stem, files, taken_by)
    except OSError as error:
        trouble = f"{what}: {folder / stem} could not be saved: {why_not_writable(error)}."
        for other in elsewhere:
            with contextlib.suppress(OSError):
                kept = _write_new(other, stem, files, taken_by)
                paths = ", ".join(str(path) for path in kept.values())
                raise SealError(f"{trouble} What was made is kept as {paths}: move it to {folder}.") from error
        raise SealError(f"{trouble} Nothing was changed.") from error


def _write_new(folder: Path, stem: str, files: Mapping[str, Content], taken_by: Iterable[str]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(folder)
    for _ in range(_TRIES):
        free = unique_stem(folder, stem, (*taken_by, *files))
        targets = {suffix: folder / f"{free}{suffix}" for suffix in files}
        with contextlib.ExitStack() as stack:
            hidden = {}
            for suffix, content in files.items():
                data = content if isinstance(content, bytes) else content(free)
                hidden[targets[suffix]] = stack.enter_context(_hidden(folder, free, data))
            with contextlib.suppress(FileExistsError):  # another process was quicker: try the next number
                _claim_all(hidden)
                sync_folder(folder)
                return targets
    raise OSError(f"{_TRIES} names like it are taken")


def _claim_all(hidden: Mapping[Path, Path]) -> None:
    """Give every target its file, or none. Raises FileExistsError where one exists."""
    claimed: list[Path] = []
    try:
        for target, temporary in hidden.items():
            _claim(temporary, target)
            claimed.append(target)
    except BaseException:
        for target in claimed:
            target.unlink(missing_ok=True)
        raise


def _claim(temporary: Path, target: Path) -> None:
    """Give `temporary` the name `target`. Raises FileExistsError where that exists."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # disks without links, such as exFAT: an empty file claims the name, the whole one replaces it
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(temporary, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def hidden_beside(folder: Path, name: str) -> Path:
    """A name that nothing has, for what is being written. Its leading dot and ending keep it out of all lists."""
    return folder / f".{name}.{secrets.token_hex(6)}.part"


@contextlib.contextmanager
def _hidden(folder: Path, name: str, data: bytes) -> Iterator[Path]:
    """A synced file for the time of the block."""
    temporary = hidden_beside(folder, name)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Sync a folder's list of names to the disk, where the system can."""
    with contextlib.suppress(OSError):  # Windows and some network disks cannot: the file is whole anyway
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def ready_folder(folder: Path | str, what: str) -> Path:
    """Make the folder and see, before the work, that its results will fit. Raises SealError, beginning with `what`."""
    if not str(folder).strip():  # an unset shell variable; Path("") would be the current folder
        raise SealError(f"{what}: empty; give a folder (. is the current one).")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _hidden(folder, "probe", bytes(_PROBE)):
            return folder
    except OSError as error:
        raise SealError(f"{what}: {folder} cannot be written to: {why_not_writable(error)}.") from error


def sweep_leftovers(folder: Path) -> None:
    """Remove the hidden files and folders that killed processes left in a folder more than a day ago."""
    long_ago = time.time() - _OLD
    for entry in folder_entries(folder):
        if LEFTOVER.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < long_ago:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        os.unlink(entry.path)


def why_not_writable(error: OSError) -> str:
    """Why a folder cannot be written to, and the remedy."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no free disk space; free some"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file is where the folder should be; rename that file, or choose another folder"
    return f"{error.strerror or error}; allow writing there, or choose another folder"


def temporary_folders() -> list[Path]:
    """The system's folder for temporary files, if there is one."""
    try:
        return [Path(tempfile.gettempdir())]
    except OSError:
        return []
