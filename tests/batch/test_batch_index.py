"""The index: the same rows give the same bytes, nobody's words become markup, and nothing comes from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

from seal_core.batch.batch_index import FAILED, BatchIndex, IndexRow, scores_of
from seal_core.batch.index_page import index_page, to_check
from seal_core.batch.model_files import model_files_digest

EVIL = '<script>alert("1")</script> & \udcff'
MASK = {"method": "learned", "confidence": 0.95, "doubts": []}


def rows() -> list[IndexRow]:
    return [
        IndexRow("b.png", "b", scores={"learned": 0.4, "leaks": -0.001, "outside": 0.2}, mask=MASK, preview="c/b.jpg"),
        IndexRow(EVIL, "c", FAILED, class_word=EVIL, attributes={"emotion": EVIL}, error=EVIL),
        IndexRow("a.png", "a", mask={**MASK, "confidence": 0.5, "doubts": ["two ways"]}, warnings=[EVIL]),
    ]


def test_the_order_is_that_of_the_pictures_and_bytes_are_the_same(tmp_path: Path) -> None:
    order = ["a.png", "b.png", EVIL, "to come.png"]
    for name, found in (("one", rows()), ("two", rows()[::-1])):
        index = BatchIndex(tmp_path / name, "few", order)
        for row in found:
            index.add(row)
        index.write()
    lines = (tmp_path / "one/index.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a", "b", "c"]
    for file in ("index.jsonl", "index.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    page = (tmp_path / "one/index.html").read_text()
    assert "2 of 4 pictures learned, 1 to come: run the same command again" in page


def test_the_page_is_one_file_and_escapes_what_it_shows() -> None:
    page = index_page("few", [vars(row) for row in rows()], 3)
    assert page.count("<script>") == 1 and "&lt;script&gt;alert(&quot;1&quot;)" in page
    assert not re.search(r"https?:|innerHTML|//[a-z]", page)
    assert "failed <b>1</b>" in page and "masks to check <b>1</b>" in page and "with warnings <b>1</b>" in page
    assert '<span class="number">0%</span>' in page and "-0%" not in page
    assert "paint a.mask.png and run again" in page
    assert [to_check(vars(row)) for row in rows()] == [False, False, True]


def test_scores_of_old_and_new_reports() -> None:
    restored = {"subject": {"gain": 0.3}, "ground": {"gain": 0.1}}
    assert scores_of({"restored": restored, "leakage": {"before": 0.5, "after": 0.25}}) == {
        "learned": 0.3, "leaks": 0.1, "outside": 0.25,
    }  # fmt: skip
    assert scores_of({}) == {}


def test_a_models_digest_follows_its_content_not_its_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "model_index.json").write_text("{}")
        (tmp_path / name / "unet/weights.bin").write_bytes(bytes(range(256)) * 4096)
    first, second = (model_files_digest(tmp_path / name) for name in ("one", "two"))
    assert first == second
    changed = bytearray((tmp_path / "two/unet/weights.bin").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "two/unet/weights.bin").write_bytes(changed)
    assert model_files_digest(tmp_path / "two") != first
