"""The pictures of a batch: what is drawn with a concept, and packs of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from ..concept.concept import Concept
from ..hosts.base import Host, Prompt
from ..messages import SealError, collected_notices
from ..method.sampling import generate_context, sample
from ..stickers.cutout import CARD, cut_all
from ..stickers.pack.clip import Clip
from ..stickers.pack.pack_names import slug
from ..stickers.pack.pack_request import PackRequest, Sticker, with_emoji
from ..stickers.pack.save_pack import save_pack


@dataclass(frozen=True)
class DrawnPrompts:
    """What is drawn with every concept. prompts: {} stands for it. platform: of the packs, "" for none."""

    prompts: tuple[str, ...]
    negative: str
    steps: int
    cfg: float
    seed: int
    platform: str = ""
    author: str = ""
    emoji: tuple[str, ...] = ()


@torch.no_grad()
def drawn_files(host: Host, concept: Concept, drawing: DrawnPrompts) -> dict[str, Tensor]:
    """File name -> picture (H, W, 3) of each prompt; equal noise for all concepts. Raises SealError."""
    negative = host.encode([Prompt(drawing.negative)], {})
    found = {}
    for place, prompt in enumerate(drawing.prompts):
        latents = sample(
            host,
            generate_context(host, concept, prompt.replace("{}", concept.name)),
            negative,
            height=host.resolution,
            width=host.resolution,
            steps=drawing.steps,
            cfg=drawing.cfg,
            generator=torch.Generator().manual_seed(drawing.seed + place),
        )
        picture = host.decode_latents(latents)[0]
        if not picture.isfinite().all():
            raise SealError("dtype: a picture has values that are no numbers; use --dtype bfloat16 or float32.")
        words = slug(prompt.replace("{}", " "))
        found["-".join(filter(None, (f"{place + 1:02d}", words))) + ".png"] = picture
    return found


def packed_files(
    pictures: Mapping[str, Tensor], drawing: DrawnPrompts, name: str, warnings: list[str]
) -> tuple[str, dict[str, bytes]]:
    """(the pack's folder name, its files) of drawn pictures, cut out. warnings: takes what could not be."""
    with collected_notices() as noticed:
        cuts, report, _ = cut_all([picture[None] for picture in pictures.values()], failing=CARD)
    warnings += [f"pack: {line}" for line in (*noticed, *report.splitlines()[1:])]
    stickers = [
        Sticker(Path(file).stem[3:], False, lambda cut=cut: Clip.still((cut[0].numpy() * 255).round().astype(np.uint8)))
        for file, cut in zip(pictures, cuts, strict=True)
    ]
    request = PackRequest(drawing.platform, name, drawing.author, name=name)
    with TemporaryDirectory() as parent:
        pack = save_pack(with_emoji(stickers, drawing.emoji, drawing.platform), request, Path(parent))
        warnings += [f"pack: {note}" for note in pack.report["notes"]]
        return pack.folder.name, {file.name: file.read_bytes() for file in pack.files}
