"""A saved workflow (UI format, version 0.4) as the graph that /prompt takes, by /object_info alone.

The front end saves widget values by position: in the order of the node's inputs, one more after a seed
("control after generate") and after an upload. That order is what keeps users' files working when a node
gains an input, so the tests read it independently of the front end; test_frontend.py
compares the two.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR")
NOTES = ("Note", "MarkdownNote")
CONTROLS = ("fixed", "increment", "decrement", "randomize")
UPLOADS = ("image_upload", "video_upload", "audio_upload")
BYPASSED = (2, 4)  # a node's mode: never, bypass


def inputs_of(definition: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any], bool]]:
    """(name, type, options, whether it is required) of a node's inputs in the order of its widgets."""
    for section in ("required", "optional"):
        known = definition["input"].get(section, {})
        for name in definition.get("input_order", {}).get(section, list(known)):
            kind, *rest = known[name]
            yield name, kind, rest[0] if rest else {}, section == "required"


def has_widget(kind: Any, options: dict[str, Any]) -> bool:
    return not options.get("forceInput") and (isinstance(kind, list) or kind in WIDGETS)


def slots(definition: dict[str, Any]) -> list[str]:
    """What a saved node's widgets_values hold, by position: input names, and "" for what is not sent."""
    found: list[str] = []
    for name, kind, options, _ in inputs_of(definition):
        if not has_widget(kind, options):
            continue
        found.append(name)
        if options.get("control_after_generate", kind == "INT" and name in ("seed", "noise_seed")):
            found.append("")
        if any(options.get(upload) for upload in UPLOADS):
            found.append("")
    return found


def widget_values(node: dict[str, Any], definition: dict[str, Any]) -> dict[str, Any]:
    """Input name -> saved value. Raises ValueError where the values do not fit the definition."""
    if node["type"] == "PreviewAny":  # its widgets only show
        return {}
    names, values = slots(definition), node.get("widgets_values", [])
    if len(names) != len(values):
        raise ValueError(f"{node['type']} {node['id']}: {len(values)} values for {names}")
    return {name: value for name, value in zip(names, values, strict=True) if name}


def links_of(workflow: dict[str, Any]) -> dict[int, tuple[int, int, int, int, str]]:
    """Link id -> (from node, its output, to node, its input, type)."""
    return {link[0]: tuple(link[1:]) for link in workflow["links"]}


def to_api(workflow: dict[str, Any], object_info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Node id -> {class_type, inputs} for /prompt. Raises ValueError for unsupported nodes."""
    links, graph = links_of(workflow), {}
    for node in workflow["nodes"]:
        if node["type"] in NOTES:
            continue
        if node.get("mode", 0) in BYPASSED or node["type"] not in object_info:
            raise ValueError(f"{node['type']} {node['id']}: bypassed, muted or unknown")
        inputs = widget_values(node, object_info[node["type"]])
        for slot in node.get("inputs", []):
            if slot.get("link") is not None:
                origin, output, *_ = links[slot["link"]]
                inputs[slot["name"]] = [str(origin), output]
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


def changed(graph: dict[str, dict[str, Any]], changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A copy with widget values set per node type, e.g. {"KSampler": {"steps": 2}}; wires stay."""
    graph = copy.deepcopy(graph)
    for node in graph.values():
        for name, value in changes.get(node["class_type"], {}).items():
            if not isinstance(node["inputs"].get(name), list):
                node["inputs"][name] = value
    return graph


def of_type(graph: dict[str, dict[str, Any]], class_type: str) -> list[str]:
    """Ids of the nodes of a type, in the order of their numbers."""
    return sorted((key for key, node in graph.items() if node["class_type"] == class_type), key=int)
