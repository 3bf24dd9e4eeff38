"""The layer language, on a made-up U-Net of SD 1.x's shape."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seal_core.hosts.base import Site
from seal_core.messages import SealError
from seal_core.method.sites import (
    parse_sites,
    preset_names,
    saved_sites,
    select,
    site_table,
    spelled,
    supervised,
    valid_names,
)

SCALES = {"down": [1, 1, 2, 2, 4, 4], "mid": [8], "up": [4, 4, 4, 2, 2, 2, 1, 1, 1]}
SITES = [Site(part, i, s, torch.nn.Identity()) for part, scales in SCALES.items() for i, s in enumerate(scales)]


def names(*terms: str) -> tuple[str, ...]:
    return terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up.8", names("up.8")),
        ("up.2-4, down.0", names("down.0", "up.2", "up.3", "up.4")),
        ("mid", names("mid.0")),
        ("mid mid.0,MID", names("mid.0")),
        ("down, -down.0-4", names("down.5")),
        ("-down, -up", names("mid.0")),
        ("all, -mid, -up", names(*(f"down.{i}" for i in range(6)))),
    ],
)
def test_expressions(text, expected):
    assert parse_sites(text, SITES) == expected


def test_groups_and_presets():
    everything = tuple(s.name for s in SITES)
    assert parse_sites("all", SITES) == everything == preset_names("all", SITES)
    assert preset_names("up", SITES) == tuple(f"up.{i}" for i in range(9))
    assert preset_names("appearance", SITES) == tuple(f"up.{i}" for i in range(3, 9))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", "all"),
        ("down, mid, up", "all"),
        ("up", "up"),
        ("up.0-8, mid.0", "mid, up"),
        ("up.2-3, down", "down, up.2, up.3"),
        ("appearance", "up.3, up.4, up.5, up.6, up.7, up.8"),
        ("all, -mid", "down, up"),
    ],
)
def test_a_selection_is_saved_by_its_parts_and_read_back_as_it_was(text, expected):
    names = parse_sites(text, SITES)
    said = spelled(names, SITES)
    assert said == expected and saved_sites(said, SITES) == names


def test_parts_mean_the_parts_of_another_model_too():
    shallow = [s for s in SITES if s.ordinal < 3 and s.part != "mid"]
    assert saved_sites("up", shallow) == ("up.0", "up.1", "up.2")
    with pytest.raises(SealError, match=r"'mid'.*down\.0-2, up\.0-2"):
        saved_sites("mid, up", shallow)


def test_a_list_of_all_sites_is_no_restriction_also_where_some_are_missing():
    everything = ", ".join(s.name for s in SITES)  # as the first version saved "all"
    pruned = [s for s in SITES if s.name not in ("mid.0", "up.8", "down.5")]
    assert saved_sites(everything, SITES) == tuple(s.name for s in SITES)
    assert saved_sites(everything, pruned) == saved_sites("", pruned) == tuple(s.name for s in pruned)
    with pytest.raises(SealError, match="up\\.8"):
        saved_sites("up.0, up.8", pruned)


LONG = "up.0-" + "9" * 5000  # more digits than Python makes a number of


@pytest.mark.parametrize("text", ["", " , ", "up.9", "side.1", "up.3-2", "up.", "all.1", "mid, -mid", "up.7-9", LONG])
def test_errors_name_what_is_valid(text):
    with pytest.raises(SealError, match=r"down\.0-5, mid\.0, up\.0-8"):
        parse_sites(text, SITES)


def test_unknown_preset():
    with pytest.raises(SealError, match="appearance, all, up"):
        preset_names("best", SITES)


def test_select_refuses_sites_of_another_model():
    assert [s.name for s in select(["up.1", "down.0"], SITES)] == ["down.0", "up.1"]
    with pytest.raises(SealError, match=r"up\.11"):
        select(["up.1", "up.11"], SITES)


def test_supervised_prefers_a_quarter_of_the_latents():
    assert [s.name for s in supervised(SITES)] == ["down.4", "down.5", "up.0", "up.1", "up.2"]
    assert [s.name for s in supervised(SITES[-3:])] == ["up.6", "up.7", "up.8"]
    assert [s.name for s in supervised([s for s in SITES if s.part == "mid"])] == ["mid.0"]
    mixed = [s for s in SITES if s.name in ("up.4", "up.8")]
    assert [s.name for s in supervised(mixed)] == ["up.4"]


def test_map_sizes_round_up():
    assert Site("up", 0, 4, torch.nn.Identity()).map_size(64, 48) == (16, 12)
    assert Site("mid", 0, 8, torch.nn.Identity()).map_size(9, 17) == (2, 3)


def test_texts():
    assert valid_names(SITES) == "down.0-5, mid.0, up.0-8"
    table = site_table(SITES, ["up.8"], 512).splitlines()
    assert len(table) == len(SITES)
    assert [line for line in table if line.endswith("token")] == ["up.8      64 x 64  token"]
    assert table[6].split()[:4] == ["mid.0", "8", "x", "8"]


# -- any model, any selection ----------------------------------------------------------------------


def unet(down: int, mid: int, up: int) -> list[Site]:
    counts = {"down": down, "mid": mid, "up": up}
    return [Site(part, i, 1, torch.nn.Identity()) for part, count in counts.items() for i in range(count)]


UNETS = st.builds(unet, st.integers(0, 12), st.integers(0, 2), st.integers(1, 12))


@st.composite
def chosen(draw: st.DrawFn) -> tuple[list[Site], list[str]]:
    """A model and some of its sites' names, at least one, in any order."""
    sites = draw(UNETS)
    names = [s.name for s in sites]
    return sites, draw(st.lists(st.sampled_from(names), min_size=1, unique=True) | st.permutations(names))


