"""What chat platforms accept, checked on the files alone with our own chunk parser, Pillow and PyAV.

Uses nothing of seal_core. The limits are repeated here from the platforms' pages and issue 4's table, so that an
error in the shipped table shows.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass
class Read:
    """One file: frames (N, H, W, 4), milliseconds of each frame, plays (0 = for ever, -1 = not said)."""

    form: str
    size: int
    frames: np.ndarray
    times: list[float] = field(default_factory=list)
    plays: int = -1
    sound: bool = False
    colour: int = -1
    """A PNG's colour type: 2 truecolour, 3 palette, 6 truecolour with alpha."""

    @property
    def wide(self) -> int:
        return self.frames.shape[2]

    @property
    def high(self) -> int:
        return self.frames.shape[1]


def read(path: Path | str, data: bytes | None = None) -> Read:
    data = Path(path).read_bytes() if data is None else data
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:6] == b"GIF89a":
        return _gif(data)
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return _webm(data)
    raise AssertionError(f"{path}: unknown format {data[:12]!r}")


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 8, []
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + body), f"checksum of {kind!r}"
        found.append((kind, body))
        at += 12 + size
    assert at == len(data) and found[0][0] == b"IHDR" and found[-1] == (b"IEND", b"")
    return found


def _png(data: bytes) -> Read:
    found = png_chunks(data)
    kinds = [kind for kind, _ in found]
    width, height = struct.unpack_from(">II", found[0][1])
    frames = _pillow(data)
    assert frames.shape[1:3] == (height, width)
    colour = found[0][1][9]
    if b"acTL" not in kinds:
        return Read("png", len(data), frames, colour=colour)
    assert kinds.index(b"acTL") < kinds.index(b"IDAT")
    count, plays = struct.unpack(">II", dict(found)[b"acTL"])
    controls = [struct.unpack(">IIIIIHHBB", body) for kind, body in found if kind == b"fcTL"]
    sequence = sorted([c[0] for c in controls] + [struct.unpack_from(">I", b)[0] for k, b in found if k == b"fdAT"])
    assert sequence == list(range(len(sequence))), "sequence numbers"
    assert len(controls) == count == len(frames)
    assert controls[0][1:5] == (width, height, 0, 0)
    for _, w, h, x, y, *_ in controls:
        assert w > 0 and h > 0 and x + w <= width and y + h <= height
    return Read("apng", len(data), frames, [1000 * c[5] / (c[6] or 100) for c in controls], plays, colour=colour)


def riff_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    at, found = 12, []
    while at < len(data):
        kind, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        found.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def _webp(data: bytes) -> Read:
    found = riff_chunks(data)
    frames = _pillow(data)
    parts = [body for kind, body in found if kind == b"ANMF"]
    if not parts:
        return Read("webp", len(data), frames)
    assert dict(found)[b"VP8X"][0] & 2, "animation flag"
    times = [float(int.from_bytes(body[12:15], "little")) for body in parts]
    assert len(times) == len(frames)
    (plays,) = struct.unpack_from("<H", dict(found)[b"ANIM"], 4)
    return Read("awebp", len(data), frames, times, plays)


def _gif(data: bytes) -> Read:
    with Image.open(io.BytesIO(data)) as image:
        times = []
        for i in range(image.n_frames):
            image.seek(i)
            times.append(float(image.info["duration"]))
        plays = image.info.get("loop", 1)
    return Read("gif", len(data), _pillow(data), times, plays)


def _webm(data: bytes) -> Read:
    import av

    with av.open(io.BytesIO(data)) as container:
        video = container.streams.video[0]
        assert container.format.name == "matroska,webm" and video.codec_context.name in ("vp9", "libvpx-vp9")
        # FFmpeg's own VP9 decoder ignores the alpha channel; libvpx reads it.
        decoder = av.codec.CodecContext.create("libvpx-vp9", "r")
        frames, stamps = [], []
        for packet in container.demux(video):
            for frame in decoder.decode(packet):
                assert frame.format.name == "yuva420p", "no alpha channel"
                frames.append(frame.to_ndarray(format="rgba"))
                stamps.append(1000 * float(frame.pts * video.time_base))
        whole = container.duration / 1000
        times = list(np.diff([*stamps, whole]))
        return Read("webm", len(data), np.stack(frames), times, sound=bool(container.streams.audio))


