"""What is said of the subject: its looks are taken, all else is left to the prompts."""

import pytest

from seal_core.method.given_looks import looks_in, with_looks


def sixteen(text):
    return len(text.replace(",", " ,").split()) <= 16


@pytest.mark.parametrize(
    ("said", "phrase"),
    [
        (
            "a cute sticker of a grey cat wearing a red scarf, smiling, on a white background",
            "grey cat, wearing a red scarf",
        ),
        ("golden", "cat, golden"),
        ("made of wool", "cat, made of wool"),
        ("wearing a superhero cape and a pirate hat", "cat, wearing a superhero cape and a pirate hat"),
        ("a sleepy cat with blue eyes sitting on a chair", "cat, with blue eyes"),
        ("wearing a red hat and smiling", "cat, wearing a red hat"),
        ("cartoon illustration of a happy cat in a red dress in a forest, flat vector", "cat, in a red dress"),
        ("A black cat with a happy expression. The background is pink.", "black cat"),
        ("grey, striped, with a bow tie", "cat, grey, striped, with a bow tie"),
        ("holding a balloon", "cat"),
        ("smiling, waving, close-up, on a beach", "cat"),
        ("a cat", "cat"),
        ("", "cat"),
    ],
)
def test_only_looks_are_kept(said, phrase):
    assert with_looks("cat", said, sixteen) == phrase


def test_what_does_not_fit_is_left_out():
    long = "wearing a red scarf and a blue hat, with very long and quite curly golden hair, striped"
    assert with_looks("cat", long, sixteen) == "cat, wearing a red scarf and a blue hat, striped"
    more = "wearing a red scarf and a blue hat and a green coat and a very very long tie"
    assert with_looks("cat", more, sixteen) == "cat, wearing a red scarf and a blue hat and a green coat"
    assert with_looks("cat", "wearing a red scarf", lambda text: text == "cat") == "cat"


def test_any_text_gives_pieces_without_commas():
    for said in (",,;", "and", "with", "(a:1.2)", "a a a", "\u732b", "of of of", "wearing"):
        assert all(piece and "," not in piece for piece in looks_in(said)), said
