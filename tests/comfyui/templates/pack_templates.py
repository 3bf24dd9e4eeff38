"""Where the nodes of the workflows that end in sticker packs stand."""

from __future__ import annotations

from typing import Any

import template_notes as notes
from layout_builder import BETWEEN_PILLS, GAP, PILL, Column, Page, Placed
from learning_templates import BOTTOM, NEGATIVE, SIZE_NOTE, TINY_CFG, checkpoint, rest, sampled

PACKED = ("telegram", "whatsapp", "signal")
NAMES_OF = {"telegram": "Telegram", "whatsapp": "WhatsApp", "signal": "Signal", "discord": "Discord"}
EMOTIONS = ("happy", "sad", "angry", "surprised", "sleepy", "in love")
ACTIONS = ("waving", "jumping")
EMOJI = """happy = 😀
sad = 😢
angry = 😠
surprised = 😮
sleepy = 😴
in love = 😍
waving = 👋
jumping = 🎉
🙂"""
GIF_EMOJI = """wave = 👋
hop = 🎉
love = 😍
🙂"""
LOOK = "seal-look.jpg"
TINY_PREVIEW = "a sticker of {}, happy, full body, flat vector style, plain mint background"
"""The tiny model draws any of its styles where none is named."""
PICTURE_SIZE = 128


def pack(page: Page, column: Column, platform: str, height: int, wires: dict[str, Any], **more: Any) -> Placed:
    values = {"platform": platform, "embed_workflow": False, **more}
    return page.add(column, "SEALSaveStickerPack", height, title=f"{NAMES_OF[platform]} pack", wires=wires, **values)


def words_of_packs(page: Page, left: Column, right: Column, below: Column, emoji: str, title: str) -> dict[str, Any]:
    """Title, author and emoji, once for all packs; what to wire to each pack."""
    titled = page.add(left, "PrimitiveString", 70, title="Title of the packs", value=title)
    author = page.add(right, "PrimitiveString", 70, title="Author", value="Me")
    line = page.add(below, "PrimitiveStringMultiline", rest(below), title="Emoji by word", value=emoji)
    return {"title": (titled, "STRING"), "author": (author, "STRING"), "emoji": (line, "STRING")}


def twelve(info: dict[str, Any], tiny: bool) -> Page:
    page = Page(info)
    note = Column(0, 390)
    page.note(note, 500 if tiny else 440, notes.TINY if tiny else notes.TWELVE)
    top = note.y + 58
    give, result, train = Column(0, 390, top), Column(436, 430), Column(912, 376)
    say, paint = Column(1334, 270), Column(1650, 280)
    if tiny:
        loader = page.add(give, "SEALDemoModel", 192)
        models, image = dict.fromkeys(("MODEL", "CLIP", "VAE"), loader), (loader, "image")
        names = {"MODEL": "model", "CLIP": "clip", "VAE": "vae"}
        page.add(give, "PreviewImage", rest(give), title="The one sticker", wires={"images": image})
        mask, more = (loader, "mask"), {"reference_attributes": (loader, "attributes")}
        settings = {"steps": 150, "batch_size": 8, "name": "my-cat", "preview_prompt": TINY_PREVIEW}
    else:
        loader = checkpoint(page, give)
        models, names = dict.fromkeys(("MODEL", "CLIP", "VAE"), loader), {n: n for n in ("MODEL", "CLIP", "VAE")}
        picture = page.add(
            give,
            "LoadImage",
            rest(give) - PILL - BETWEEN_PILLS - GAP,
            title="Load Image: your sticker",
            image="seal-orange-cat.png",
        )
        image, more = (picture, "IMAGE"), {}
        found = page.add(give, "SemanticMask", pill=True, wires={"image": image, "mask": (picture, "MASK")})
        mask, settings = (found, "mask"), {"name": "my-sticker", "mask_polarity": "foreground"}
    wired = {kind: (models[kind], names[kind]) for kind in names}
    learned = page.add(
        train, "SEALTrainEmbedding", rest(train), title="Learn: SEAL Train Embedding", class_word="cat", **settings,
        wires={
            "model": wired["MODEL"], "clip": wired["CLIP"], "vae": wired["VAE"], "image": image, "mask": mask, **more,
        },
    )  # fmt: skip
    given = (learned, "embedding")
    model = page.add(say, "SEALApplyEmbedding", pill=True, wires={"model": wired["MODEL"], "embedding": given})
    pack_of_twelve(page, (say, paint, result), wired, given, model, tiny)
    page.group("1 · Sticker" if tiny else "1 · Model and sticker", 0, top, 390, BOTTOM - top)
    page.group("2 · Learn it", 912, 0, 376, BOTTOM)
    return page