def _pillow(data: bytes) -> np.ndarray:
    frames = []
    with Image.open(io.BytesIO(data)) as image:
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            image.load()
            frames.append(np.asarray(image.convert("RGBA")))
    return np.stack(frames)


def check_pack(folder: Path) -> dict[str, Read]:
    """Every limit of the pack's platform, on every file. Returns the stickers by file name."""
    report = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    stickers = {entry["file"]: read(folder / entry["file"]) for entry in report["stickers"]}
    assert not list(folder.parent.glob(".*")), "a temporary folder stays"
    for entry in report["stickers"]:
        got = stickers[entry["file"]]
        assert (entry["width"], entry["height"], entry["bytes"]) == (got.wide, got.high, got.size)
        assert got.frames[..., 3].reshape(len(got.frames), -1).max(axis=1).min() > 0, "a frame shows nothing"
        if got.times:
            assert entry["frames"] == len(got.frames) >= 2
            assert any((f != got.frames[0]).any() for f in got.frames[1:]), "does not move"
            if report["platform"] != "line":
                assert got.plays == (-1 if got.form == "webm" else 0), "loops for ever"
            # webkit.org/b/36082: browsers and apps built on them show frames of up to 10 ms for 100 ms.
            assert report["platform"] == "plain" or got.form == "webm" or min(got.times) > 10
            assert got.form != "apng" or got.colour == 6, "a palette, which Signal for iOS does not move"
    emoji = [entry["emoji"] for entry in report["stickers"]]
    _how_to(folder, report)
    RULES[report["platform"]](folder, report, list(stickers.values()), emoji)
    return stickers


PLACES = {
    "telegram": "@Stickers",
    "whatsapp": ".wastickers",
    "signal": "Signal Desktop",
    "discord": "Server Settings > Stickers",
    "line": "creator.line.me",
    "imessage": "Xcode",
    "plain": "plain files",
}
"""What each platform's own help names: where stickers are uploaded."""


def _how_to(folder, report) -> None:
    text = (folder / report["how_to"]).read_text(encoding="utf-8")
    assert PLACES[report["platform"]] in text
    for entry in report["stickers"]:
        assert entry["file"] in text and all(e in text for e in entry["emoji"])
    for name in re.findall(r"[\w-]+\.(?:png|webp|webm|zip|wastickers|json)\b", text):
        assert (folder / name).is_file(), f"{name} is named, and is not there"


def _telegram(folder, report, stickers, emoji) -> None:
    assert len(stickers) <= 120 and all(1 <= len(e) <= 20 for e in emoji)
    for s in stickers:
        assert max(s.wide, s.high) == 512
        if s.times:
            assert s.form == "webm" and not s.sound and s.size <= 256_000
            assert sum(s.times) <= 3000 and len(s.times) / (sum(s.times) / 1000) <= 30.01
        else:
            assert s.form in ("png", "webp") and s.size <= 512_000
    thumb = read(folder / "thumb.png")
    assert (thumb.wide, thumb.high) == (100, 100) and thumb.size <= 128_000
    if all(s.times for s in stickers):
        thumb = read(folder / "thumb.webm")
        assert (thumb.wide, thumb.high) == (100, 100) and thumb.size <= 32_000 and sum(thumb.times) <= 3000


def _whatsapp(folder, report, stickers, emoji) -> None:
    assert 3 <= len(stickers) <= 30 and all(1 <= len(e) <= 3 for e in emoji)
    moving = bool(stickers[0].times)
    for s in stickers:
        assert (s.wide, s.high) == (512, 512) and s.form == ("awebp" if moving else "webp")
        assert s.size <= (500 if moving else 100) * 1024
        assert not s.times or (min(s.times) >= 8 and sum(s.times) <= 10_000)
    tray = read(folder / "tray.png")
    assert tray.form == "png" and (tray.wide, tray.high) == (96, 96) and tray.size <= 50_000
    contents = json.loads((folder / "contents.json").read_text(encoding="utf-8"))
    (pack,) = contents["sticker_packs"]
    assert pack["name"] == report["title"] and pack["publisher"] == report["author"]
    assert max(map(len, (pack["name"], pack["publisher"], pack["identifier"]))) <= 128
    assert pack["animated_sticker_pack"] is moving and pack["tray_image_file"] == "tray.png"
    assert [s["image_file"] for s in pack["stickers"]] == [e["file"] for e in report["stickers"]]
    assert [s["emojis"] for s in pack["stickers"]] == emoji
    with zipfile.ZipFile(folder / report["archive"]["file"]) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(
            ["author.txt", "title.txt", "tray.png", *(e["file"] for e in report["stickers"])]
        )
        assert archive.read("title.txt").decode() == report["title"]
        assert archive.read("author.txt").decode() == report["author"]


