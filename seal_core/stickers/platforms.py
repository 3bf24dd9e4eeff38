"""The one table of what chat platforms accept. Everything else in this package reads its limits here.

Where a source says KB without saying which, 1 KB is 1,000 bytes here: what fits that fits 1,024 too. Sources:
- Telegram: core.telegram.org/stickers (static and video stickers), core.telegram.org/bots/api (createNewStickerSet,
  setStickerSetThumbnail, InputSticker).
- WhatsApp: github.com/WhatsApp/stickers, README and the checks in its Android sample's StickerPackValidator.
- Signal: support.signal.org "Stickers" and the checks in Signal Desktop's sticker creator.
- Discord: discord.com/developers/docs/resources/sticker (Create Guild Sticker).
- LINE: creator.line.me/en/guideline/ and creator.line.me/en/guideline/animationsticker/.
- iMessage: Apple's Human Interface Guidelines, iMessage apps and stickers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import SealError

KB = 1000
KIB = 1024
NO_LIMIT = 1 << 40

Canvas = Literal["exact", "longest", "within", "own"]
"""exact: the canvas has this size. longest: one side has it, the other at most. within: no side is larger, both are
even. own: the picture's own size."""


@dataclass(frozen=True)
class Still:
    """A static sticker: formats (the preferred one first), canvas in pixels, largest file in bytes."""

    formats: tuple[str, ...]
    canvas: Canvas
    width: int
    height: int
    max_bytes: int


@dataclass(frozen=True)
class Motion:
    """An animated sticker. max_ms: one play, or all of them where they are counted.

    plays: 0 = for ever, else the most (as many as max_ms has room for); whole_seconds: one play lasts 1, 2, ... s;
    constant_rate: video frames all last equally long.
    """

    formats: tuple[str, ...]
    canvas: Canvas
    width: int
    height: int
    max_bytes: int
    max_ms: int = NO_LIMIT
    min_frames: int = 2
    max_frames: int = NO_LIMIT
    min_frame_ms: float = 10
    plays: int = 0
    whole_seconds: bool = False
    constant_rate: bool = False


@dataclass(frozen=True)
class Extra:
    """A picture beside the stickers. animated: moves in packs of animated ones; only_animated: is only in those."""

    file: str
    width: int
    height: int
    max_bytes: int
    animated: bool = False
    only_animated: bool = False


@dataclass(frozen=True)
class Platform:
    """One platform. counts: how many stickers a pack may hold; emoji: least and most for each sticker."""

    name: str
    label: str
    still: Still
    motion: Motion
    counts: tuple[int, ...] | range = range(1, NO_LIMIT)
    motion_counts: tuple[int, ...] | range | None = None
    mixed: bool = True
    emoji: tuple[int, int] = (1, 20)
    extras: tuple[Extra, ...] = ()
    title: tuple[int, int] = (1, 128)
    author: tuple[int, int] = (1, 128)
    sticker_name: tuple[int, int] = (0, 64)
    wide_counts_two: bool = False
    archive: str = ""
    archive_bytes: int = NO_LIMIT
    numbered: bool = False

    def allowed_counts(self, animated: bool) -> tuple[int, ...] | range:
        """How many stickers a pack may hold."""
        return self.motion_counts if animated and self.motion_counts is not None else self.counts


_APNG_GIF = ("apng", "gif")

PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform(
            "telegram",
            "Telegram",
            Still(("png", "webp"), "longest", 512, 512, 512 * KB),
            Motion(("webm",), "longest", 512, 512, 256 * KB, max_ms=3000, min_frame_ms=1000 / 30, constant_rate=True),
            counts=range(1, 121),
            emoji=(1, 20),
            title=(1, 64),
            extras=(
                Extra("thumb.png", 100, 100, 128 * KB),
                Extra("thumb.webm", 100, 100, 32 * KB, animated=True, only_animated=True),
            ),
        ),
        Platform(
            "whatsapp",
            "WhatsApp",
            Still(("webp",), "exact", 512, 512, 100 * KIB),
            Motion(("webp",), "exact", 512, 512, 500 * KIB, max_ms=10_000, min_frame_ms=8),
            counts=range(3, 31),
            mixed=False,
            emoji=(1, 3),
            extras=(Extra("tray.png", 96, 96, 50 * KB),),
            archive=".wastickers",
        ),
        Platform(
            "signal",
            "Signal",
            Still(("webp", "png"), "exact", 512, 512, 300 * KIB),
            Motion(("apng",), "exact", 512, 512, 300 * KIB, max_ms=3000),
            counts=range(1, 201),
            emoji=(1, 1),
        ),
        Platform(
            "discord",
            "Discord",
            Still(("png",), "exact", 320, 320, 512 * KB),
            Motion(_APNG_GIF, "exact", 320, 320, 512 * KB, max_ms=5000),
            emoji=(1, 1),
            sticker_name=(2, 30),
        ),
        Platform(
            "line",
            "LINE",
            Still(("png",), "within", 370, 320, 1000 * KB),
            Motion(
                ("apng",),
                "within",
                320,
                270,
                300 * KB,
                max_ms=4000,
                min_frames=5,
                max_frames=20,
                plays=4,
                whole_seconds=True,
            ),
            counts=(8, 16, 24, 32, 40),
            motion_counts=(8, 16, 24),
            mixed=False,
            emoji=(0, 20),
            title=(1, 40),
            author=(1, 50),
            wide_counts_two=True,
            extras=(
                Extra("main.png", 240, 240, 300 * KB, animated=True),
                Extra("tab.png", 96, 74, 300 * KB),
            ),
            archive=".zip",
            archive_bytes=20 * KB * KB,
            numbered=True,
        ),
        Platform(
            "imessage",
            "iMessage",
            Still(("png",), "exact", 408, 408, 500 * KB),
            Motion(_APNG_GIF, "exact", 408, 408, 500 * KB),
            emoji=(0, 20),
        ),
        Platform(
            "plain",
            "plain",
            Still(("png", "webp"), "own", 0, 0, NO_LIMIT),
            Motion(("webp", "apng", "gif", "webm"), "own", 0, 0, NO_LIMIT),
            emoji=(0, 20),
        ),
    )
}
"""Platforms by name."""

SIDES = {"imessage": (300, 408, 618)}
"""Squares that a platform lets its packs choose between; the table above has the middle one."""


def platform_of(name: str) -> Platform:
    """The platform of this name. SealError for others, with the names there are."""
    try:
        return PLATFORMS[name]
    except KeyError:
        raise SealError(f"platform: {name!r} is unknown; choose one of {', '.join(PLATFORMS)}.") from None
