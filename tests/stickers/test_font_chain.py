"""Which fonts draw a text: with fonts made here, so that it does not matter what the machine has."""

from __future__ import annotations

from pathlib import Path

import glyphs
import numpy as np
import pytest
import torch
from made_fonts import blank, collection_of, coloured, font_of, tables_for

from seal_core.messages import SealError, collected_notices
from seal_core.stickers import font_folders
from seal_core.stickers.caption import Caption, add_caption, caption_layer
from seal_core.stickers.contact_sheet import contact_sheet
from seal_core.stickers.font import font_runs, open_font
from seal_core.stickers.font_chain import font_chain
from seal_core.stickers.font_folders import listed_fonts
from seal_core.stickers.system_fonts import EAST_ASIAN_FONTS, EMOJI_FONTS, FontFile, language_of, system_fonts

PURPLE = (160, 0, 200)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's font folder, empty."""
    folder = tmp_path / "system" / "truetype"
    folder.mkdir(parents=True)
    monkeypatch.setattr(font_folders, "system_folders", lambda: [folder.parent])
    return folder


def write(folder: Path, name: str, tables: dict[bytes, bytes]) -> Path:
    (folder / name).write_bytes(font_of(tables))
    return folder / name


def runs(text: str, *fonts: Path) -> list[tuple[str, str]]:
    return [(Path(f.path).name, run) for f, run in font_runs(text, font_chain(text, fonts, system_fonts))]


OURS = "MPLUSRounded1c-ExtraBold-subset.ttf"


def test_each_character_comes_from_the_first_font_that_has_it(system: Path) -> None:
    write(system, "NotoColorEmoji.ttf", coloured(tables_for("😀❤1\u20e3"), PURPLE))
    write(system, "NotoSansCJK-Bold.ttc", tables_for("漢字안ABC"))
    assert runs("Hi 😀 漢字") == [
        (OURS, "Hi "),
        ("NotoColorEmoji.ttf", "😀"),
        (OURS, " "),
        ("NotoSansCJK-Bold.ttc", "漢字"),
    ]
    assert runs("1 ♥") == [(OURS, "1 ♥")]
    assert runs("1\ufe0f\u20e3") == [("NotoColorEmoji.ttf", "1\ufe0f\u20e3")], "the built-in font has the digit only"


def test_emoji_asked_for_as_pictures_come_in_colour_though_a_text_font_has_them(system: Path, tmp_path: Path) -> None:
    write(system, "seguiemj.ttf", coloured(tables_for("♥😀"), PURPLE))
    plain = write(tmp_path, "DejaVu.ttf", tables_for("😀A"))
    assert runs("♥\ufe0f") == [("seguiemj.ttf", "♥\ufe0f")] and runs("♥") == [(OURS, "♥")]
    assert runs("😀", plain) == [("seguiemj.ttf", "😀")] and runs("😀\ufe0e", plain) == [("DejaVu.ttf", "😀\ufe0e")]


def test_spare_fonts_are_not_asked_where_nothing_lacks() -> None:
    def never(text: str) -> list[FontFile]:
        raise AssertionError(text)

    assert len(font_chain("Hello, Привет, ありがとう ♥", (), never)) == 1


def test_a_japanese_word_is_written_in_one_font(system: Path) -> None:
    write(system, "NotoSansCJK-Bold.ttc", tables_for("漢あ。"))
    assert runs("漢あ。A") == [("NotoSansCJK-Bold.ttc", "漢あ。"), (OURS, "A")]
    assert runs("ああ。") == [(OURS, "ああ。")], "kana alone: the built-in font"
    assert runs("漢い") == [("NotoSansCJK-Bold.ttc", "漢"), (OURS, "い")], "the other one lacks a letter of it"
    assert open_font().has("あ"), "the opened font itself is untouched"


def test_damaged_and_blank_spare_fonts_are_passed_over(system: Path) -> None:
    (system / "NotoColorEmoji.ttf").write_bytes(b"no font")
    write(system, "Apple Color Emoji.ttc", blank(tables_for("😀")))
    write(system, "seguiemj.ttf", coloured(tables_for("😀"), PURPLE))
    assert runs("😀") == [("seguiemj.ttf", "😀")]