@given(chosen())
def test_any_selection_is_read_back_as_it_was_spelled(given):
    sites, names = given
    ordered = tuple(s.name for s in sites if s.name in names)
    said = spelled(names, sites)
    assert saved_sites(said, sites) == parse_sites(said, sites) == ordered
    assert spelled(saved_sites(said, sites), sites) == said


@given(chosen())
def test_selected_sites_come_once_and_in_the_order_of_execution(given):
    sites, names = given
    assert select([*names, *names], sites) == [s for s in sites if s.name in names]
    with pytest.raises(SealError, match=r"^layers: this model has no site up\.99 "):
        select([*names, "up.99"], sites)


@st.composite
def expressions(draw: st.DrawFn) -> tuple[list[Site], list[tuple[bool, set[str]]], str]:
    """A model; terms as (leaves out, the names it means, none if it is not valid); their text."""
    sites = draw(UNETS)
    terms, texts = [], []
    for _ in range(draw(st.integers(1, 5))):
        out, part = draw(st.booleans()), draw(st.sampled_from(("all", "down", "mid", "up")))
        own = [s.name for s in sites if part in ("all", s.part)]
        first, length = draw(st.none() | st.integers(0, 13)), draw(st.none() | st.integers(-1, 4))
        text = part
        if first is not None:
            wanted = [f"{part}.{i}" for i in range(first, first + (length or 0) + 1)]
            own = wanted if set(wanted) <= set(own) else []
            text += f".{first}" + ("" if length is None else f"-{max(first + length, 0)}")
            if first + (length or 0) < 0:  # "up.0--1" cannot be written; "up.0-0" is the site itself
                own = [f"{part}.0"] if f"{part}.0" in {s.name for s in sites} else []
        terms.append((out, set(own)))
        texts.append(draw(st.sampled_from((str, str.upper)))("-" * out + text))
    separators = st.sampled_from((" ", ",", ", ", " ,\n", "\t"))
    return sites, terms, "".join(t + draw(separators) for t in texts)


@given(expressions())
def test_terms_add_and_leave_out_from_left_to_right(given):
    sites, terms, text = given
    everything = {s.name for s in sites}
    expected = everything if terms[0][0] else set()
    for out, names in terms:
        expected = expected - names if out else expected | names
    if expected and all(names for _, names in terms):
        assert parse_sites(text, sites) == tuple(s.name for s in sites if s.name in expected)
    else:
        with pytest.raises(SealError, match=rf"^layers: .*{re.escape(valid_names(sites))}"):
            parse_sites(text, sites)


@given(UNETS, st.text(max_size=12) | st.text("downmiupal.-0123456789, ", max_size=12))
def test_any_text_selects_sites_of_the_model_or_is_refused(sites, text):
    for read in (parse_sites, saved_sites):
        try:
            names = read(text, sites)
        except SealError as error:
            assert str(error).startswith("layers: ")
        else:
            assert names and list(names) == [s.name for s in sites if s.name in names], "of this model, in order"


@pytest.mark.parametrize("preset", ["up", "appearance"])
def test_a_preset_that_selects_nothing_of_a_model_is_refused(preset):
    with pytest.raises(SealError, match=rf"^layers: '{preset}' .* Valid: down.0-5, mid.0;"):
        parse_sites(preset, [s for s in SITES if s.part != "up"])
