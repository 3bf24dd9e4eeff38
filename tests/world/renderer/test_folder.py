"""The render command writes folders that the importer of tagged stickers reads back."""

import numpy as np
import pytest
from PIL import Image

from seal_core.demo.animals import SPECIES
from seal_core.demo.attribute_values import VALUES
from seal_core.tagged_stickers.sticker_folder import read_sticker_folder
from seal_core.world.commands import main


def test_rendered_folders_are_read_back(tmp_path, capsys):
    assert main(["render", "--out", str(tmp_path), "--characters", "3", "--contexts", "2", "--split", "test"]) == 0
    assert '"stickers": 6' in capsys.readouterr().out
    found = read_sticker_folder(tmp_path)
    assert len(found.records) == 6 and not found.problems
    assert {s.concept for s in found.records} == {"30000000", "30000001", "30000002"}
    for sticker in found.records:
        assert sticker.class_word in SPECIES and sticker.class_word in sticker.attributes["appearance"]
        assert all(sticker.attributes[name] in values for name, values in VALUES.items())
        image, mask = (np.asarray(Image.open(p)) for p in (sticker.image, sticker.mask))
        assert image.shape == (128, 128, 3) and mask.shape == (128, 128) and 0 < mask.mean() < 255


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--characters", "0"], "characters: 0 is too few"),
        (["--seed-offset", "-1"], "seed-offset: -1 is out of range"),
        (["--size", "100"], "size: 100 is not possible"),
    ],
)
def test_bad_options_are_named(tmp_path, capsys, options, message):
    assert main(["render", "--out", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "stickers.jsonl").exists()
