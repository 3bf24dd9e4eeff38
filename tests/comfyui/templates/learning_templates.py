"""Where the nodes of the workflows that learn or draw one character stand."""

from __future__ import annotations

from typing import Any

import template_notes as notes
from layout_builder import Column, Page, Placed

from seal_core.method.presets import PRESETS

BOTTOM = 1150
"""Pixels from the first node's title to the last one's end: with the groups around, a view of 1600 x 1000 fits this at
60 %, and below 58 % ComfyUI draws no text. Across, 1930 is the limit."""
STICKER = "seal-orange-cat.png"
CFG, TINY_CFG = 7.0, 4.0
NEGATIVE = "low quality, blurry, jpeg artifacts, watermark, text, deformed, cropped, multiple views, photo"
SIZE_NOTE = "Picture size"


def rest(column: Column) -> int:
    """Height of a node's body that fills its column."""
    return BOTTOM - column.y - 30


def checkpoint(page: Page, column: Column) -> Placed:
    """Load Checkpoint, with what the front end can download."""
    chosen = notes.CHECKPOINTS[0]["name"]
    return page.add(column, "CheckpointLoaderSimple", 102, models=notes.CHECKPOINTS, ckpt_name=chosen)


def sticker_input(page: Page, column: Column) -> Placed:
    return page.add(column, "LoadImage", rest(column), title="Load Image: your sticker", image=STICKER)


def sampled(page: Page, column: Column, model: Placed, positive: Placed, negative: Placed, size: Placed, **more: Any):
    """KSampler and VAE Decode. more: `vae` (node, output); the sampler's `wires`, `cfg`, `title`, `pill`."""
    vae, wires = more.pop("vae"), more.pop("wires", {})
    sampler = page.add(
        column, "KSampler", 262, seed=1, steps=25, sampler_name="dpmpp_2m", scheduler="karras",
        wires={
            "model": (model, "model"), "positive": (positive, "conditioning"), "negative": (negative, "CONDITIONING"),
            "latent_image": (size, "LATENT"), **wires,
        },
        **{"cfg": CFG, **more},
    )  # fmt: skip
    named = {"title": more["title"].replace("Sample", "Decode")} if "title" in more else {}
    return page.add(column, "VAEDecode", pill=True, wires={"samples": (sampler, "LATENT"), "vae": vae}, **named)


def attribute_fields(page: Page, column: Column, concept: tuple[Placed, str], style: str = "flat vector") -> Placed:
    return page.add(
        column, "StickerAttributePrompt", 482, title="Say what it does", wires={"concept": concept}, emotion="happy",
        action="waving hello", camera="full body", style=style, background="plain white",
        extra="thick white border",
    )  # fmt: skip


def drawn(
    page: Page, column: Column, loader: Placed, learned: Placed, words: Placed, batch: int,
    model: tuple[Placed, str] | None = None,
) -> Placed:  # fmt: skip
    """From the words on: encoders, patched model, sampler, decoded picture. model: in place of the loader's."""
    given = (learned, "embedding")
    wires = {"model": model or (loader, "MODEL"), "embedding": given}
    applied = page.add(column, "SEALApplyEmbedding", pill=True, wires=wires)
    clip = (loader, "CLIP")
    positive = page.add(
        column, "SEALTextEncode", pill=True, wires={"clip": clip, "embedding": given, "text": (words, "prompt")}
    )
    negative = page.add(
        column, "CLIPTextEncode", pill=True, title="Negative prompt", wires={"clip": clip, "text": (words, "negative")}
    )
    size = page.add(column, "EmptyLatentImage", pill=True, title=SIZE_NOTE, width=512, height=512, batch_size=batch)
    return sampled(page, column, applied, positive, negative, size, vae=(loader, "VAE"))


def learn(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 400), 530, notes.LEARN)
    first, mask_x, train, draw = Column(0, 290, 620), 346, Column(976, 420), Column(1452, 360)
    loader = checkpoint(page, first)
    image = sticker_input(page, first)
    mask = page.add(
        Column(mask_x, 270, 620), "SemanticMask", 400, wires={"image": (image, "IMAGE"), "mask": (image, "MASK")}
    )
    look = Column(mask_x + 300, 274, 620)
    page.add(look, "PreviewImage", rest(look), title="Mask: magenta is left out", wires={"images": (mask, "preview")})
    learned = page.add(
        train, "SEALTrainEmbedding", rest(train), title="Learn: SEAL Train Embedding", class_word="cat",
        mask_polarity="foreground",
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "image": (image, "IMAGE"),
            "mask": (mask, "mask"),
        },
    )  # fmt: skip
    words = attribute_fields(page, draw, (learned, "name"))
    picture = drawn(page, draw, loader, learned, words, 1)
    page.add(
        Column(446, 474), "SaveImage", 510, title="Your character", filename_prefix="seal/my-sticker",
        wires={"images": (picture, "IMAGE")},
    )  # fmt: skip
    page.group("1 · Model and sticker", 0, 620, 290, BOTTOM - 620)
    page.group("2 · Where the character is", mask_x, 620, 574, BOTTOM - 620)
    page.group("3 · Learn it", 976, 0, 420, BOTTOM)
    page.group("4 · Draw it", 1452, 0, 360, BOTTOM)
    page.group("Result", 446, 0, 474, 540)
    return page


