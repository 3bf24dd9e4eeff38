"""Sticker art that others drew, at any size and with exact alpha: what cut-outs are developed and measured on.

The packages come from npm by name into a cache folder (SEAL_ART, else ~/.cache/seal-art); nothing of them is committed.
Each family is split by code point, alike in all: "tuning" may be looked at, tuned and trained on; "test" is only
measured. Other families (OpenMoji, Twemoji, Blobmoji, ...) are kept for acceptance: do not add them here.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CACHE = Path(os.environ.get("SEAL_ART") or Path.home() / ".cache" / "seal-art")
SUBJECTS = (
    (0x1F400, 0x1F43D), (0x1F980, 0x1F9AE), (0x1F600, 0x1F644), (0x1F910, 0x1F92F), (0x1F970, 0x1F97A),
    (0x1F479, 0x1F480), (0x1F9D9, 0x1F9DF), (0x1F32D, 0x1F37F), (0x1F950, 0x1F96F), (0x1F9C1, 0x1F9CB),
    (0x1F383, 0x1F385), (0x1F9F8, 0x1F9F8), (0x1F680, 0x1F69A), (0x2603, 0x2603), (0x26C4, 0x26C4),
)  # fmt: skip
"""Code points, first and last, of what people make stickers of: animals, faces, creatures, food, things."""

SKIN = re.compile("1f3f[b-f]")
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@dataclass(frozen=True)
class Package:
    """An npm package and the licence of its art."""

    name: str
    version: str
    licence: str


FAMILIES = {
    "fluent-3d": Package("@lobehub/fluent-emoji-3d", "1.1.0", "MIT"),
    "fluent-flat": Package("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT"),
    "noto": Package("@svgmoji/noto", "3.2.0", "Apache 2.0"),
}


def credits() -> list[str]:
    """Each family's package and licence, in words."""
    return [f"{name}: npm {p.name} {p.version}, {p.licence}" for name, p in FAMILIES.items()]


class Missing(Exception):
    """Art that is not at hand; the message says why."""


def split_of(code: str) -> str:
    """ "tuning" or "test": by code point, so a subject is on one side in every family."""
    return ("tuning", "test")[zlib.crc32(code.encode()) % 2]


def codes(family: str, split: str) -> list[str]:
    """Code points ("1f430") of a family's subjects on one side. Raises Missing."""
    return [code for code in sorted(_sources(family)) if _is_subject(code) and split_of(code) == split]


def trained_on(family: str) -> list[str]:
    """Code points, and sequences of them, that networks may be trained on: all that a family draws, not only subjects,
    whose first code point is on the tuning side; without the variants in other skin colours. Raises Missing."""
    found = sorted(_sources(family))
    return [code for code in found if split_of(code.split("-")[0]) == "tuning" and not SKIN.search(code)]


def is_drawn(family: str) -> bool:
    """Whether a family is drawn in SVG, so that `redrawn` can redraw it. Raises Missing."""
    return not isinstance(next(iter(_sources(family).values())), Path)


def redrawn(family: str, code: str, rng: np.random.Generator, whitened: float | None = None) -> str:
    """An SVG of a picture as other hands would draw it: a dark line around each shape, at times with gaps, and some
    fills turned white.

    whitened: share of the fills that turn white; drawn at random if None. Raises Missing for families that are not
    drawn in SVG.
    """
    source = _sources(family)[code]
    if isinstance(source, Path):
        raise Missing(f"{family}: not drawn in SVG")
    unit = float(re.search(r'viewBox="[^"]* ([0-9.]+)"', source)[1])  # type: ignore[index]
    ink = "#{:02x}{:02x}{:02x}".format(*rng.integers(0, 70, 3))
    line = f'stroke="{ink}" stroke-width="{unit * rng.uniform(0.008, 0.035):.3g}" stroke-linejoin="round"'
    if rng.random() < 0.35:
        line += f' stroke-dasharray="{unit * rng.uniform(0.1, 0.7):.3g} {unit * rng.uniform(0.02, 0.07):.3g}"'
        line += ' stroke-linecap="round"'
    white_share = rng.choice((0.0, 0.5, 1.0), p=(0.3, 0.4, 0.3)) if whitened is None else whitened
    seen: dict[str, str] = {}

    def painted(match: re.Match[str]) -> str:
        if match[0] not in seen:
            white = rng.choice(("#fff", "#fff", "#fdfdfd", "#f4f6f8"))
            seen[match[0]] = match[0].replace(match[1], white) if rng.random() < white_share else match[0]
        return seen[match[0]]

    return re.sub('fill(?:="|:)(#[0-9a-fA-F]{3,6})', painted, source).replace("<svg ", f"<svg {line} ", 1)