def in_one_look(info: dict[str, Any]) -> Page:
    """The pack of a learned character in the look of a picture."""
    page = Page(info)
    page.note(Column(0, 390), 494, notes.ONE_LOOK)
    top = 588
    give, result, look = Column(0, 390, top), Column(436, 430), Column(912, 376)
    say, paint = Column(1334, 270), Column(1650, 280)
    loader = checkpoint(page, give)
    learned = page.add(give, "SEALLoadEmbedding", 162, name="my-sticker.safetensors")
    page.add(give, "PreviewAny", rest(give), title="About the character", wires={"source": (learned, "info")})
    given = (learned, "embedding")
    applied = page.add(look, "SEALApplyEmbedding", pill=True, wires={"model": (loader, "MODEL"), "embedding": given})
    picture = page.add(look, "LoadImage", 480, title="Load Image: the look", image=LOOK)
    wires = {"image": (picture, "IMAGE"), "mask": (picture, "MASK")}
    found = page.add(look, "SemanticMask", pill=True, title="Mask of the look", wires=wires)
    styled = page.add(
        look, "SEALStyleModel", rest(look), title="Draw in that look", strength=0.8,
        wires={
            "model": (applied, "model"), "vae": (loader, "VAE"), "image": (picture, "IMAGE"), "mask": (found, "mask"),
        },
    )  # fmt: skip
    wired = {kind: (loader, kind) for kind in ("MODEL", "CLIP", "VAE")}
    pack_of_twelve(page, (say, paint, result), wired, given, styled, style="")
    page.group("1 · Model and character", 0, top, 390, BOTTOM - top)
    page.group("2 · The look", 912, 0, 376, BOTTOM)
    return page


def pack_of_twelve(
    page: Page, columns: tuple[Column, Column, Column], wired: dict[str, tuple[Placed, str]], given: tuple[Placed, str],
    model: Placed, tiny: bool = False, style: str = "flat vector",
) -> None:  # fmt: skip
    """From the prompts to the packs. columns: of the prompts, of the drawing, of the packs. given: the embedding."""
    say, paint, result = columns
    sweep = page.add(
        say, "SEALStickerAttributeSweep", 682, title="Twelve prompts", wires={"concept": (given[0], "name")},
        camera="full body", style=style, background="plain mint", attribute_1="action", values_1="\n".join(ACTIONS),
        attribute_2="emotion", values_2="\n".join(EMOTIONS),
    )  # fmt: skip
    positive = page.add(
        say, "SEALTextEncode", pill=True, wires={"clip": wired["CLIP"], "embedding": given, "text": (sweep, "prompts")}
    )
    negative = page.add(
        say, "CLIPTextEncode", pill=True, title="Negative prompt", text="" if tiny else NEGATIVE,
        wires={"clip": wired["CLIP"]},
    )  # fmt: skip
    side = PICTURE_SIZE if tiny else 512
    size = page.add(say, "EmptyLatentImage", pill=True, title=SIZE_NOTE, width=side, height=side)
    drawn = sampled(
        page, paint, model, positive, negative, size, vae=wired["VAE"], **({"cfg": TINY_CFG} if tiny else {})
    )
    cut = page.add(
        paint, "SEALStickerCutout", 500, wires={"image": (drawn, "IMAGE")}, grow=-2 if tiny else 0,
        if_not_found="keep the picture",
    )  # fmt: skip
    sized = page.add(
        paint, "SEALStickerLayout", pill=True, wires={"image": (cut, "image")}, platform="custom", margin=7, width=512,
        height=512,
    )  # fmt: skip
    border = page.add(
        paint, "SEALStickerBorder", pill=True, wires={"image": (sized, "image")}, width=12.0, smooth=12.0, shadow=0.35,
        shadow_x=0.0, shadow_y=5.0, shadow_blur=8.0,
    )  # fmt: skip
    wires = {"images": (border, "image"), "names": (sweep, "labels")}
    low = Column(result.x, result.width, BOTTOM - 100)
    wires |= words_of_packs(page, low, paint, say, EMOJI, "My Cat" if tiny else "My Stickers")
    first, *others = PACKED
    pack(page, result, first, BOTTOM - 100 - 30 - 2 * GAP - len(others) * (PILL + BETWEEN_PILLS), wires)
    for platform in others:
        pack(page, result, platform, 0, wires, pill=True)
    page.group("3 · What to draw", say.x, 0, say.width, BOTTOM)
    page.group("4 · Draw and cut out", paint.x, 0, paint.width, BOTTOM)
    page.group("Result", result.x, 0, result.width, BOTTOM)


