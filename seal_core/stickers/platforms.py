"""What chat platforms accept, in one table with its sources. All other modules read their limits here.

Where a source says just KB, 1 KB is 1,000 bytes: what fits that fits 1,024 too. Two rules are ours:
- Animated PNGs are truecolour with alpha. Signal for iOS does not play those with a palette
  (github.com/signalapp/Signal-iOS/issues/4611), and LINE asks for RGB.
- No frame is shorter than 20 ms. Browsers, and the many clients built on one, show frames of 10 ms or less for 100 ms
  (webkit.org/b/36082).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..messages import SealError

KB = 1000
KIB = 1024
NO_LIMIT = 1 << 40

Canvas = Literal["exact", "longest", "within", "own"]
"""exact: the canvas has this size. longest: one side has it, the other is no larger. within: no side is larger, both
are even. own: the picture keeps its size."""


@dataclass(frozen=True)
class Still:
    """A static sticker: formats (preferred first), canvas in pixels, largest file in bytes.

    margin: pixels to keep free between the canvas's edge and the subject; pictures are cropped to it first.
    """

    formats: tuple[str, ...]
    canvas: Canvas
    width: int
    height: int
    max_bytes: int
    margin: int = 0


@dataclass(frozen=True)
class Motion:
    """An animated sticker. Fields as in `Still` mean the same. max_ms: of one play, or of all if they are counted.

    plays: 0 = loop for ever, else the most plays (max_ms may allow fewer). whole_seconds: one play lasts 1, 2, ... s.
    constant_rate: all video frames last equally long.
    """

    formats: tuple[str, ...]
    canvas: Canvas
    width: int
    height: int
    max_bytes: int
    margin: int = 0
    max_ms: int = NO_LIMIT
    min_frames: int = 2
    max_frames: int = NO_LIMIT
    min_frame_ms: float = 20
    plays: int = 0
    whole_seconds: bool = False
    constant_rate: bool = False


@dataclass(frozen=True)
class CoverPicture:
    """A picture beside the stickers. animated: it moves in animated packs; only_animated: other packs lack it."""

    file: str
    width: int
    height: int
    max_bytes: int
    animated: bool = False
    only_animated: bool = False
    margin: int = 0


@dataclass(frozen=True)
class Platform:
    """One platform. counts: how many stickers a pack may hold. emoji: least and most for each sticker."""

    name: str
    label: str
    still: Still
    motion: Motion
    counts: tuple[int, ...] | range = range(1, NO_LIMIT)
    motion_counts: tuple[int, ...] | range | None = None
    mixed: bool = True
    emoji: tuple[int, int] = (1, 20)
    extras: tuple[CoverPicture, ...] = ()
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


PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform(
            "telegram",
            "Telegram",
            # core.telegram.org/stickers: PNG or WebP, one side exactly 512, the other at most. The bytes:
            # core.telegram.org/bots/api#sendsticker.
            Still(("png", "webp"), "longest", 512, 512, 512 * KB),
            # core.telegram.org/stickers#video-stickers: VP9 with alpha, no sound, 3 s, 30 frames a second, 256 KB.
            Motion(("webm",), "longest", 512, 512, 256 * KB, max_ms=3000, min_frame_ms=1000 / 30, constant_rate=True),
            # core.telegram.org/bots/api: createNewStickerSet (title), addStickerToSet (120), InputSticker (emoji).
            counts=range(1, 121),
            emoji=(1, 20),
            title=(1, 64),
            # core.telegram.org/bots/api#setstickersetthumbnail
            extras=(
                CoverPicture("thumb.png", 100, 100, 128 * KB),
                CoverPicture("thumb.webm", 100, 100, 32 * KB, animated=True, only_animated=True),
            ),
        ),
        Platform(
            "whatsapp",
            "WhatsApp",
            # github.com/WhatsApp/stickers, Android/README.md: 512x512, 100 KB and 500 KB, frames of 8 ms or longer,
            # 10 s, no mixed packs, 3 to 30 stickers. Its own animated samples loop for ever and have frames of 66 to
            # 94 ms. KB_IN_BYTES = 1024, names and emoji: StickerPackValidator.java there.
            Still(("webp",), "exact", 512, 512, 100 * KIB),
            Motion(("webp",), "exact", 512, 512, 500 * KIB, max_ms=10_000),
            counts=range(3, 31),
            mixed=False,
            emoji=(1, 3),
            extras=(CoverPicture("tray.png", 96, 96, 50 * KB),),
            archive=".wastickers",
        ),
        Platform(
            "signal",
            "Signal",
            # support.signal.org/hc/en-us/articles/360031836512-Stickers#sticker_reqs: PNG or WebP, animated ones APNG
            # and no GIF, 300 KB, 3 s, 512x512, one emoji each, at most 200.
            Still(("webp", "png"), "exact", 512, 512, 300 * KIB),
            Motion(("apng",), "exact", 512, 512, 300 * KIB, max_ms=3000),
            counts=range(1, 201),
            emoji=(1, 1),
        ),
        Platform(
            "discord",
            "Discord",
            # discord.com/developers/docs/resources/sticker#create-guild-sticker: 320x320, 512 KB, 5 s. It takes GIF
            # too, whose edges have no half transparency.
            Still(("png",), "exact", 320, 320, 512 * KB),
            Motion(("apng",), "exact", 320, 320, 512 * KB, max_ms=5000),
            emoji=(1, 1),
            sticker_name=(2, 30),
        ),
        Platform(
            "line",
            "LINE",
            # creator.line.me/en/guideline/: within 370x320, even sides, about 10 px of margin, 1 MB, RGB; names.
            Still(("png",), "within", 370, 320, 1000 * KB, margin=10),
            # creator.line.me/en/guideline/animationsticker/: within 320x270 and one side at least 270, 300 KB, 5 to 20
            # frames, 1 to 4 plays of 4 s in all. .../animationsticker/detail/: of 1, 2, 3 or 4 whole seconds.
            Motion(
                ("apng",),
                "within",
                320,
                270,
                300 * KB,
                margin=10,
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
                CoverPicture("main.png", 240, 240, 300 * KB, animated=True, margin=10),
                CoverPicture("tab.png", 96, 74, 300 * KB),
            ),
            archive=".zip",
            archive_bytes=20 * KB * KB,
            numbered=True,
        ),
        Platform(
            "imessage",
            "iMessage",
            # developer.apple.com/design/human-interface-guidelines/imessage-apps-and-stickers: 300, 408 or 618 px
            # (below), 500 KB.
            Still(("png",), "exact", 408, 408, 500 * KB),
            Motion(("apng", "gif"), "exact", 408, 408, 500 * KB),
            emoji=(0, 20),
        ),
        Platform(
            "plain",
            "plain",
            Still(("png", "webp"), "own", 0, 0, NO_LIMIT),
            Motion(("webp", "apng", "gif", "webm"), "own", 0, 0, NO_LIMIT, min_frame_ms=10),
            emoji=(0, 20),
        ),
    )
}
"""Platforms by name."""

SIDES = {"imessage": (300, 408, 618)}
"""Square sizes in pixels that a platform offers; the table above has the middle one."""


def platform_of(name: str) -> Platform:
    """The platform of this name. Raises SealError, listing all names, for an unknown one."""
    try:
        return PLATFORMS[name]
    except KeyError:
        raise SealError(f"platform: {name!r} is unknown; choose one of {', '.join(PLATFORMS)}.") from None