def test_colours_of_outline_fonts_are_drawn(system: Path) -> None:
    write(system, "seguiemj.ttf", coloured(tables_for("😀"), PURPLE))
    block = caption_layer(Caption("😀", size=50, stroke=0, fill="#00ff00"), 200, 200, (), system_fonts)
    solid = block[block[..., 3] > 0.99][:, :3]
    assert len(solid) > 100 and np.abs(solid - np.array(PURPLE) / 255).max() < 0.02
    image = torch.zeros(1, 200, 200, 4)
    out, _ = add_caption(image, None, Caption("😀", stroke=0), spare=system_fonts)
    assert out[..., 3].max() == 1


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("😀", r"lacks 😀 \(U\+1F600\); install Noto Color Emoji .*fonts-noto-color-emoji\), or put its file into"),
        ("漢 안", r"install Noto Sans CJK .*fonts-noto-cjk"),
        ("漢😀", r"Noto Color Emoji .* and Noto Sans CJK"),
        ("ก", r"lacks ก \(U\+0E01\); install a font that has them"),
    ],
)
def test_what_no_font_has_is_told_with_the_font_to_install(text: str, advice: str, system: Path) -> None:
    with pytest.raises(SealError, match=f"^text: .*{advice}.*models/fonts; or write other words"):
        caption_layer(Caption(text), 200, 200, (), system_fonts)
    with pytest.raises(SealError, match=r"^text: .* lacks .*; let font be automatic"):
        caption_layer(Caption(text), 200, 200)


def test_a_sheet_takes_them_too_and_spells_what_is_lacking(system: Path) -> None:
    write(system, "NotoSansCJK-Bold.ttc", tables_for("漢"))
    pictures = [torch.ones(1, 64, 64, 3)] * 2
    with collected_notices() as said:
        contact_sheet(pictures, ["漢", "b"], title="漢", spare=system_fonts)
    assert said == []
    with collected_notices() as said:
        contact_sheet(pictures, ["字", "b"], spare=system_fonts)
    assert len(said) == 1 and "U+5B57" in said[0] and "fonts-noto-cjk" in said[0]


def test_the_fonts_for_the_texts_language_come_first(system: Path) -> None:
    for name in ("YuGothB.ttc", "malgunbd.ttf", "msyhbd.ttc", "seguiemj.ttf", "arial.ttf"):
        (system / name).write_bytes(b"x")

    def order(text: str) -> list[str]:
        return [font.path.name for font in system_fonts(text)]

    assert [language_of(t) for t in ("漢字かな", "한글 漢", "漢字", "カナ", "")] == ["ja", "ko", "zh", "ja", "zh"]
    assert order("かな") == ["seguiemj.ttf", "YuGothB.ttc", "malgunbd.ttf", "msyhbd.ttc"]
    assert order("한글")[1] == "malgunbd.ttf" and order("漢字")[1] == "msyhbd.ttc"


def test_a_collections_font_is_the_languages_own(system: Path) -> None:
    path = system / "NotoSansCJK-Bold.ttc"
    path.write_bytes(collection_of(tables_for("骨あ", 40), tables_for("骨안", 41), tables_for("骨", 42)))
    assert [system_fonts(t)[0].face for t in ("骨あ", "骨안", "骨")] == [0, 1, 2]
    assert [open_font(path, face).has("안") for face in range(3)] == [False, True, False]

    def picture(text: str) -> np.ndarray:
        (font,) = (f for f, _ in font_runs("骨", font_chain(text, (), system_fonts)))
        return font.draw("骨", 64, (0, 0, 0))[0]

    japanese, chinese = picture("骨あ"), picture("骨")
    assert japanese.shape != chinese.shape or not np.array_equal(japanese, chinese)
    with pytest.raises(SealError, match=r"^font: .* is damaged"):
        open_font(path, 3)


def test_names_are_told_apart_as_file_systems_do(system: Path) -> None:
    (system / "ヒラギノ角ゴシック W8.ttc".replace("ギ", "キ\u3099")).write_bytes(b"x")  # as macOS stores it
    (system / "SEGUIEMJ.TTF").write_bytes(b"x")
    assert len(system_fonts()) == 2
    names = [*EMOJI_FONTS, *EAST_ASIAN_FONTS]
    assert len({name.casefold() for name in names}) == len(names)


def test_fonts_are_listed_with_their_folders(tmp_path: Path) -> None:
    for name in ("b.ttf", "serif/A.OTF", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert listed_fonts([tmp_path, tmp_path / "none"]) == ["b.ttf", "serif/A.OTF"]


@pytest.mark.skipif(not glyphs.available(), reason=glyphs.MISSING)
def test_the_systems_own_emoji_font_is_found() -> None:
    assert "NotoColorEmoji.ttf" in [font.path.name for font in system_fonts()] or "NOTO" in glyphs.FONT
    chain = font_chain("😀", (), lambda _: [FontFile(Path(glyphs.FONT))])
    assert chain[-1].emoji and chain[-1].coloured and chain[-1].strike
