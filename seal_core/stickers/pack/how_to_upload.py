"""The steps that bring a pack into its chat app, as a short text in every pack's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FILE_NAME = "how-to-upload.txt"

_STEPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "telegram": (
        "https://core.telegram.org/stickers",
        (
            "In Telegram open a chat with @Stickers and send {command}.",
            "Send the pack's title: {title}",
            "Send each sticker as a file (not as a photo), and after it its emoji from the list below.",
            "Send /publish, then {thumb} as the pack's icon, then a short name for the pack's link.",
        ),
    ),
    "whatsapp": (
        "https://github.com/WhatsApp/stickers",
        (
            "WhatsApp takes packs from apps only. Copy {archive} to the phone.",
            "Open it with an app that imports .wastickers files (Sticker Maker and others), and add it to WhatsApp.",
            "To make an app of your own instead: contents.json and the pictures go into WhatsApp's sample app.",
        ),
    ),
    "signal": (
        "https://support.signal.org/hc/en-us/articles/360031836512-Stickers",
        (
            "In Signal Desktop choose File > Create/upload sticker pack.",
            "Drop the stickers into the window, in the order of their numbers.",
            "Give each sticker its emoji from the list below.",
            "Choose {cover} as the cover, and write title ({title}) and author ({author}).",
            "Upload. Packs cannot be changed afterwards.",
        ),
    ),
    "discord": (
        "https://support.discord.com/hc/en-us/articles/4403089981975-Managing-Custom-Stickers-FAQ",
        (
            "In Discord open Server Settings > Stickers > Upload Sticker (you need the right to create expressions).",
            "Choose a file, and write the name and the emoji from the list below.",
            "Do so for each sticker; how many a server holds depends on its boosts.",
        ),
    ),
    "line": (
        "https://creator.line.me/en/",
        (
            "Log in at creator.line.me, choose New Submission > {kind}.",
            "Write title ({title}), creator ({author}) and a description of at most 160 characters.",
            "Set the number of stickers to {count}.",
            "Under Sticker Images choose Upload ZIP File and give {archive}, which has main.png and tab.png too.",
            "Say that AI was used where it was, and request the review.",
        ),
    ),
    "imessage": (
        "https://developer.apple.com/stickers/",
        (
            "On a Mac: Xcode > New Project > Sticker Pack App.",
            "Open Stickers.xcstickers > Sticker Pack, and drop the stickers into it.",
            "Set the sticker size to {size}, add the icons, and run it on your iPhone or submit it.",
        ),
    ),
    "plain": ("", ("These are plain files; send or upload them as you like.",)),
}
_IN_A_LINE: Mapping[str, str] = {
    "telegram": "In Telegram send {command} to @Stickers, then each file and its emoji, then /publish.",
    "whatsapp": "Open {archive} on the phone with an app that imports .wastickers files, such as Sticker Maker.",
    "signal": "In Signal Desktop: File > Create/upload sticker pack; drop the stickers there.",
    "discord": "In Discord: Server Settings > Stickers > Upload Sticker, one by one.",
    "line": "At creator.line.me: New Submission > {kind}, then Upload ZIP File with {archive}.",
    "imessage": "On a Mac, in Xcode: New Project > Sticker Pack App; drop the stickers there.",
    "plain": "Send or upload the files as you like.",
}
_SIZES = {300: "Small", 408: "Regular", 618: "Large"}


def upload_line(report: Mapping[str, Any]) -> str:
    """The way into the chat app in one sentence."""
    return _IN_A_LINE[report["platform"]].format_map(_words(report))


def how_to(report: Mapping[str, Any], label: str) -> str:
    """The text for a pack, from its report: the steps, then each sticker's file, emoji and name."""
    source, steps = _STEPS[report["platform"]]
    words = _words(report)
    lines = [f"How to get these stickers into {label}", ""]
    lines += [f"{i}. {step.format_map(words)}" for i, step in enumerate(steps, start=1)]
    lines += ["", *("  ".join(filter(None, _row(sticker))) for sticker in report["stickers"])]
    lines += ["", f"More: {source}"] if source else []
    return "\n".join(lines) + "\n"


def _words(report: Mapping[str, Any]) -> Mapping[str, Any]:
    moving, stickers = report["animated"], report["stickers"]
    return {
        "title": report["title"],
        "author": report["author"],
        "count": len(stickers),
        "archive": report.get("archive", {}).get("file", ""),
        "cover": stickers[0]["file"],
        "kind": "Animated stickers" if moving else "Stickers",
        "command": "/newvideo" if moving else "/newpack",
        "thumb": next((extra["file"] for extra in reversed(report["extras"])), ""),
        "size": _SIZES.get(stickers[0]["width"], ""),
    }


def _row(sticker: Mapping[str, Any]) -> tuple[str, ...]:
    return sticker["file"], "".join(sticker["emoji"]), sticker["name"], sticker.get("tags", "")
