"""Where the nodes of the workflows stand whose stickers move."""

from __future__ import annotations

from typing import Any

import template_notes as notes
from layout_builder import BETWEEN_PILLS, PILL, PREVIEW, Column, Page
from learning_templates import BOTTOM, NEGATIVE, STICKER, TINY_CFG, checkpoint, rest, sampled
from pack_templates import PICTURE_SIZE, TINY_PREVIEW, pack, words_of_packs

GIF, FRAMES = "seal-wave.gif", 8
MOVEMENTS = ("waving", "jumping", "running")
MOVEMENT_EMOJI = "waving = 👋\njumping = 🎉\nrunning = 🏃\n🙂"


def moved(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 462), 400, notes.MOVE)
    give, move = Column(0, 462, 520), Column(518, 400)
    picture = page.add(give, "LoadImage", 314, title="Load Image: your sticker", image=STICKER)
    words = words_of_packs(
        page, Column(0, 228, give.y), Column(234, 228, give.y), Column(0, 462, give.y + 126), "\U0001f63a", "My Sticker"
    )
    cut = page.add(
        move, "SEALStickerCutout", pill=True, wires={"image": (picture, "IMAGE"), "mask": (picture, "MASK")},
        if_not_found="keep the picture",
    )  # fmt: skip
    border = page.add(move, "SEALStickerBorder", pill=True, wires={"image": (cut, "image")}, width=10.0, smooth=10.0)
    moving = page.add(
        move, "SEALStickerMotion", rest(move), title="Move it", motion="wobble", overlay="hearts",
        wires={"image": (border, "image")},
    )  # fmt: skip
    wires = {"images": (moving, "images"), "fps": (moving, "fps"), **words}
    column = Column(974, 400)
    first, *others = ("telegram", "signal", "discord")
    pack(page, column, first, rest(column) - len(others) * (PILL + BETWEEN_PILLS), wires, animated=True)
    for platform in others:
        pack(page, column, platform, 0, wires, pill=True, animated=True)
    page.group("1 · Sticker and words", 0, 520, 462, BOTTOM - 520)
    page.group("2 · Move it", 518, 0, 400, BOTTOM)
    page.group("3 · Packs", 974, 0, 400, BOTTOM)
    return page


def learned_and_moving(info: dict[str, Any]) -> Page:
    """The included model learns its sticker, and draws it moving."""
    page = Page(info)
    page.note(Column(0, 390), 500, notes.MOVING)
    top = 588
    give, train, say, paint, result = (
        Column(0, 390, top), Column(436, 376), Column(858, 300), Column(1204, 300), Column(1550, 370)
    )  # fmt: skip
    loader = page.add(give, "SEALDemoModel", 192)
    page.add(give, "PreviewImage", rest(give), title="The one sticker", wires={"images": (loader, "image")})
    learned = page.add(
        train, "SEALTrainEmbedding", rest(train), title="Learn: SEAL Train Embedding", class_word="cat", steps=150,
        batch_size=8, name="my-cat", preview_prompt=TINY_PREVIEW,
        wires={
            **{name: (loader, name) for name in ("model", "clip", "vae", "image", "mask")},
            "reference_attributes": (loader, "attributes"),
        },
    )  # fmt: skip
    given = (learned, "embedding")
    sweep = page.add(
        say, "SEALStickerAttributeSweep", 682, title="Movements", wires={"concept": (learned, "name")}, emotion="happy",
        camera="full body", style="flat vector", background="plain mint", attribute_1="action",
        values_1="\n".join(MOVEMENTS), attribute_2="none",
    )  # fmt: skip
    positive = page.add(
        say, "SEALTextEncode", pill=True,
        wires={"clip": (loader, "clip"), "embedding": given, "text": (sweep, "prompts")},
    )  # fmt: skip
    negative = page.add(say, "CLIPTextEncode", pill=True, title="Negative prompt", wires={"clip": (loader, "clip")})
    size = page.add(
        say, "EmptyLatentImage", pill=True, title="Size, and a batch of 8", width=PICTURE_SIZE, height=PICTURE_SIZE,
        batch_size=FRAMES,
    )  # fmt: skip
    model = page.add(say, "SEALApplyEmbedding", pill=True, wires={"model": (loader, "model"), "embedding": given})
    moving = page.add(
        paint, "SEALApplyMotion", 200, frames=FRAMES, wires={"model": (model, "model"), "motion": (loader, "motion")}
    )
    drawn = sampled(page, paint, moving, positive, negative, size, vae=(loader, "vae"), cfg=TINY_CFG)
    cut = page.add(
        paint, "SEALStickerCutout", rest(paint), wires={"image": (drawn, "IMAGE")}, if_not_found="keep the picture"
    )
    border = page.add(result, "SEALStickerBorder", pill=True, wires={"image": (cut, "image")}, width=4.0, smooth=4.0)
    titled = page.add(result, "PrimitiveString", 70, title="Title of the pack", value="My Moving Cat")
    wires = {"images": (border, "image"), "names": (sweep, "labels"), "title": (titled, "STRING")}
    pack(
        page, result, "telegram", rest(result) - PREVIEW, wires, animated=True, fps=8.0, author="Me",
        emoji=MOVEMENT_EMOJI,
    )  # fmt: skip
    page.group("1 · Model and sticker", 0, top, 390, BOTTOM - top)
    page.group("2 · Learn it", 436, 0, 376, BOTTOM)
    page.group("3 · What it does", 858, 0, 300, BOTTOM)
    page.group("4 · Draw and cut out", 1204, 0, 300, BOTTOM)
    page.group("5 · Pack", 1550, 0, 370, BOTTOM)
    return page