def pictures(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 462), 466, notes.PICTURES)
    give, sheet = Column(0, 462, 586), Column(506, 560)
    loaded = page.add(give, "SEALLoadStickers", 262, folder="input", files="seal-picture-*", kind="still")
    left, right = Column(0, 228, give.y), Column(234, 228, give.y)
    words = words_of_packs(page, left, right, Column(0, 228, give.y + 126), EMOJI, "My Pictures")
    caption = page.add(right, "PrimitiveStringMultiline", rest(right), title="Caption (empty: none)")
    cut = page.add(
        Column(506, 270, 586), "SEALStickerCutout", 510, wires={"image": (loaded, "images")},
        if_not_found="keep the picture",
    )  # fmt: skip
    finish = Column(796, 270, 586)
    border = page.add(
        finish, "SEALStickerBorder", 420, wires={"image": (cut, "image")}, width=12.0, smooth=12.0, shadow=0.35,
        shadow_x=0.0, shadow_y=5.0, shadow_blur=8.0,
    )  # fmt: skip
    written = page.add(
        finish, "SEALStickerText", pill=True, wires={"image": (border, "image"), "text": (caption, "STRING")}
    )
    labelled = page.add(
        finish, "SEALContactSheet", pill=True, title="Contact sheet", columns=3,
        wires={"images": (written, "image"), "labels": (loaded, "names")},
    )  # fmt: skip
    page.add(sheet, "SaveImage", 466, title="All stickers", filename_prefix="seal/sheet",
             wires={"images": (labelled, "image")})  # fmt: skip
    wires = {"images": (written, "image"), "names": (loaded, "names"), **words}
    for i, platform in enumerate(PACKED):
        column = Column(1110 + i * 276, 264)
        pack(page, column, platform, rest(column), wires)
    page.group("1 · Pictures and words", 0, 586, 462, BOTTOM - 586)
    page.group("2 · Cut out and border", 506, 586, 560, BOTTOM - 586)
    page.group("3 · Packs", 1110, 0, 816, BOTTOM)
    page.group("Result", 506, 0, 560, 496)
    return page


def gifs(info: dict[str, Any]) -> Page:
    page = Page(info)
    page.note(Column(0, 462), 466, notes.GIFS)
    give = Column(0, 462, 586)
    loaded = page.add(give, "SEALLoadStickers", 262, folder="input", files="seal-*.gif", kind="animated")
    words = words_of_packs(
        page, Column(0, 228, give.y), Column(234, 228, give.y), Column(0, 462, give.y + 126), GIF_EMOJI, "My GIFs"
    )
    wires = {"images": (loaded, "images"), "names": (loaded, "names"), "fps": (loaded, "fps"), **words}
    for i, platform in enumerate(PACKED):
        column = Column(518 + i * 420, 400)
        pack(page, column, platform, rest(column), wires, animated=True)
    page.group("1 · GIFs and words", 0, 586, 462, BOTTOM - 586)
    page.group("2 · Packs", 518, 0, 1240, BOTTOM)
    return page