def draw(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 400), 480, notes.DRAW)
    who, say, paint = Column(0, 400, 600), Column(456, 640, 600), Column(1152, 340)
    loader = checkpoint(page, who)
    learned = page.add(who, "SEALLoadEmbedding", 162, name="my-sticker.safetensors")
    page.add(who, "PreviewAny", rest(who), title="About the character", wires={"source": (learned, "info")})
    words = attribute_fields(page, say, (learned, "name"))
    picture = drawn(page, paint, loader, learned, words, 4)
    page.add(
        Column(456, 640), "SaveImage", 480, title="Four pictures", filename_prefix="seal/my-sticker",
        wires={"images": (picture, "IMAGE")},
    )  # fmt: skip
    page.group("1 · Model and character", 0, 600, 400, BOTTOM - 600)
    page.group("2 · Say what it does", 456, 600, 640, BOTTOM - 600)
    page.group("3 · Draw", 1152, 0, 340, BOTTOM)
    page.group("Result", 456, 0, 640, 510)
    return page


METHODS = {"textual_inversion": ("TI", "Textual Inversion", "ti"), "hiper": ("HiPer", "HiPer", "hiper"),
           "best": ("SEAL", "SEAL", "seal")}  # fmt: skip
"""Preset -> (short name, name, end of the file's name)."""


def compare(info: dict[str, Any]) -> Page:
    page = Page(info)
    steps = "{}, {} and {}".format(*(PRESETS[name].steps for name in METHODS))
    page.note(Column(0, 364), 390, notes.COMPARE.format(steps=steps))
    give, say, pills = Column(0, 240, 490), Column(262, 230, 490), Column(538, 225, 490)
    loader = checkpoint(page, give)
    image = sticker_input(page, give)
    word = page.add(say, "PrimitiveString", 70, title="Class word", value="cat")
    prompt = page.add(
        say, "PrimitiveStringMultiline", 96, title="Prompt", value="a sticker of <my-sticker>, sleeping, in a forest"
    )
    seed = page.add(say, "PrimitiveInt", 82, title="Seed of all three", value=1)
    mask = page.add(say, "SemanticMask", pill=True, wires={"image": (image, "IMAGE"), "mask": (image, "MASK")})
    clip = (loader, "CLIP")
    negative = page.add(say, "CLIPTextEncode", pill=True, title="Negative prompt", wires={"clip": clip}, text=NEGATIVE)
    size = page.add(say, "EmptyLatentImage", pill=True, title=SIZE_NOTE, width=512, height=512)
    pictures = []
    for i, (preset, (short, title, end)) in enumerate(METHODS.items()):
        column, chain = Column(809 + i * 379, 363), pills
        learned = page.add(
            column, "SEALTrainEmbedding", rest(column), title=f"Learn: {title}", preset=preset,
            name=f"my-sticker-{end}", concept="<my-sticker>", mask_polarity="foreground",
            wires={
                "model": (loader, "MODEL"), "clip": clip, "vae": (loader, "VAE"), "image": (image, "IMAGE"),
                "mask": (mask, "mask"), "class_word": (word, "STRING"),
            },
        )  # fmt: skip
        given = (learned, "embedding")
        model = page.add(
            chain, "SEALApplyEmbedding", pill=True, title=f"Apply {short}",
            wires={"model": (loader, "MODEL"), "embedding": given},
        )  # fmt: skip
        positive = page.add(
            chain, "SEALTextEncode", pill=True, title=f"Encode {short}",
            wires={"clip": clip, "embedding": given, "text": (prompt, "STRING")},
        )  # fmt: skip
        picture = sampled(
            page, chain, model, positive, negative, size, vae=(loader, "VAE"), wires={"seed": (seed, "INT")}, pill=True,
            title=f"Sample {short}",
        )  # fmt: skip
        pictures.append(picture)
    all_of_them = image
    for picture, (short, *_) in zip(pictures, METHODS.values()):
        all_of_them = page.add(
            pills, "ImageBatch", pill=True, title=f"and {short}",
            wires={"image1": (all_of_them, "IMAGE"), "image2": (picture, "IMAGE")},
        )  # fmt: skip
    labels = page.add(
        say, "PrimitiveStringMultiline", pill=True, title="Labels",
        value="\n".join(["the sticker", *(title for _, title, _ in METHODS.values())]),
    )  # fmt: skip
    sheet = page.add(
        say, "SEALContactSheet", pill=True, title="Sheet", cell=320, columns=2, ground="white",
        wires={"images": (all_of_them, "IMAGE"), "labels": (labels, "STRING")},
    )  # fmt: skip
    page.add(
        Column(410, 353), "SaveImage", 380, title="Side by side", filename_prefix="seal/compare",
        wires={"images": (sheet, "image")},
    )  # fmt: skip
    page.group("1 · Sticker and prompt", 0, 490, 492, BOTTOM - 490)
    page.group("2 · Learn it in three ways", 809, 0, 379 * 2 + 363, BOTTOM)
    page.group("3 · Draw it", 538, 490, 225, BOTTOM - 490)
    page.group("Result", 410, 0, 353, 410)
    return page
