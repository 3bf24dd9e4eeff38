"""What a user finds and fills in: words of the node search, fonts that a widget takes, a sweep one by one."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from stand_ins import ROOT, loaded_pack, schemas


@pytest.fixture
def pack(tmp_path: Path) -> Iterator[ModuleType]:
    """The pack, with models, input and output folders of its own and no system fonts."""
    with loaded_pack() as pack:
        paths: Any = sys.modules["folder_paths"]
        paths.models_dir = str(tmp_path / "models")
        paths.get_input_directory = lambda: str(tmp_path / "input")
        paths.get_output_directory = lambda: str(tmp_path / "output")
        paths.get_temp_directory = lambda: str(tmp_path / "temp")
        for name in ("models/fonts", "input/gifs/deep", "output/sweep"):
            (tmp_path / name).mkdir(parents=True)
        folders = module(pack, "seal_core.stickers.font_folders")
        folders.system_folders = lambda: [tmp_path / "system"]
        yield pack


def module(pack: ModuleType, name: str) -> Any:
    return importlib.import_module(f"{pack.__name__}.{name}")


@pytest.mark.parametrize(
    ("words", "nodes"),
    [
        ("gif", {"load_stickers", "save_sticker_pack", "sticker_motion"}),
        ("character", {"sticker_attribute_prompt", "sticker_attribute_sweep", "load_embedding"}),
        ("emoji", {"sticker_text"}),
        ("telegram", {"save_sticker_pack"}),
        ("animated sticker", {"sticker_motion"}),
    ],
)
def test_words_that_people_look_for_find_a_node(words: str, nodes: set[str]) -> None:
    found = set()
    shared = (ROOT / "nodes/attribute_inputs.py").read_text(encoding="utf-8")
    for path in (ROOT / "nodes").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "search_aliases":
                text = ast.unparse(node.value) + (shared if "SEARCH" in ast.unparse(node.value) else "")
                found |= {path.stem} if f"{words!r}" in text.replace('"', "'") else set()
    assert found >= nodes


def test_the_template_browsers_search_finds_the_packs_template_by_its_platforms() -> None:
    """It knows the names of custom templates and nothing else."""
    (name,) = (path.stem for path in (ROOT / "workflows").glob("*Telegram*.json"))
    assert "WhatsApp" in name and "Signal" in name and name.index("Telegram") < 20, "1.35 finds what is near the start"


def test_the_font_widget_offers_what_there_is(pack: ModuleType, tmp_path: Path) -> None:
    fonts = module(pack, "nodes.comfy.fonts")
    assert fonts.font_options() == ["automatic", "bundled"]
    data = module(pack, "seal_core.stickers.font").BUNDLED.read_bytes()
    (tmp_path / "system/deep").mkdir(parents=True)
    for name in ("system/deep/NotoColorEmoji.ttf", "system/arial.ttf", "models/fonts/My Font.ttf", "input/in.ttf"):
        (tmp_path / name).write_bytes(data)
    assert fonts.font_options() == ["automatic", "bundled", "NotoColorEmoji.ttf", "My Font.ttf"]
    assert [file.path.name for file in fonts.spare_fonts("automatic")("x")] == ["My Font.ttf", "NotoColorEmoji.ttf"]
    assert list(fonts.spare_fonts("bundled")("x")) == []


def test_fonts_typed_when_the_widget_was_a_text_field_are_taken_or_refused(pack: ModuleType, tmp_path: Path) -> None:
    fonts = module(pack, "nodes.comfy.fonts")
    (tmp_path / "input/a.ttf").touch()
    (tmp_path / "models/fonts/b.ttf").touch()
    text, sheet = module(pack, "nodes.sticker_text"), module(pack, "nodes.contact_sheet")
    for node in (text.SEALStickerText, sheet.SEALContactSheet):
        for value in ("", "automatic", "bundled", "a.ttf", "a.ttf; b.ttf", '"b.ttf"', None):
            assert node.validate_inputs(font=value) is True
        assert node.validate_inputs(font="none.ttf").startswith("font: there is no 'none.ttf'")
        assert "is a path" in node.validate_inputs(font="/etc/passwd")
        assert node.validate_inputs() is True
    assert [path.name for path in fonts.chosen_fonts("a.ttf\n b.ttf")] == ["a.ttf", "b.ttf"]
    assert fonts.chosen_fonts("automatic") == fonts.chosen_fonts("bundled") == fonts.chosen_fonts("") == []


def test_a_new_font_makes_an_automatic_caption_run_again(pack: ModuleType, tmp_path: Path) -> None:
    fonts = module(pack, "nodes.comfy.fonts")
    before = fonts.font_times("automatic"), fonts.font_times("bundled")
    (tmp_path / "models/fonts/new.ttf").touch()
    assert fonts.font_times("automatic") != before[0] and fonts.font_times("bundled") == before[1]


def test_colours_have_a_picker_where_comfyui_has_one(pack: ModuleType) -> None:
    shared = module(pack, "nodes.shared_inputs")
    assert shared.colour_input("fill", "#ffffff", "the letters").io_type == "STRING"

    class Picker:
        def __init__(self, name: str, **settings: Any) -> None:
            self.id, self.settings = name, settings

    shared.io.Color = SimpleNamespace(Input=Picker)
    made = shared.colour_input("fill", "#ffffff", "the letters")
    assert isinstance(made, Picker) and made.settings["default"] == "#ffffff"


def test_a_sweep_gives_all_prompts_or_one(pack: ModuleType) -> None:
    node = module(pack, "nodes.sticker_attribute_sweep").SEALStickerAttributeSweep
    fixed = dict.fromkeys(("appearance", "emotion", "action", "camera", "style", "background", "extra"), "")
    fixed |= {"values_2": ""} | {
        "concept": "<cat>",
        "attribute_1": "emotion",
        "values_1": "happy\nsad\nangry",
        "attribute_2": "none",
    }

    def labels(only: int) -> list[str]:
        prompts, labels = node.execute(**fixed, template="", only=only).result
        assert all(label in prompt for label, prompt in zip(labels, prompts, strict=True))
        return labels

    assert labels(0) == ["happy", "sad", "angry"]
    assert [labels(i) for i in (1, 2, 3, 4, 6)] == [["happy"], ["sad"], ["angry"], ["happy"], ["angry"]]


def test_picture_folders_are_comfyuis_own(pack: ModuleType, tmp_path: Path) -> None:
    folders = module(pack, "nodes.comfy.folders")
    assert folders.picture_folders() == ["input", "input/gifs", "input/gifs/deep", "output", "output/sweep"]
    assert folders.picture_folder("input/gifs/deep") == tmp_path / "input/gifs/deep"
    node = module(pack, "nodes.load_stickers").SEALLoadStickers
    for name in (
        "",
        "models",
        "input/..",
        "input/../models",
        "/",
        str(tmp_path),
        "input/none",
        "input\\gifs",
        "C:",
        "input/" + "x" * 5000,
        "input/\0",
    ):
        assert str(node.validate_inputs(folder=name)).startswith("folder: "), name
    assert node.validate_inputs(folder="output/sweep") is True and node.validate_inputs() is True


def test_numbers_that_stand_for_something_read_as_a_word(pack: ModuleType) -> None:
    """js/number_words.js writes the word; the tooltip says both, for front ends without it."""
    inputs = [(schema.node_id, given) for schema in schemas(pack) for given in schema.inputs]
    named = 0
    for node, given in inputs:
        words = (given.settings.get("extra_dict") or {}).get("seal_words", [])
        named += bool(words)
        for number, word in words:
            assert given.settings["min"] <= number <= given.settings["max"], (node, given.id)
            assert f"{word} ({number:g})" in given.settings["tooltip"], (node, given.id)
        if given.io_type in ("INT", "FLOAT") and given.settings.get("default") == -1:
            assert words, (node, given.id)
    assert named > 15


def test_the_training_node_shows_what_a_person_sets(pack: ModuleType) -> None:
    (train,) = (schema for schema in schemas(pack) if schema.node_id == "SEALTrainEmbedding")
    widgets = [given for given in train.inputs if "default" in given.settings]
    simple = [given.id for given in widgets if not (given.settings.get("extra_dict") or {}).get("advanced")]
    assert simple == ["class_word", "name", "preset", "quality"]
    assert train.inputs[-1].id == "quality", "saved widgets are read by position"


@pytest.mark.parametrize(
    ("prompt", "every", "steps", "looked_at", "spacing"),
    [
        ("a {}", -1, 400, True, 80),
        ("a {}", -1, 60, True, 40),
        ("a {}", -1, 400, False, 0),
        ("a {}", 7, 400, False, 7),
        ("a {}", 0, 400, True, 0),
        (" ", 7, 400, True, 0),
    ],
)
def test_previews_cost_little_unless_they_are_asked_for(
    pack: ModuleType, prompt: str, every: int, steps: int, looked_at: bool, spacing: int
) -> None:
    preview = module(pack, "nodes.comfy.training_progress").Preview(prompt, every)
    assert preview.spacing(steps, looked_at) == spacing
