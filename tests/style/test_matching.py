import pytest
from style_kit import made_regions

from seal_core.messages import SealError
from seal_core.style.matching import Pair, match

LEFT_RIGHT = [[0, 0, 1, 1]] * 4
UP_DOWN = [[0] * 4] * 2 + [[1] * 4] * 2
A, B = [4.0, 0, 0, 1], [0, 4.0, 0, -1]


def test_each_region_takes_its_like_wherever_that_lies():
    pairs = match(made_regions(LEFT_RIGHT, [A, B]), [made_regions(UP_DOWN, [B, A])])
    assert [(p.style, p.source) for p in pairs.pairs] == [(0, 1), (0, 0)]
    assert str(pairs) == "1 <- style 1 region 2; 2 <- style 1 region 1"
    assert all(0.5 < p.similarity <= 1.375 for p in pairs.pairs)


def test_the_best_of_several_style_pictures_is_taken():
    other = made_regions(UP_DOWN, [[0, 0, 4.0, 0], [0, 0, -4.0, 0]])
    pairs = match(made_regions(LEFT_RIGHT, [A, B]), [other, made_regions(LEFT_RIGHT, [A, B])])
    assert [(p.style, p.source) for p in pairs.pairs] == [(1, 0), (1, 1)]


def test_subject_takes_from_subject_and_ground_from_ground():
    content = made_regions(LEFT_RIGHT, [A, B], inside=(True, False))
    crossed = made_regions(LEFT_RIGHT, [B, A], inside=(True, False))
    assert [p.source for p in match(content, [crossed]).pairs] == [0, 1]
    all_subject = made_regions(LEFT_RIGHT, [B, A], inside=(True, True))
    assert [p.source for p in match(content, [all_subject]).pairs] == [1, 0]  # its ground has nothing but that


def test_features_of_another_model_decide_where_they_are_given():
    content, style = made_regions(LEFT_RIGHT, [A, B]), made_regions(LEFT_RIGHT, [A, B])
    own = [r.grid_features() for r in (content, made_regions(LEFT_RIGHT, [B, A]))]
    assert [p.source for p in match(content, [style], own=own).pairs] == [1, 0]


def test_the_user_chooses_and_the_rest_is_found():
    content, style = made_regions(LEFT_RIGHT, [A, B]), made_regions(UP_DOWN, [B, A])
    pairs = match(content, [style, style], "1 <- Style 2 region 1\n2 <- none").pairs
    assert pairs[0] == Pair(0, 1, 0, pytest.approx(float("nan"), nan_ok=True)) and pairs[1].style is None
    assert str(pairs[1]) == "2 <- none"
    assert str(match(content, [style], str(match(content, [style])))) == str(match(content, [style]))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("2 -> style 1", "not understood"),
        ("3 <- none", "override: 3 names none; the content has 2 regions"),
        ("0 <- none", "override: 0 names none"),
        ("1 <- style 2 region 1", "there are 1 style pictures"),
        ("1 <- style 1 region 9", "style 1 has 2 regions"),
    ],
)
def test_an_override_that_names_nothing_is_refused(override, words):
    with pytest.raises(SealError, match=words):
        match(made_regions(LEFT_RIGHT, [A, B]), [made_regions(UP_DOWN, [B, A])], override)


def test_without_a_style_there_is_nothing_to_match():
    with pytest.raises(SealError, match="styles: there is none"):
        match(made_regions(LEFT_RIGHT, [A, B]), [])
