"""A workflow on a page: nodes at places of a column, wires by output and input names, groups around nodes (ours).

What it makes is the smallest file that ComfyUI's front end opens; `write_templates.py` lets the front end save it,
which fills in the rest.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from workflow_api import has_widget, inputs_of, slots

TITLE, GAP, PAD, HEAD = 30, 26, 12, 32
"""Pixels: a node's title bar, between two nodes, around a group's nodes, a group's own title."""
PILL, BETWEEN_PILLS, NARROWEST = 36, 8, 225
"""Height of a collapsed node in Nodes 2.0 (classic: 30), and of the gap after it; the least width of any node there."""
PREVIEW = 232
"""How much higher Nodes 2.0 makes a node with a text field, which fills it, once it shows a picture."""
NOTE_TEXT = 17
"""Pixels of the notes' letters, which js/template_notes.js sets: more than 10 on the screen at a zoom of 60 %."""
COLOURS = ("#3f789e", "#88aa88", "#a1309b", "#b58b2a", "#8a5a44", "#3f789e")


@dataclass(frozen=True)
class Placed:
    """A node that stands on the page; `page[node, "output"]` is what other nodes are wired to."""

    id: int
    kind: str


@dataclass
class Column:
    """Nodes below each other: x, width, and the y where the next one's title begins."""

    x: int
    width: int
    y: int = 0


@dataclass
class Page:
    """A workflow in the making. info: ComfyUI's /object_info."""

    info: dict[str, Any]
    nodes: list[dict[str, Any]] = field(default_factory=list)
    links: list[list[Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)

    def note(self, column: Column, height: int, text: str) -> Placed:
        """The Markdown note that says what to do."""
        return self._stand(column, height, {
            "type": "MarkdownNote", "flags": {}, "title": "Read me", "inputs": [], "outputs": [],
            "widgets_values": [text], "properties": {"seal_text": NOTE_TEXT}, "color": "#432", "bgcolor": "#000",
        })  # fmt: skip

    def add(
        self,
        column: Column,
        kind: str,
        height: int = 0,
        /,
        *,
        title: str = "",
        pill: bool = False,
        wires: dict[str, tuple[Placed, str]] | None = None,
        models: list[dict[str, str]] | None = None,
        **values: Any,
    ) -> Placed:
        """A node under the column's last one. height: of its body, room for what it shows after a run included.

        pill: collapsed to its title. wires: input name -> (node, output name). values: of widgets; others keep their
        defaults.
        """
        definition = self.info[kind]
        known = {name: (options, type_) for name, type_, options, _ in inputs_of(definition)}
        assert values.keys() <= known.keys() and (wires or {}).keys() <= known.keys(), (kind, values, wires)
        sockets = [n for n, (o, t) in known.items() if not has_widget(t, o)]
        inputs = [self._slot(name, known[name][1]) for name in [*sockets, *(n for n in known if n not in sockets)]]
        for slot in inputs[len(sockets) :]:
            slot["widget"] = {"name": slot["name"]}
        outputs = [
            {"name": name, "type": type_, "links": []}
            for name, type_ in zip(definition["output_name"], definition["output"], strict=True)
        ]
        saved: list[Any] = []
        for name in slots(definition):
            saved.append(values.get(name, _default(*known[name])) if name else self._unsent(definition, saved))
        properties: dict[str, Any] = {"Node name for S&R": kind} | ({"models": models} if models else {})
        placed = self._stand(column, 100 if pill else height, {
            "type": kind, "inputs": inputs, "outputs": outputs, "properties": properties, "widgets_values": saved,
            "flags": {"collapsed": True} if pill else {},
        } | ({"title": title} if title else {}))  # fmt: skip
        for name, (source, output) in (wires or {}).items():
            self._wire(source, output, placed, name)
        return placed

    def group(self, title: str, x: int, y: int, width: int, height: int) -> None:
        """A box around the rectangle that nodes may take, titles included."""
        box = [x - PAD, y - HEAD - PAD, width + 2 * PAD, height + HEAD + 2 * PAD]
        self.groups.append({
            "id": len(self.groups) + 1, "title": title, "bounding": box, "font_size": 22, "flags": {},
            "color": COLOURS[len(self.groups) % len(COLOURS)],
        })  # fmt: skip

    def finished(self, name: str, examples: list[str]) -> dict[str, Any]:
        """The whole file. name: makes its id. examples: pictures of js/examples that must be in ComfyUI's input."""
        extra = {"seal_examples": examples} if examples else {}
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"seal-stickers/{name}")), "revision": 0,
            "last_node_id": len(self.nodes), "last_link_id": len(self.links), "nodes": self.nodes, "links": self.links,
            "groups": self.groups, "config": {}, "extra": {"workflowRendererVersion": "LG", **extra}, "version": 0.4,
        }  # fmt: skip

    def _stand(self, column: Column, height: int, node: dict[str, Any]) -> Placed:
        number = len(self.nodes) + 1
        place = {"pos": [column.x, column.y + TITLE], "size": [column.width, height]}
        self.nodes.append({"id": number, **place, "order": number - 1, "mode": 0, **node})
        column.y += PILL + BETWEEN_PILLS if node["flags"] else TITLE + height + GAP
        return Placed(number, node["type"])

    @staticmethod
    def _slot(name: str, kind: Any) -> dict[str, Any]:
        return {"name": name, "type": "COMBO" if isinstance(kind, list) else kind, "link": None}

    @staticmethod
    def _unsent(definition: dict[str, Any], saved: list[Any]) -> str:
        return "image" if definition["name"] == "LoadImage" else "fixed"

    def _wire(self, source: Placed, output: str, target: Placed, name: str) -> None:
        giver, taker = self.nodes[source.id - 1], self.nodes[target.id - 1]
        out = next(i for i, slot in enumerate(giver["outputs"]) if slot["name"] == output)
        into = next(i for i, slot in enumerate(taker["inputs"]) if slot["name"] == name)
        link = len(self.links) + 1
        self.links.append([link, source.id, out, target.id, into, giver["outputs"][out]["type"]])
        giver["outputs"][out]["links"].append(link)
        taker["inputs"][into]["link"] = link


def _default(options: dict[str, Any], kind: Any) -> Any:
    if "default" in options:
        return options["default"]
    choices = kind if isinstance(kind, list) else options.get("options")
    return choices[0] if choices else {"INT": 0, "FLOAT": 0.0, "BOOLEAN": False}.get(str(kind), "")
