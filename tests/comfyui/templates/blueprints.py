"""The shipped subgraph blueprints: a few nodes as one, with the widgets that matter on its face."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from layout_builder import Column, Page, Placed

INPUTS, OUTPUTS = -10, -20
"""Ids of a subgraph's own two ends."""


@dataclass(frozen=True)
class Port:
    """An input or an output of the whole: its name, and the slots of the nodes inside."""

    name: str
    inside: tuple[tuple[Placed, str], ...]


@dataclass(frozen=True)
class Blueprint:
    name: str
    description: str
    search: tuple[str, ...]
    page: Page
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def file(self) -> dict[str, Any]:
        """What ComfyUI reads from subgraphs/NAME.json: one node, and what it stands for."""
        key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"seal-stickers/subgraphs/{self.name}"))
        nodes, links = self.page.nodes, [_link(*link) for link in self.page.links]
        ports: list[dict[str, Any]] = []
        for i, port in enumerate(self.inputs):
            made = [self._into(nodes, links, i, node, name) for node, name in port.inside]
            ports.append(_port(key, "in", i, port.name, made, slot_of(nodes, port)["type"], 60))
        ends: list[dict[str, Any]] = []
        for i, port in enumerate(self.outputs):
            ((node, name),) = port.inside
            slot = next(k for k, out in enumerate(nodes[node.id - 1]["outputs"]) if out["name"] == name)
            kind, number = nodes[node.id - 1]["outputs"][slot]["type"], len(links) + 1
            links.append(_link(number, node.id, slot, OUTPUTS, i, kind))
            nodes[node.id - 1]["outputs"][slot]["links"].append(number)
            ends.append(_port(key, "out", i, port.name, [number], kind, 1600))
        shown = [port for port in self.inputs if "widget" in slot_of(nodes, port)]
        face = {
            "id": len(nodes) + 1, "type": key, "pos": [100, 100], "size": [340, 90 + 30 * len(self.inputs)],
            "flags": {}, "order": 0, "mode": 0, "title": self.name, "widgets_values": [],
            "inputs": [_face(port, port in shown, slot_of(nodes, port)["type"]) for port in self.inputs],
            "outputs": [{"name": end["name"], "type": end["type"], "links": []} for end in ends],
            "properties": {"proxyWidgets": []},
        }  # fmt: skip
        subgraph = {
            "id": key, "version": 1, "revision": 0, "config": {}, "name": self.name, "widgets": [], "groups": [],
            "state": {"lastGroupId": 0, "lastNodeId": len(nodes) + 1, "lastLinkId": len(links), "lastRerouteId": 0},
            "inputNode": {"id": INPUTS, "bounding": [-200, 60, 140, 40 + 20 * len(ports)]},
            "outputNode": {"id": OUTPUTS, "bounding": [1580, 60, 140, 40 + 20 * len(ends)]},
            "inputs": ports, "outputs": ends, "nodes": nodes, "links": links, "category": "SEAL",
            "description": self.description,
            "extra": {
                "workflowRendererVersion": "LG", "BlueprintDescription": self.description,
                "BlueprintSearchAliases": list(self.search),
            },
        }  # fmt: skip
        return {
            "revision": 0, "last_node_id": face["id"], "last_link_id": 0, "nodes": [face], "links": [], "version": 0.4,
            "definitions": {"subgraphs": [subgraph]}, "extra": {},
        }  # fmt: skip

    def _into(self, nodes: list[dict[str, Any]], links: list[dict[str, Any]], i: int, node: Placed, name: str) -> int:
        slot = slot_of(nodes, Port(name, ((node, name),)))
        assert slot["link"] is None, (node, name)
        slot["link"] = len(links) + 1
        links.append(_link(slot["link"], INPUTS, i, node.id, nodes[node.id - 1]["inputs"].index(slot), slot["type"]))
        return slot["link"]


def slot_of(nodes: list[dict[str, Any]], port: Port) -> dict[str, Any]:
    """The first slot inside that an input of the whole leads to."""
    node, name = port.inside[0]
    return next(slot for slot in nodes[node.id - 1]["inputs"] if slot["name"] == name)


