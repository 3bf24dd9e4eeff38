"""Where the nodes of the workflows that restyle, or learn a look, stand."""

from __future__ import annotations

from typing import Any

import template_notes as notes
from layout_builder import Column, Page, Placed
from learning_templates import BOTTOM, STICKER, attribute_fields, checkpoint, drawn, rest

LOOK = "seal-look.jpg"
LOOKS = (LOOK, "seal-watercolor-rabbit.jpg", "seal-pixels.png")
HANDFUL = {
    "seal-watercolor-rabbit.jpg": "a sticker of a happy green rabbit with a crown, standing, plain white background",
    "seal-watercolor-bear.jpg": "a sticker of an angry orange bear with a teal cap, waving, plain peach background",
    "seal-watercolor-fox.jpg": "a sticker of a sleepy red fox with an orange cap, sitting, plain lavender background",
    "seal-watercolor-frog.jpg": "a sticker of a sad purple frog with sunglasses, jumping, on a beach",
}
"""Pictures in one look -> what they show, without the look."""


def mask_of(page: Page, column: Column, image: Placed, title: str = "") -> Placed:
    wires = {"image": (image, "IMAGE"), "mask": (image, "MASK")}
    return page.add(column, "SemanticMask", pill=True, wires=wires, title=title)


def regions(page: Page, column: Column, models: Placed, image: Placed, mask: Placed, title: str, pill: bool = False):
    return page.add(
        column, "SEALStyleRegions", 0 if pill else rest(column), title=title, pill=pill,
        wires={
            "model": (models, "MODEL"), "clip": (models, "CLIP"), "vae": (models, "VAE"), "image": (image, "IMAGE"),
            "mask": (mask, "mask"),
        },
    )  # fmt: skip


def redrawn(page: Page, loader: Placed, wires: dict[str, tuple[Placed, str]], saved: str, title: str) -> None:
    """From the regions on: match, redraw, save. wires: of the match."""
    match, draw = Column(1352, 500), Column(1352, 300, 630)  # it grows by 80 in Nodes 2.0
    pairs = page.add(match, "SEALStyleMatch", 250, title="Match", wires=wires)
    page.add(match, "PreviewImage", 240, title="What belongs together", wires={"images": (pairs, "preview")})
    made = page.add(
        draw, "SEALRestyle", rest(draw), title="Redraw",
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "pairs": (pairs, "pairs"),
        },
    )  # fmt: skip
    page.add(Column(496, 800), "SaveImage", 520, title=title, filename_prefix=saved, wires={"images": (made, "image")})
    page.group("3 · Match and redraw", 1352, 0, 500, BOTTOM)
    page.group("Result", 496, 0, 800, 550)


def restyled(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 440), 520, notes.RESTYLE)
    give, look, cut = Column(0, 300, 640), Column(320, 300, 640), Column(676, 300, 640)
    loader = checkpoint(page, give)
    picture = page.add(give, "LoadImage", rest(give), title="Load Image: your picture", image=STICKER)
    mask = mask_of(page, cut, picture)
    style = page.add(look, "LoadImage", rest(look), title="Load Image: the look", image=LOOK)
    ground = mask_of(page, cut, style, "Mask of the look")
    own = regions(page, Column(676, 300, cut.y), loader, picture, mask, "Regions of your picture")
    others = regions(page, Column(996, 300, cut.y), loader, style, ground, "Regions of the look")
    wires = {"content": (own, "regions"), "style": (others, "regions")}
    page.group("1 · Model and pictures", 0, 640, 620, BOTTOM - 640)
    page.group("2 · Regions", 676, 640, 620, BOTTOM - 640)
    redrawn(page, loader, wires, "seal/restyled", "Your picture in that look")
    return page


def in_three_looks(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 440), 520, notes.LOOKS)
    give = Column(0, 300, 640)
    loader = checkpoint(page, give)
    picture = page.add(give, "LoadImage", 220, title="Load Image: your picture", image=STICKER)
    mask = mask_of(page, give, picture)
    wires = {"content": (regions(page, give, loader, picture, mask, "Regions", pill=True), "regions")}
    for i, file in enumerate(LOOKS):
        look = Column(356 + i * 320, 300, 640)
        style = page.add(look, "LoadImage", 348, title=f"Load Image: look {i + 1}", image=file)
        ground = mask_of(page, look, style, f"Mask of look {i + 1}")
        found = regions(page, look, loader, style, ground, f"Regions of look {i + 1}", pill=True)
        wires[f"style_{i + 1}" if i else "style"] = (found, "regions")
    page.group("1 · Model and picture", 0, 640, 300, BOTTOM - 640)
    page.group("2 · Three looks", 356, 640, 940, BOTTOM - 640)
    redrawn(page, loader, wires, "seal/three-looks", "Your picture in the three looks")
    return page


def tailored(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 480), 520, notes.TAILOR)
    models, who, learn, draw = Column(536, 270, 600), Column(826, 270, 600), Column(1152, 350), Column(1558, 340)
    columns = Column(0, 230, 600), Column(250, 230, 600)
    looks = [
        page.add(columns[i % 2], "LoadImage", 232, title=f"Load Image: look {i + 1}", image=file)
        for i, file in enumerate(HANDFUL)
    ]
    loader = checkpoint(page, models)
    together, output = looks[0], "IMAGE"
    for i, look in enumerate(looks[1:]):
        wires = {"image1": (together, output), "image2": (look, "IMAGE")}
        together = page.add(models, "ImageBatch", pill=True, title=f"and look {i + 2}", wires=wires)
    concept = page.add(who, "SEALLoadEmbedding", 162, name="my-sticker.safetensors")
    page.add(who, "PreviewAny", rest(who), title="About the character", wires={"source": (concept, "info")})
    made = page.add(
        learn, "SEALTailorStyle", rest(learn), title="Learn the look: SEAL Tailor Style",
        style_captions="\n".join(HANDFUL.values()),
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "style": (together, output),
        },
    )  # fmt: skip
    words = attribute_fields(page, draw, (concept, "name"), style="")
    picture = drawn(page, draw, loader, concept, words, 1, (made, "model"))
    page.add(
        Column(536, 560), "SaveImage", 480, title="Your character in that look", filename_prefix="seal/my-look",
        wires={"images": (picture, "IMAGE")},
    )  # fmt: skip
    page.group("1 · Pictures in the look", 0, 600, 480, BOTTOM - 600)
    page.group("2 · Model and character", 536, 600, 560, BOTTOM - 600)
    page.group("3 · Learn the look", 1152, 0, 350, BOTTOM)
    page.group("4 · Draw it", 1558, 0, 340, BOTTOM)
    page.group("Result", 536, 0, 560, 510)
    return page
