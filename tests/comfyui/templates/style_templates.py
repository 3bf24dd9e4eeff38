"""Where the nodes of the workflows that restyle, or learn a look, stand."""

from __future__ import annotations

from typing import Any

import template_notes as notes
from layout_builder import PREVIEW, TITLE, Column, Page, Placed
from learning_templates import BOTTOM, STICKER, attribute_fields, checkpoint, drawn, rest
from pack_templates import LOOK

LOOKS = (LOOK, "seal-watercolor-rabbit.jpg", "seal-pixels.png")
HANDFUL = {
    "seal-watercolor-bear.jpg": ("bear", "orange bear with a teal cap", "an angry {}, waving, plain peach background"),
    "seal-watercolor-fox.jpg": ("fox", "red fox with an orange cap", "a sleepy {}, sitting, plain lavender background"),
    "seal-watercolor-frog.jpg": ("frog", "purple frog with sunglasses", "a sad {}, jumping, on a beach"),
    "seal-watercolor-rabbit.jpg": ("rabbit", "green rabbit with a crown", "a happy {}, standing, white background"),
}
"""Pictures in one look, by name as SEAL Load Stickers gives them -> who is there, briefly and in full; what else."""
SAID_TWICE = "\n".join(
    " | ".join(f"a sticker of {what.format(who)}" for who in names) for *names, what in HANDFUL.values()
)


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


def redrawn(
    page: Page, loader: Placed, wires: dict[str, tuple[Placed, str]], result: tuple[int, int], saved: str, title: str
) -> None:
    """From the regions on: match, redraw, save. wires: of the match. result: x and height of what is saved."""
    match, draw = Column(1352, 500), Column(1352, 300, 630)  # it grows by 80 in Nodes 2.0
    pairs = page.add(match, "SEALStyleMatch", 250, title="Match", wires=wires)
    page.add(match, "PreviewImage", 240, title="What belongs together", wires={"images": (pairs, "preview")})
    made = page.add(
        draw, "SEALRestyle", rest(draw), title="Redraw",
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "pairs": (pairs, "pairs"),
        },
    )  # fmt: skip
    x, height = result
    shown = Column(x, 1296 - x)
    page.add(shown, "SaveImage", height, title=title, filename_prefix=saved, wires={"images": (made, "image")})
    page.group("3 · Match and redraw", 1352, 0, 500, BOTTOM)
    page.group("Result", x, 0, 1296 - x, height + TITLE)


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
    redrawn(page, loader, wires, (496, 520), "seal/restyled", "Your picture in that look")
    return page


def in_three_looks(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 560), 452, notes.LOOKS)
    give = Column(0, 300, 560)
    loader = checkpoint(page, give)
    picture = page.add(give, "LoadImage", 314, title="Load Image: your picture", image=STICKER)
    mask = mask_of(page, give, picture)
    wires = {"content": (regions(page, give, loader, picture, mask, "Regions", pill=True), "regions")}
    for i, file in enumerate(LOOKS):
        look = Column(356 + i * 320, 300, 560)
        style = page.add(look, "LoadImage", 432, title=f"Load Image: look {i + 1}", image=file)
        ground = mask_of(page, look, style, f"Mask of look {i + 1}")
        found = regions(page, look, loader, style, ground, f"Regions of look {i + 1}", pill=True)
        wires[f"style_{i + 1}" if i else "style"] = (found, "regions")
    page.group("1 · Model and picture", 0, 560, 300, BOTTOM - 560)
    page.group("2 · Three looks", 356, 560, 940, BOTTOM - 560)
    redrawn(page, loader, wires, (616, 430), "seal/three-looks", "Your picture in the three looks")
    return page


def tailored(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 480), 520, notes.TAILOR)
    who, give, seen = Column(0, 280, 640), Column(336, 400, 640), Column(762, 334, 640)
    learn, draw = Column(1152, 350), Column(1558, 340)
    loader = checkpoint(page, who)
    concept = page.add(who, "SEALLoadEmbedding", rest(who), name="my-sticker.safetensors")
    looks = page.add(give, "SEALLoadStickers", rest(give), folder="input", files="\n".join(HANDFUL), kind="still")
    page.add(seen, "PreviewImage", rest(seen), title="Pictures in the look", wires={"images": (looks, "images")})
    made = page.add(
        learn, "SEALTailorStyle", rest(learn) - PREVIEW, title="Learn the look: SEAL Tailor Style",
        style_captions=SAID_TWICE,
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "style": (looks, "images"),
        },
    )  # fmt: skip
    words = attribute_fields(page, draw, (concept, "name"), style="")
    picture = drawn(page, draw, loader, concept, words, 1, (made, "model"))
    page.add(
        Column(536, 560), "SaveImage", 530, title="Your character in that look", filename_prefix="seal/my-look",
        wires={"images": (picture, "IMAGE")},
    )  # fmt: skip
    page.group("1 · Model and character", 0, 640, 280, BOTTOM - 640)
    page.group("2 · Pictures in the look", 336, 640, 760, BOTTOM - 640)
    page.group("3 · Learn the look", 1152, 0, 350, BOTTOM)
    page.group("4 · Draw it", 1558, 0, 340, BOTTOM)
    page.group("Result", 536, 0, 560, 560)
    return page