def _face(port: Port, shown: bool, kind: str) -> dict[str, Any]:
    return {"name": port.name, "type": kind, "link": None} | ({"widget": {"name": port.name}} if shown else {})


def _link(number: int, origin: int, output: int, target: int, slot: int, kind: str) -> dict[str, Any]:
    return {
        "id": number, "origin_id": origin, "origin_slot": output, "target_id": target, "target_slot": slot,
        "type": kind,
    }  # fmt: skip


def _port(key: str, end: str, i: int, name: str, links: list[int], kind: str, x: int) -> dict[str, Any]:
    made = str(uuid.uuid5(uuid.UUID(key), f"{end} {name}"))
    return {"id": made, "name": name, "type": kind, "linkIds": links, "pos": [x, 80 + 20 * i]}


def _ports(node: Placed, *names: str) -> tuple[Port, ...]:
    return tuple(Port(name, ((node, name),)) for name in names)


def learn_a_character(info: dict[str, Any]) -> Blueprint:
    page = Page(info)
    mask = page.add(Column(0, 300), "SemanticMask", 390)
    learned = page.add(
        Column(380, 420), "SEALTrainEmbedding", 1100, class_word="cat", mask_polarity="foreground",
        wires={"mask": (mask, "mask")},
    )  # fmt: skip
    model = page.add(Column(860, 300), "SEALApplyEmbedding", 106, wires={"embedding": (learned, "embedding")})
    return Blueprint(
        "Learn a character",
        "Learn the character on one sticker and patch the model with it: mask, training and layers in one node.",
        ("seal", "train", "sticker", "one image", "textual inversion", "lora"),
        page,
        (
            Port("model", ((learned, "model"), (model, "model"))),
            *_ports(learned, "clip", "vae"),
            Port("image", ((mask, "image"), (learned, "image"))),
            *_ports(mask, "mask"),
            *_ports(learned, "class_word", "name", "preset"),
        ),
        (*_ports(model, "model"), *_ports(learned, "embedding", "name"), *_ports(mask, "preview")),
    )


def character_prompt(info: dict[str, Any]) -> Blueprint:
    page = Page(info)
    words = page.add(
        Column(0, 400), "StickerAttributePrompt", 482, emotion="happy", action="waving", background="plain white"
    )
    positive = page.add(Column(480, 320), "SEALTextEncode", 174, wires={"text": (words, "prompt")})
    negative = page.add(Column(480, 320, 300), "CLIPTextEncode", 102, wires={"text": (words, "negative")})
    return Blueprint(
        "Character prompt",
        "Say in six fields what a learned character does; prompt and negative prompt, encoded.",
        ("seal", "sticker", "emotion", "attributes", "prompt builder"),
        page,
        (
            Port("clip", ((positive, "clip"), (negative, "clip"))),
            *_ports(positive, "embedding"),
            *_ports(words, "concept", "appearance", "emotion", "action", "camera", "style", "background"),
        ),
        (
            Port("positive", ((positive, "conditioning"),)),
            Port("negative", ((negative, "CONDITIONING"),)),
            *_ports(words, "prompt"),
        ),
    )


def cut_border_pack(info: dict[str, Any]) -> Blueprint:
    page = Page(info)
    cut = page.add(Column(0, 320), "SEALStickerCutout", 500, if_not_found="keep the picture")
    border = page.add(
        Column(400, 320), "SEALStickerBorder", 470, width=12.0, smooth=12.0, wires={"image": (cut, "image")}
    )
    pack = page.add(
        Column(800, 360), "SEALSaveStickerPack", 900, embed_workflow=False, wires={"images": (border, "image")}
    )
    return Blueprint(
        "Cut, border, pack",
        "Cut pictures out, draw the white border, and save them as a pack for Telegram, WhatsApp, Signal or others.",
        ("seal", "sticker pack", "telegram", "whatsapp", "signal", "remove background"),
        page,
        (
            Port("images", ((cut, "image"),)),
            *_ports(pack, "names", "platform", "title", "author", "emoji"),
            Port("border", ((border, "width"),)),
        ),
        (Port("stickers", ((border, "image"),)), *_ports(pack, "folder", "report")),
    )


BLUEPRINTS = (learn_a_character, character_prompt, cut_border_pack)
