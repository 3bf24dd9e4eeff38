"""The files beside a pack's pictures: pack.json, how to upload it, WhatsApp's contents.json, and archives."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...messages import SealError
from ..emoji import spoken
from ..platforms import Platform
from . import how_to_upload

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SAID_MOST = {True: 255, False: 125}
"""WhatsApp's longest accessibility text, for an animated and for a static sticker."""


def add_platform_files(folder: Path, report: dict[str, Any], row: Platform, stem: str) -> None:
    """Add the platform's own files, the upload steps and pack.json to a folder of stickers.

    Raises SealError if an archive is too large.
    """
    stickers = [sticker["file"] for sticker in report["stickers"]]
    extras = [extra["file"] for extra in report["extras"]]
    if row.name == "discord":
        for sticker in report["stickers"]:
            sticker["tags"] = spoken(sticker["emoji"][0])
    if row.name == "signal":
        report["cover"] = stickers[0]
    if row.name == "whatsapp":
        _json(folder / "contents.json", _whatsapp(folder, report, stem))
        texts = {"title.txt": report["title"], "author.txt": report["author"]}
        report["archive"] = _archive(folder / f"{stem}{row.archive}", folder, [*extras, *stickers], texts)
    elif row.archive:
        report["archive"] = _archive(folder / f"{stem}{row.archive}", folder, [*extras, *stickers], {})
    if "archive" in report and report["archive"]["bytes"] > row.archive_bytes:
        raise SealError(
            f"images: the zip has {report['archive']['bytes']:,} bytes, and {row.label} takes {row.archive_bytes:,}; "
            "use fewer or simpler stickers."
        )
    report["how_to"] = how_to_upload.FILE_NAME
    (folder / how_to_upload.FILE_NAME).write_text(how_to_upload.how_to(report, row.label), encoding="utf-8")
    _json(folder / "pack.json", report)


def _whatsapp(folder: Path, report: dict[str, Any], stem: str) -> dict[str, Any]:
    """contents.json as WhatsApp's sample apps read it (github.com/WhatsApp/stickers)."""
    checksum = 0
    for sticker in report["stickers"]:
        checksum = zlib.crc32((folder / sticker["file"]).read_bytes(), checksum)
    return {
        "android_play_store_link": "",
        "ios_app_store_link": "",
        "sticker_packs": [
            {
                "identifier": f"{_identifier(stem)}_{checksum:08x}",
                "name": report["title"],
                "publisher": report["author"],
                "tray_image_file": report["extras"][0]["file"],
                "image_data_version": "1",
                "avoid_cache": False,
                "publisher_email": "",
                "publisher_website": "",
                "privacy_policy_website": "",
                "license_agreement_website": "",
                "animated_sticker_pack": report["animated"],
                "stickers": [
                    {
                        "image_file": sticker["file"],
                        "emojis": sticker["emoji"],
                        "accessibility_text": sticker["name"][: _SAID_MOST[report["animated"]]],
                    }
                    for sticker in report["stickers"]
                ],
            }
        ],
    }


def _identifier(stem: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in stem)


def _archive(path: Path, folder: Path, files: Iterable[str], texts: dict[str, str]) -> dict[str, Any]:
    """A zip with the files at its top level. Equal packs give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode())
        for name in files:
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), (folder / name).read_bytes())
    return {"file": path.name, "bytes": path.stat().st_size}


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