def _signal(folder, report, stickers, emoji) -> None:
    assert 1 <= len(stickers) <= 200 and all(len(e) == 1 for e in emoji)
    for s in stickers:
        assert (s.wide, s.high) == (512, 512) and s.size <= 300 * 1024
        # github.com/signalapp/Signal-iOS/issues/4611: no palette. Signal Desktop takes endless loops only.
        assert (s.form, s.colour, s.plays) == ("apng", 6, 0) if s.times else s.form in ("png", "webp")
        assert sum(s.times) <= 3000


def _discord(folder, report, stickers, emoji) -> None:
    for entry, s in zip(report["stickers"], stickers):
        assert (s.wide, s.high) == (320, 320) and s.size <= 512_000
        assert s.form == ("apng" if s.times else "png")
        assert sum(s.times) <= 5000
        assert 2 <= len(entry["name"]) <= 30 and 2 <= len(entry["tags"]) <= 200


def _line(folder, report, stickers, emoji) -> None:
    moving = bool(stickers[0].times)
    assert len(stickers) in ((8, 16, 24) if moving else (8, 16, 24, 32, 40))
    for s in stickers:
        assert bool(s.times) is moving and s.wide % 2 == s.high % 2 == 0 and s.colour in (2, 6), "RGB, even sides"
        assert _margin(s.frames) >= 10, "creator.line.me/en/guideline/: about 10 px around what is seen"
        # The subject fills the canvas up to the margin on one axis, except for rounding to even sides.
        assert "fit into" in " ".join(report["notes"]) or _margin(s.frames) <= 12
        if moving:
            _line_animation(s)
            assert s.wide <= 320 and s.high <= 270 and max(s.wide, s.high) >= 270
        else:
            assert s.form == "png" and s.wide <= 370 and s.high <= 320 and s.size <= 1_000_000
    main, tab = read(folder / "main.png"), read(folder / "tab.png")
    assert (main.wide, main.high, tab.wide, tab.high) == (240, 240, 96, 74) and tab.form == "png"
    assert bool(main.times) is moving and tab.size <= 300_000 and main.colour in (2, 6) and tab.colour in (2, 6)
    assert _margin(main.frames) >= 10
    if moving:
        _line_animation(main)
    archive = folder / report["archive"]["file"]
    assert archive.suffix == ".zip" and archive.stat().st_size <= 20_000_000
    with zipfile.ZipFile(archive) as opened:
        numbers = [f"{i + 1:02d}.png" for i in range(len(stickers))]
        assert sorted(opened.namelist()) == sorted([*numbers, "main.png", "tab.png"])
        for name, s in zip(numbers, stickers):
            assert (read(name, opened.read(name)).frames == s.frames).all()


def _margin(frames: np.ndarray) -> int:
    """Pixels between the subject and the nearest edge, in all frames."""
    seen = frames[..., 3].max(axis=0) > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return int(min(rows[0], columns[0], len(seen) - 1 - rows[-1], seen.shape[1] - 1 - columns[-1]))


def _line_animation(s: Read) -> None:
    assert s.form == "apng" and s.size <= 300_000 and 5 <= len(s.frames) <= 20
    assert any((f != s.frames[0]).any() for f in s.frames[1:])
    assert 1 <= s.plays <= 4 and sum(s.times) in (1000, 2000, 3000, 4000) and sum(s.times) * s.plays <= 4000


def _imessage(folder, report, stickers, emoji) -> None:
    for s in stickers:
        assert s.wide == s.high in (300, 408, 618) and s.size <= 500_000
        assert s.form in ("apng", "gif") if s.times else s.form == "png"


def _plain(folder, report, stickers, emoji) -> None:
    assert stickers


RULES = {
    "telegram": _telegram,
    "whatsapp": _whatsapp,
    "signal": _signal,
    "discord": _discord,
    "line": _line,
    "imessage": _imessage,
    "plain": _plain,
}
