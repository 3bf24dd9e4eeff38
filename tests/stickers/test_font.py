"""Fonts: the included one, emoji fonts, damaged files, and only from known folders."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

import glyphs
import pytest
import torch
from stand_ins import ROOT

from seal_core.messages import SealError
from seal_core.stickers import font_folders
from seal_core.stickers.caption import Caption, add_caption, caption_layer
from seal_core.stickers.contact_sheet import contact_sheet
from seal_core.stickers.font import BUNDLED, Font, font_runs, open_font
from seal_core.stickers.font_folders import font_file, system_folders

font = pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)


def test_bundled_font_has_the_scripts_it_promises():
    has = open_font(BUNDLED).has
    assert all(has(c) for c in "Hello Çñßőž ΑΩαωά Привет ёЇґ ありがとう カタカナ ー、。！？ ♥★♪ “”…€")
    assert not has("漢") and not has("😀")
    assert BUNDLED.stat().st_size < 150_000 and "OPEN FONT LICENSE" in BUNDLED.with_name("OFL.txt").read_text()


def test_character_tables_agree_with_what_is_drawn():
    """Characters that the file says it has leave ink unlike that of the glyph for missing ones."""
    letters = open_font(BUNDLED)
    missing = letters.at(40).getmask("\uffff")
    for c in "AgЖΩあ♥":
        drawn = letters.at(40).getmask(c)
        assert bytes(drawn) != bytes(missing) and any(drawn)


@font
def test_emoji_come_from_a_font_that_has_them():
    with pytest.raises(SealError, match=r"^text: .*lacks .*U\+1F600"):
        caption_layer(Caption("ok 😀"), 200, 200)
    emoji = open_font(glyphs.FONT)
    assert emoji.strike and emoji.has("😀") and not emoji.has("あ")
    block = caption_layer(Caption("ok 😀", size=40, stroke=0, fill="#000000"), 200, 200, [glyphs.FONT])
    solid = block[block[..., 3] > 0.9][:, :3]
    yellow = (solid[:, 0] > 0.8) & (solid[:, 1] > 0.5) & (solid[:, 2] < 0.4)
    assert 0.2 < yellow.mean() < 0.9, "the face is yellow, the letters are black"


def test_bad_fonts(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(BUNDLED.read_bytes()[:400])
    (tmp_path / "words.txt").write_text("no font")
    for name, words in (("broken.ttf", "damaged"), ("words.txt", "not a font"), ("none.ttf", "no file")):
        with pytest.raises(SealError, match=f"^font: .*{words}"):
            open_font(tmp_path / name)


def fonts():
    """Characters alone: a text font with a few monochrome pictures, and an emoji font with the digits of keycaps."""
    text = Font("", "text", frozenset(map(ord, "Aa12#* ©❤😀⌚\u20e3\u0303q")))
    emoji = Font("", "emoji", frozenset(map(ord, "12#* ©❤😀⌚👩🚀👍🏽🇩🇪\u20e3")))
    assert emoji.emoji and not text.emoji
    return text, emoji


def cut(line, *chain):
    return [(font.name, run) for font, run in font_runs(line, chain)]


def test_digits_come_from_text_fonts_and_keycaps_from_emoji_fonts():
    text, emoji = fonts()
    for chain in ((text, emoji), (emoji, text)):
        assert cut("12 #* ©", *chain) == [("text", "12 #* ©")]
        assert cut("2\ufe0f\u20e3", *chain) == [("emoji", "2\ufe0f\u20e3")]
        assert cut("1#\u20e32", *chain) == [("text", "1"), ("emoji", "#\u20e3"), ("text", "2")]
    assert cut("2", emoji) == [("emoji", "2")], "better than nothing"


def test_emoji_come_from_emoji_fonts_and_the_text_style_from_text_fonts():
    text, emoji = fonts()
    for chain in ((text, emoji), (emoji, text)):
        assert cut("😀⌚❤\ufe0f", *chain) == [("emoji", "😀⌚❤\ufe0f")]
        assert cut("😀\ufe0e❤\ufe0e", *chain) == [("text", "😀\ufe0e❤\ufe0e")]
        assert cut("❤", *chain) == [(chain[0].name, "❤")], "of both styles alike: the order decides"
    assert cut("👩\ufe0e", text, emoji) == [("emoji", "👩\ufe0e")]


def test_what_belongs_together_stays_in_one_font():
    text, emoji = fonts()
    joined = "👩\u200d🚀👍🏽🇩🇪"
    assert cut(f"a{joined} 1", text, emoji) == [("text", "a"), ("emoji", joined), ("text", " 1")]
    marks = Font("", "marks", frozenset(map(ord, "\u0303")))
    assert cut("aq\u0303\u200b", marks, text) == [("text", "aq\u0303\u200b")]
    assert cut("A\u0303", Font("", "letters", frozenset([65])), marks) == [("letters", "A"), ("marks", "\u0303")]


DATA = BUNDLED.read_bytes()


STICKER = torch.zeros(1, 96, 128, 4)


def tables(data=DATA):
    """Name -> place of its entry, offset, length."""
    found = {}
    for i in range(struct.unpack(">H", data[4:6])[0]):
        at = 12 + 16 * i
        found[data[at : at + 4]] = (at, *struct.unpack(">II", data[at + 8 : at + 16]))
    return found


def with_table(name, table, data=DATA):
    """The bundled font with another table, at its end."""
    at = tables(data)[name][0]
    entry = struct.pack(">II", len(data), len(table))
    return data[: at + 8] + entry + data[at + 16 :] + table


def cmap(*subtables):
    head, at = struct.pack(">HH", 0, len(subtables)), 4 + 8 * len(subtables)
    for i in range(len(subtables)):
        head += struct.pack(">HHI", 3, 10, at + sum(map(len, subtables[:i])))
    return head + b"".join(subtables)


def format12(groups):
    body = b"".join(struct.pack(">III", *group) for group in groups)
    return struct.pack(">HHIII", 12, 0, 16 + len(body), 0, len(groups)) + body


def format4(segments):
    """Segments (first, last, delta)."""
    first, last, delta = (b"".join(struct.pack(">H", v % 65536) for v in column) for column in zip(*segments))
    body = struct.pack(">HHHH", 2 * len(segments), 0, 0, 0) + last + b"\0\0" + first + delta + b"\0\0" * len(segments)
    return struct.pack(">HHH", 4, (6 + len(body)) % 65536, 0) + body


def read(tmp_path, *subtables):
    """The characters of the bundled font with these subtables."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.ttf"
    path.write_bytes(with_table(b"cmap", cmap(*subtables)))
    return sorted(open_font(path).characters)


