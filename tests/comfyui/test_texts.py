"""A text that cannot be encoded, or a console that cannot show a message, does not end ComfyUI's queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from graphs import Graph
from server import ComfyServer, PromptRejected

Sticker = Callable[[ComfyServer], str]


def caption(picture: str, **settings: str) -> Graph:
    graph = Graph()
    image = graph.wire("LoadImage", image=picture)
    look = {"font": "", "place": "bottom", "size": 16.0, "width": 92.0, "height": 40.0, "align": "centre"}
    look |= {"text": "Hi", "fill": "#ffffff", "stroke": 12.0, "stroke_colour": "#202028"}
    graph.add("PreviewImage", images=graph.wire("SEALStickerText", image=image, **{**look, **settings}))
    return graph


def pack(picture: str, **settings: str) -> Graph:
    graph = Graph()
    fixed = {"platform": "signal", "animated": False, "fps": 12.0, "title": "T", "author": "A", "emoji": "\U0001f600"}
    fixed |= {"name": "", "format": "auto", "embed_workflow": False}
    graph.add("SEALSaveStickerPack", images=graph.wire("LoadImage", image=picture), **{**fixed, **settings})
    return graph


def test_the_queue_goes_on(
    another: Callable[..., ComfyServer], sticker: Sticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252:strict")
    monkeypatch.setenv("PYTHONUTF8", "0")
    server = another(files=())
    picture = sticker(server)
    for graph, says in (
        (caption(picture, text="a \ud800"), "text: 'a \\ud800' is no valid text"),
        (caption(picture, text="\u6f22", font="bundled"), "lacks \\u6f22 (U+6F22)"),
        (pack(picture, title="\udc00"), "title: '\\udc00' is no valid text"),
        (pack(picture, emoji=":)"), "emoji: ':)' is not an emoji; give emoji themselves, such as \\U0001f600"),
        (pack(picture, emoji="\U0001f600\U0001f622"), "emoji: 2 emoji"),
    ):
        result = server.run(graph)
        assert result.status == "error" and says in result.message, (result.status, result.message)
    with pytest.raises(PromptRejected, match=r"font: .* is no valid text"):
        server.run(caption(picture, font="\udcff.ttf"))
    server.run(caption(picture)).ok()
    server.run(pack(picture, title="\u732b", name="cat")).ok()
