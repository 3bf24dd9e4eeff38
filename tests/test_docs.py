"""The pages for people name files that exist, and the map of the method is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md")]
FOLDERS = {"docs", "js", "locales", "nodes", "seal_core", "tests", "workflows"}
FOLDERS |= {path.name for path in (ROOT / "seal_core").iterdir()}
"""What a path on a page begins with, where it is one of ours; some pages leave `seal_core/` out."""
ENDINGS = (".py", ".md", ".json", ".toml", ".jpg")


def named(page: Path) -> set[str]:
    """Paths in code spans and links that are meant to exist here."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", text) + re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    paths = {word.split()[-1] if word.startswith("python ") else word for word in words}
    ours = {p for p in paths if p.endswith(ENDINGS) or ("/" in p and p.split("/")[0] in FOLDERS)}
    return {p for p in ours if not re.search(r"[<*\s:]", p)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_file_that_a_page_names_exists(page):
    places = (ROOT, page.parent, ROOT / "seal_core", ROOT / "seal_core/prompts")
    assert {path for path in named(page) if not any((place / path).exists() for place in places)} == set()


def test_the_architecture_page_names_every_module_of_the_method():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = text[text.index("`method/`, in reading order") : text.index("## The rule")]
    modules = {p.stem for p in (ROOT / "seal_core/method").glob("*.py")} - {"__init__"}
    assert {name for name in modules if not re.search(rf"\b{name}\b", listed)} == set()
    first = {word for line in listed.split("```")[1].splitlines() for word in line[:17].split()}
    assert first - modules == set()


def test_the_architecture_page_names_every_room_of_the_core():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {p.parent.name for p in ROOT.glob("seal_core/*/__init__.py")}
    assert {room for room in rooms if f"  {room}/" not in text} == set()


def test_publisher_and_repository_stand_in_one_place():
    """They are placeholders until somebody publishes: only pyproject.toml has to change then."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    values = re.findall(r'^(?:Repository|PublisherId) = "(.+)"$', project, flags=re.MULTILINE)
    assert len(values) == 2
    others = [*PAGES, *ROOT.glob(".github/**/*.y*ml"), *ROOT.glob("js/docs/**/*.md")]
    assert [p.name for p in others if any(value in p.read_text(encoding="utf-8") for value in values)] == []
