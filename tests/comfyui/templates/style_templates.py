"""Where the nodes of the workflow that restyles stand."""

from __future__ import annotations

from typing import Any

import template_notes as notes
from layout_builder import Column, Page, Placed
from learning_templates import BOTTOM, STICKER, checkpoint, rest

LOOK = "seal-look.jpg"


def regions(page: Page, column: Column, models: Placed, image: Placed, mask: Placed, title: str) -> Placed:
    return page.add(
        column, "SEALStyleRegions", rest(column), title=title,
        wires={
            "model": (models, "MODEL"), "clip": (models, "CLIP"), "vae": (models, "VAE"), "image": (image, "IMAGE"),
            "mask": (mask, "mask"),
        },
    )  # fmt: skip


def restyled(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 440), 520, notes.RESTYLE)
    give, look, cut = Column(0, 300, 640), Column(320, 300, 640), Column(676, 300, 640)
    loader = checkpoint(page, give)
    picture = page.add(give, "LoadImage", rest(give), title="Load Image: your picture", image=STICKER)
    mask = page.add(cut, "SemanticMask", pill=True, wires={"image": (picture, "IMAGE"), "mask": (picture, "MASK")})
    style = page.add(look, "LoadImage", rest(look), title="Load Image: the look", image=LOOK)
    ground = page.add(
        cut,
        "SemanticMask",
        pill=True,
        title="Mask of the look",
        wires={"image": (style, "IMAGE"), "mask": (style, "MASK")},
    )
    own = regions(page, Column(676, 300, cut.y), loader, picture, mask, "Regions of your picture")
    others = regions(page, Column(996, 300, cut.y), loader, style, ground, "Regions of the look")
    match, draw = Column(1352, 500), Column(1352, 300, 630)  # it grows by 80 in Nodes 2.0
    pairs = page.add(
        match, "SEALStyleMatch", 250, title="Match", wires={"content": (own, "regions"), "style": (others, "regions")}
    )
    page.add(match, "PreviewImage", 240, title="What belongs together", wires={"images": (pairs, "preview")})
    made = page.add(
        draw, "SEALRestyle", rest(draw), title="Redraw",
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "pairs": (pairs, "pairs"),
        },
    )  # fmt: skip
    page.add(
        Column(496, 800), "SaveImage", 520, title="Your picture in that look", filename_prefix="seal/restyled",
        wires={"images": (made, "image")},
    )  # fmt: skip
    page.group("1 · Model and pictures", 0, 640, 620, BOTTOM - 640)
    page.group("2 · Regions", 676, 640, 620, BOTTOM - 640)
    page.group("3 · Match and redraw", 1352, 0, 500, BOTTOM)
    page.group("Result", 496, 0, 800, 550)
    return page
