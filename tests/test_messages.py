"""Texts that leave the package can be encoded wherever they go; texts that come in are refused where they cannot."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import ROOT, loaded_pack, nodes
from sticker_clips import picture

from seal_core.messages import SealError, escaped_surrogates, log_warning, printable, require_utf8
from seal_core.prompts.attributes import parse_attributes

LONE = "\ud800"
ANY = st.text(st.characters(exclude_categories=()), max_size=80)


def console(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)


@given(ANY, st.sampled_from(["utf-8", "cp1252", "ascii", "cp932", "cp437", "utf-16"]))
def test_messages_can_be_written_to_any_console(text, encoding):
    out, err = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = console(encoding)
    try:
        error = SealError(f"text: {text}; write it anew.")
        print(error, error.args, file=sys.stderr)
        print(printable(text))
    finally:
        sys.stdout, sys.stderr = out, err
    assert str(error).encode() and str(error).startswith("text: ")


def test_long_messages_keep_the_name_and_the_remedy():
    said = str(SealError(f"colour: {'x' * 100_000} is no colour; write another."))
    assert len(said) < 5000 and said.startswith("colour: xxx") and said.endswith("xxx is no colour; write another.")
    assert str(SealError(f"text: {'x' * 3000}.")) == f"text: {'x' * 3000}."


@given(ANY)
def test_a_report_stays_the_json_that_it_was(text):
    written = escaped_surrogates(json.dumps({"a": text}, ensure_ascii=False))
    assert written.encode() and json.loads(written) == json.loads(json.dumps({"a": text}))


def test_what_can_be_encoded_is_left_alone():
    assert printable("Grüße 😀 日本") == "Grüße 😀 日本" == require_utf8("Grüße 😀 日本", "text")
    with pytest.raises(
        SealError, match=r"title: '\\ud800' is no valid text \(UTF-8\); type it again, or rename the file"
    ):
        require_utf8(LONE, "title")
    with pytest.raises(SealError) as caught:
        require_utf8("x" * 5000 + LONE, "title")
    assert len(str(caught.value)) < 150 and "\\ud800" in str(caught.value)


def test_warnings_reach_the_log_of_a_cp1252_console(monkeypatch):
    stream = console("cp1252")
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(stream)
    handler.handleError = lambda record: pytest.fail("not encodable")
    logging.getLogger().addHandler(handler)
    try:
        log_warning("SEAL: %s is 100 %% 😀", LONE)
        log_warning("SEAL: 100 %")
    finally:
        logging.getLogger().removeHandler(handler)
    assert stream.buffer.getvalue().splitlines() == [rb"SEAL: \ud800 is 100 % \U0001f600", b"SEAL: 100 %"]


def test_only_one_place_logs_and_it_makes_texts_safe():
    for path in [*(ROOT / "nodes").glob("*.py"), *(ROOT / "seal_core").rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        if path.name != "messages.py":
            assert not re.search(r"\blogging\.(debug|info|warning|error|exception|critical|log)\(", source), path
        assert not re.search(r"warnings\.warn\((?!printable\()", source) or "world" in path.parts, path


def test_the_lines_that_a_traceback_shows_are_ascii():
    """ComfyUI logs the traceback, with the source of the line that raised."""
    for path in [*(ROOT / "nodes").glob("*.py"), *(ROOT / "seal_core").rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Raise) or (isinstance(node, ast.Return) and "seal_core" in path.parts):
                shown = lines[node.lineno - 1 : node.end_lineno]
                assert "".join(shown).isascii(), f"{path}:{node.lineno}"


def test_half_a_pair_in_json_is_refused():
    with pytest.raises(SealError, match=r"reference_attributes: emotion: '\\udc00' is no valid text"):
        parse_attributes('{"emotion": "\\udc00"}')


# ------------------------------------------------------------------ nodes


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    with loaded_pack() as pack:
        for path in (ROOT / "nodes").glob("[!_]*.py"):  # first, or its look at private members makes modules of classes
            importlib.import_module(f"{pack.__name__}.nodes.{path.stem}")
        yield pack


def texts(node: Any) -> list[str]:
    """The inputs of a node that are free texts."""
    return [i.id for i in node.define_schema().inputs if i.io_type == "STRING"]


def test_every_node_refuses_half_a_pair_in_every_text_by_its_name(pack):
    asked = 0
    for node in nodes(pack):
        many = node.define_schema().is_input_list
        parameters = [name for name, p in inspect.signature(node.execute).parameters.items() if p.default is p.empty]
        for name in texts(node):
            asked += 1
            inputs = dict.fromkeys(parameters) | {name: ["fine", LONE] if many else f"a {LONE} b"}
            with pytest.raises(Exception, match=rf"^{name}: .*\\ud800.* is no valid text") as caught:
                node.execute(**inputs)
            assert type(caught.value).__name__ == "SealError" and str(caught.value).encode()
    assert asked > 20


# ------------------------------------------------------------------ the command line


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252:strict", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "seal_core", "pack", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, cwd=cwd, timeout=120, check=False)


@pytest.mark.parametrize("emoji, title, status, said", [
    (":)", "T", 2, rb"error: emoji: ':)' is not an emoji; give emoji themselves, such as \U0001f600."),
    ("😀😢", "T", 2, rb"error: emoji: 2 emoji (\U0001f600 \U0001f622); Signal takes 1 a sticker"),
    ("😀", "猫", 0, rb"1 stickers, "),
    ("😀", "\udcff", 2, rb"error: title: '\udcff' is no valid text (UTF-8)"),
])  # fmt: skip
def test_the_command_line_speaks_cp1252(emoji, title, status, said, tmp_path):
    from PIL import Image

    (tmp_path / "日本").mkdir()
    Image.fromarray(picture()).save(tmp_path / "日本" / "猫.png")
    (tmp_path / "日本" / "犬.tiff").write_bytes(b"")
    rest = ["--platform", "signal", "--out", str(tmp_path / "日本" / "出"), "--author", "A"]
    done = run(str(tmp_path / "日本"), *rest, "--emoji", emoji, "--title", title)
    assert done.returncode == status and said in done.stdout + done.stderr, done
    assert b"Traceback" not in done.stderr and (status or rb"\u72ac.tiff" in done.stderr)
