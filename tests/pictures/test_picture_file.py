"""The one reader of picture files: formats by name, upright, whole depth, transparency, damage and bombs."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, PngImagePlugin

from seal_core.cli import main as cli
from seal_core.messages import SealError
from seal_core.pictures.picture_file import read_picture, readable_formats
from seal_core.stickers.pack.read_folder import stickers_in
from seal_core.tagged_stickers.sticker_folder import read_sticker_folder

ROOT = Path(__file__).parents[2]
SCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n0 0 40 40 rectfill\nshowpage\n%%EOF\n"


@pytest.fixture
def no_ghostscript(monkeypatch):
    """Fails the test where Pillow would run Ghostscript."""

    def run(*arguments, **options):
        pytest.fail("Ghostscript was run")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)


def test_postscript_in_a_png_is_refused(no_ghostscript, tmp_path, capsys):
    path = tmp_path / "cat.png"
    path.write_bytes(SCRIPT)
    with pytest.raises(SealError, match=r"^image: .*cat\.png is no picture that can be read"):
        read_picture(path, "image")
    with pytest.raises(SealError, match=r"^in: cat\.png is no picture that can be read"):
        stickers_in(tmp_path)[0].clip()
    shared = ["train", "--model", str(tmp_path), "--class-word", "cat", "--out", str(tmp_path / "out"), "--name", "x"]
    assert cli.main([*shared, "--image", str(path)]) == 2
    assert "is no picture that can be read" in capsys.readouterr().err
    (tmp_path / "stickers.json").write_text('[{"image": "cat.png", "concept": "c", "class": "cat", "emotion": "sad"}]')
    with pytest.raises(SealError, match="is no picture that can be read"):
        read_sticker_folder(tmp_path)


def test_every_open_in_the_shipped_code_names_its_formats():
    found = []
    for path in [*ROOT.glob("seal_core/**/*.py"), *ROOT.glob("nodes/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                found.append((path.name, [k.arg for k in node.keywords]))
    assert found and [name for name, keywords in found if "formats" not in keywords] == []
    assert {"PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"} <= set(readable_formats()) and "EPS" not in readable_formats()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_pictures_are_upright(name, tmp_path):
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[:8, :8] = 250, 20, 20  # the corner at the left above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / name, exif=exif, **({"quality": 100} if name == "a.webp" else {}))
    read = read_picture(tmp_path / name, "image")
    assert read.shape == (40, 24, 3)
    assert read[3, -3, 0] > 0.8 and read[3, 3, 0] < 0.2


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_deep_grey_keeps_its_levels(name, tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(20, 0)
    Image.fromarray(ramp).save(tmp_path / name)
    read = read_picture(tmp_path / name, "image")
    assert read.shape == (20, 64, 3) and np.abs(read[0, :, 0].numpy() - np.linspace(0, 1, 64)).max() < 0.003


def test_palettes_and_transparent_colours(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 2:6] = 200, 100, 50, 255
    shown = Image.fromarray(pixels)
    shown.quantize(4).save(tmp_path / "p.png")
    shown.save(tmp_path / "a.webp", lossless=True)
    shown.save(tmp_path / "a.gif")
    grey = Image.new("L", (8, 8), 7)
    grey.save(tmp_path / "l.png", transparency=7)
    for name in ("p.png", "a.webp", "a.gif"):
        read = read_picture(tmp_path / name, "image")
        assert read.shape == (8, 8, 4) and read[..., 3].sum() == 16
        assert np.abs(read[3, 3, :3].numpy() * 255 - (200, 100, 50)).max() < 8
    assert read_picture(tmp_path / "l.png", "image")[..., 3].max() == 0
    Image.new("RGB", (8, 8)).save(tmp_path / "opaque.png")
    assert read_picture(tmp_path / "opaque.png", "image").shape == (8, 8, 3)


def test_what_is_no_picture(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_bytes(b"hello")
    (tmp_path / "folder.png").mkdir()
    Image.new("F", (8, 8)).save(tmp_path / "float.tif")
    Image.new("RGB", (32, 32)).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "folder.png", "float.tif", "cut.png", "none.png"):
        with pytest.raises(SealError, match=rf"^mask: .*{name} is (no picture that can be read|not there)"):
            read_picture(tmp_path / name, "mask")


@pytest.mark.parametrize("guard", [None, 89_478_485])
def test_bombs_are_refused_before_they_are_decoded(guard, tmp_path, monkeypatch):
    """Also where another pack has switched Pillow's own guard off."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", guard)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("it was decoded"))
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(SealError, match=r"^image: .*bomb\.png .* scale it down"):
        read_picture(tmp_path / "bomb.png", "image")