def picture(family: str, code: str, side: int, fill: float = 0.8, svg: str | None = None) -> np.ndarray:
    """A subject in the middle of a transparent square: (side, side, 4) float32 in [0, 1], straight alpha.

    fill: share of the square that its longer side takes. svg: drawn instead, as `redrawn` makes it. Raises Missing.
    """
    cropped = _drawn(family, code, 2 * side) if svg is None else _shown(_svg_image(svg, 2 * side))
    scale = fill * side / max(cropped.size)
    width, height = (max(1, round(s * scale)) for s in cropped.size)
    straight = np.asarray(cropped, np.float32) / 255
    premultiplied = np.dstack([straight[..., :3] * straight[..., 3:], straight[..., 3]])
    planes = [Image.fromarray(np.ascontiguousarray(premultiplied[..., i])) for i in range(4)]
    small = np.dstack([np.asarray(p.resize((width, height), Image.Resampling.LANCZOS)) for p in planes])
    out = np.zeros((side, side, 4), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    alpha = small[..., 3:]  # overshoots at edges, as the colours do: their quotient does not
    straight = np.where(alpha > 1e-3, small[..., :3] / np.maximum(alpha, 1e-3), 0)
    out[top : top + height, left : left + width] = np.dstack([straight, alpha]).clip(0, 1)
    return out


@functools.lru_cache(maxsize=4)
def _sources(family: str) -> dict[str, Path | str]:
    """Code points ("1f430", or several joined by "-") -> a picture's file, or its SVG."""
    root = fetched(FAMILIES[family])
    if family == "fluent-3d":
        found: dict[str, Path | str] = {file.stem: file for file in (root / "assets").glob("*.webp")}
    elif family == "fluent-flat":
        icons = json.loads((root / "icons.json").read_text(encoding="utf-8"))["icons"]
        names = json.loads((root / "chars.json").read_text(encoding="utf-8"))
        head = f'<svg {NAMESPACES} viewBox="0 0 32 32">'
        found = {code: f"{head}{icons[name]['body']}</svg>" for code, name in names.items() if name in icons}
    else:
        text = (root / "sprites" / "all.svg").read_text(encoding="utf-8")
        found = {}
        for head, body in re.findall("<svg ([^>]*id=[^>]*)>(.*?)</svg>", text, re.S):
            if "<svg" not in body:  # a few are nested; not these
                named, box = re.search('id="([0-9A-F-]+)"', head), re.search('viewBox="[^"]+"', head)
                if named and box:
                    found[named[1].lower()] = f"<svg {NAMESPACES} {box[0]}>{body}</svg>"
    return found


def _is_subject(code: str) -> bool:
    return re.fullmatch("[0-9a-f]+", code) is not None and any(a <= int(code, 16) <= b for a, b in SUBJECTS)


@functools.lru_cache(maxsize=64)
def _drawn(family: str, code: str, side: int) -> Image.Image:
    """RGBA, cropped to what it shows."""
    source = _sources(family)[code]
    if isinstance(source, Path):
        return _shown(Image.open(source, formats=("WEBP",)).convert("RGBA"))
    return _shown(_svg_image(source, side))


def _svg_image(svg: str, side: int) -> Image.Image:
    try:
        import resvg_py
    except ImportError:
        raise Missing("SVG art needs resvg: pip install resvg-py") from None
    data = io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side)))
    return Image.open(data, formats=("PNG",)).convert("RGBA")


def _shown(image: Image.Image) -> Image.Image:
    """Without its margin."""
    return image.crop(image.getchannel("A").point([255 * (a > 2) for a in range(256)]).getbbox())


def fetched(package: Package) -> Path:
    """The unpacked package, from the cache or by `npm pack`. Raises Missing."""
    target = CACHE / f"{package.name.replace('/', '+')}@{package.version}"
    if not target.is_dir():
        npm = shutil.which("npm")
        if npm is None:
            raise Missing(f"{package.name}: not in {CACHE}, and there is no npm to fetch it with")
        CACHE.mkdir(parents=True, exist_ok=True)
        asked = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
        done = subprocess.run(asked, cwd=CACHE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{package.name}: npm could not fetch it ({done.stderr.strip()[-200:]})")
        archive = CACHE / done.stdout.strip().splitlines()[-1]
        unpacked = CACHE / f"{target.name}.part"
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        (unpacked / "package").rename(target)
        shutil.rmtree(unpacked)
        archive.unlink()
    return target