def test_segments_and_groups_are_read_as_the_standard_says(tmp_path):
    assert {ord(c) for c in "AZaz09Ωжあン"} <= open_font().characters and ord("漢") not in open_font().characters
    assert read(tmp_path, format4([(65, 70, 5), (80, 80, -80), (0xFFFF, 0xFFFF, 1)])) == [65, 66, 67, 68, 69, 70]
    assert read(tmp_path, format12([(65, 67, 3), (0x1F600, 0x1F602, 0), (9, 8, 1)])) == [65, 66, 67, 0x1F601, 0x1F602]
    assert read(tmp_path, format4([(65, 66, 1)]), format12([(90, 91, 1)])) == [65, 66, 90, 91]


HOSTILE = {
    "20,000 groups of all code points": cmap(format12([(1, 0x10FFFF, 1)] * 20_000)),
    "a million groups": cmap(format12([(i, i, 1) for i in range(1 << 20)])),
    "overlapping segments": cmap(format4([(1, 0xFFFE, 1)] * 8000)),
    "4,000 subtables": struct.pack(">HH", 0, 4000)
    + b"".join(struct.pack(">HHI", 3, 10, 32_004 + i) for i in range(4000))
    + format12([(1, 0x10FFFF, 1)] * 1000),
    "more groups than bytes": struct.pack(">HHHHIHHIII", 0, 1, 3, 10, 12, 12, 0, 0, 0, 1 << 31),
    "cut off": cmap(format12([(65, 70, 1)]))[:20],
    "empty": b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_tables_are_bounded_work(kind, tmp_path):
    """In a process of its own: the first took over a minute."""
    (tmp_path / "a.ttf").write_bytes(with_table(b"cmap", HOSTILE[kind]))
    script = (
        "import sys\nfrom seal_core.messages import SealError\nfrom seal_core.stickers.font import open_font\n"
        "try:\n    print(len(open_font(sys.argv[1]).characters))\nexcept SealError as error:\n    print(error)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.ttf")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    said = done.stdout.strip()
    assert not done.stderr and (said.isdigit() or said == "font: 'a.ttf' is damaged or no font; use another file.")
    assert said.isdigit() == (kind in ("20,000 groups of all code points", "a million groups"))


def drawn(path):
    """What a caption and a sheet with this font come to: True, or the error's text."""
    try:
        add_caption(STICKER, None, Caption("Hello Ω!\nжあ 12", width=80), [path])
        contact_sheet([STICKER], ["label"], title="Title", fonts=[path])
        return True
    except SealError as error:
        return str(error)


def test_damaged_fonts_are_one_kind_of_error(tmp_path):
    rng, refused = random.Random(0), 0
    spots = [s for at, start, length in tables().values() for s in (at + 8, at + 12, start, start + length // 2)]
    for turn in range(60):
        damaged = bytearray(DATA)
        for _ in range(1 + turn % 8):
            spot = rng.choice(spots) + rng.randrange(40) if turn % 2 else rng.randrange(len(damaged))
            damaged[min(spot, len(damaged) - 1)] = rng.randrange(256)
        path = tmp_path / f"{turn}.ttf"
        path.write_bytes(bytes(damaged[: rng.randrange(len(damaged))] if turn % 5 == 0 else damaged))
        told = drawn(path)
        refused += told is not True
        assert told is True or told.startswith(("font: ", "text: ")), told
    assert refused > 12


@pytest.mark.parametrize("name, field, value", [
    (b"hhea", 34, 1), (b"head", 18, 16), (b"head", 18, 0), (b"head", 50, 1), (b"maxp", 4, 0), (b"head", 18, 1),
])  # fmt: skip
def test_impossible_measures_are_damage(name, field, value, tmp_path):
    start = tables()[name][1]
    (tmp_path / "a.ttf").write_bytes(DATA[: start + field] + struct.pack(">H", value) + DATA[start + field + 2 :])
    told = drawn(tmp_path / "a.ttf")
    assert told is True or told.startswith(("font: ", "text: ")), told


def test_glyphs_that_reach_far_beyond_their_widths_are_not_drawn(tmp_path):
    """An em of 16 units, which all advances have: glyphs that were one em high are sixty."""
    start, hmtx = tables()[b"head"][1], tables()[b"hmtx"]
    small = DATA[: start + 18] + struct.pack(">H", 16) + DATA[start + 20 :]
    (tmp_path / "a.ttf").write_bytes(with_table(b"hmtx", b"\0\x10\0\0" * (hmtx[2] // 4), small))
    with pytest.raises(SealError, match=r"font: .* is damaged or no font"):
        open_font(tmp_path / "a.ttf").draw("Hello", 160, (0, 0, 0))


def test_long_names_and_no_files_are_told(tmp_path):
    for name in ("x" * 300 + ".ttf", "a\0.ttf", "none.ttf", ".", "x" * 5000):
        with pytest.raises(SealError, match="font: there is no file"):
            open_font(tmp_path / name)


def test_fonts_come_from_known_folders(tmp_path, monkeypatch):
    ours, theirs = tmp_path / "fonts", tmp_path / "system"
    for path in (ours / "a.ttf", ours / "serif" / "b.otf", theirs / "deep" / "Sans.TTF", tmp_path / "secret.ttf"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DATA)
    monkeypatch.setattr(font_folders, "system_folders", lambda: [tmp_path / "none", theirs])
    assert font_file("a.ttf", [tmp_path / "none", ours]) == ours / "a.ttf"
    assert font_file("serif/b.otf", [ours]) == font_file("serif\\b.otf", [ours]) == ours / "serif" / "b.otf"
    assert font_file("sans.ttf", [ours]) == theirs / "deep" / "Sans.TTF"
    with pytest.raises(SealError, match=r"font: there is no 'c\.ttf' in .*fonts, and none is installed; put the file"):
        font_file("c.ttf", [ours])


@pytest.mark.parametrize("name", [
    "/etc/passwd", "TMP/secret.ttf", "../secret.ttf", "serif/../../secret.ttf", "..\\secret.ttf",
    r"\\server\share\a.ttf", "//server/share/a.ttf", r"C:\Windows\Fonts\arial.ttf", "C:arial.ttf", "a.ttf:stream.ttf",
    "./a.ttf", "a\0.ttf", "\ud800.ttf", "x" * 300 + ".ttf", "passwd", "a.txt", "~/a.ttf/../a.ttf",
])  # fmt: skip
def test_no_other_name_reaches_the_disk(name, tmp_path, monkeypatch):
    """Equal answers whether the file is there or not, since nobody looks."""
    (tmp_path / "secret.ttf").write_bytes(DATA)

    def look(*_):
        raise AssertionError("looked at the disk")

    monkeypatch.setattr(Path, "is_file", look)
    monkeypatch.setattr(font_folders, "installed_fonts", look)
    says = r"is no valid text" if "\ud800" in name else r"(is a path; copy the file to .*fonts|cannot be a font's name)"
    with pytest.raises(SealError, match=rf"^font: .* {says}"):
        font_file(name.replace("TMP", str(tmp_path)), [tmp_path / "fonts"])


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_system_has_its_folders(system, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    assert len(system_folders()) >= 2 and all("ont" in folder.name for folder in system_folders())