def like_a_gif(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 400), 500, notes.LIKE_A_GIF)
    who, give, learn = Column(0, 400, 620), Column(446, 300, 620), Column(792, 400)
    say, result = Column(1238, 300), Column(1584, 340)
    loader = checkpoint(page, who)
    character = page.add(who, "SEALLoadEmbedding", 162, name="my-sticker.safetensors")
    titled = page.add(who, "PrimitiveString", rest(who), title="Title of the pack", value="My Moving Stickers")
    gif = page.add(give, "LoadImage", rest(give), title="Load Image: a GIF", image=GIF)
    learned = page.add(
        learn, "SEALTrainMotion", rest(learn) - PREVIEW, title="Learn how it moves",
        caption="a sticker of an orange cat, waving", name="wave",
        wires={
            "model": (loader, "MODEL"), "clip": (loader, "CLIP"), "vae": (loader, "VAE"), "image": (gif, "IMAGE"),
            "mask": (gif, "MASK"),
        },
    )  # fmt: skip
    page.add(Column(446, 300), "PreviewImage", 500, title="What is learned from", wires={"images": (learned, "frames")})
    given = (character, "embedding")
    positive = page.add(
        say, "SEALTextEncode", 200, title="What it does", text="a sticker of <my-sticker>, waving",
        wires={"clip": (loader, "CLIP"), "embedding": given},
    )  # fmt: skip
    negative = page.add(
        say, "CLIPTextEncode", pill=True, title="Negative prompt", text=NEGATIVE, wires={"clip": (loader, "CLIP")}
    )
    model = page.add(say, "SEALApplyEmbedding", pill=True, wires={"model": (loader, "MODEL"), "embedding": given})
    moving = page.add(
        say, "SEALApplyMotion", 200, frames=FRAMES, wires={"model": (model, "model"), "motion": (learned, "motion")}
    )
    size = page.add(
        say, "EmptyLatentImage", pill=True, title="Size, and a batch of 8", width=512, height=512, batch_size=FRAMES
    )
    drawn = sampled(page, say, moving, positive, negative, size, vae=(loader, "VAE"))
    wires = {"images": (drawn, "IMAGE"), "title": (titled, "STRING")}
    pack(
        page, result, "telegram", rest(result) - PREVIEW, wires, animated=True, fps=8.0, author="Me",
        emoji="\U0001f44b",
    )  # fmt: skip
    page.group("1 · Model and character", 0, 620, 400, BOTTOM - 620)
    page.group("2 · The GIF", 446, 0, 300, BOTTOM)
    page.group("3 · Learn its motion", 792, 0, 400, BOTTOM)
    page.group("4 · Draw", 1238, 0, 300, BOTTOM)
    page.group("5 · Pack", 1584, 0, 340, BOTTOM)
    return page
