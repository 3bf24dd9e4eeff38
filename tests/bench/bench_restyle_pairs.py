"""Restyling of real art with its truth at hand: emoji that were drawn twice, flat and in 3D, by the same artists.

    python tests/bench/bench_restyle_pairs.py [--count 16] [--steps 100] [--seed 1] [--split test] [--sheet FILE]

Each flat picture takes the look of another emoji's 3D version, with the tiny model as the network that sees; its own 3D
version is what a perfect restyling would come to. The art comes from npm by name, see bench_real_art.py.

Colours: mean difference to the true 3D version on the subject, 0..1, after a blur of 2 pixels. Latents: mean difference
of the tiny VAE's latents there. Shading: distance (earth mover's) of how steep colours are inside the subject, in
decades; no network reads it: flat art has none that is soft, but a blur has, so one row is the flat picture through the
VAE. Own: how many of COUNT true 3D versions are nearer in colours than its own, as a share; 0 = it is the
nearest, 0.5 = chance.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from scipy.stats import wasserstein_distance

sys.path[:0] = [str(Path(__file__).parents[2])]

from seal_core.demo.model import SIZE  # noqa: E402
from seal_core.hosts.base import Prompt  # noqa: E402
from seal_core.world.evaluation.character_plan import NEUTRAL  # noqa: E402
from seal_core.world.evaluation.metrics import interval, resamples  # noqa: E402
from seal_core.world.evaluation.style_trials import regions_seen  # noqa: E402
from seal_core.world.evaluation.style_ways import WAYS, Case  # noqa: E402
from seal_core.world.evaluation.trial_kit import TrialKitPaths  # noqa: E402
from seal_core.world.mask_networks import real_art  # noqa: E402
from seal_core.world.renderer.characters import character  # noqa: E402

FLAT, SOLID = "fluent-flat", "fluent-3d"
UNSTYLED = ("flat as it is", "flat through the VAE")
RESTYLED = ("regional", "regional, own colours", "regional, zeros", "without regions", "Gram", "AdaIN")
BLUR = 2.0
STEEPNESS = (1e-3, 1.0)
"""Range of gradients, in contrast a pixel, that shading is read in."""
FIGURES = ("colours", "latents", "shading", "own")


def on_white(family: str, code: str) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) and the subject (H, W)."""
    art = real_art.picture(family, code, SIZE)
    return art[..., :3] * art[..., 3:] + 1 - art[..., 3:], art[..., 3]


def steepness(image: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Decades of the gradients inside the subject, away from its outline."""
    inside = ndimage.binary_erosion(subject > 0.5, iterations=3)
    along = np.stack([np.hypot(*np.gradient(plane)) for plane in np.moveaxis(image, -1, 0)]).max(0)
    return np.log10(along[inside].clip(*STEEPNESS))


def blurred(image: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(image, (BLUR, BLUR, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--count", type=int, default=16)
    add("--steps", type=int, default=100)
    add("--seed", type=int, default=1)
    add("--split", choices=("tuning", "test"), default="test")
    add("--sheet", type=Path, help="a row an emoji: flat, the look, each way, its own 3D version")
    options = parser.parse_args()
    try:
        both = sorted(set(real_art.codes(FLAT, options.split)) & set(real_art.codes(SOLID, options.split)))
    except real_art.Missing as why:
        sys.exit(f"nothing measured: {why}")
    torch.set_num_threads(1)
    kit = TrialKitPaths().kit()
    null = kit.host.encode([Prompt("")], {})
    chosen = [both[i] for i in np.random.default_rng(options.seed).permutation(len(both))[: options.count]]
    flat, solid = ([on_white(family, code) for code in chosen] for family in (FLAT, SOLID))
    contents, looks = (
        [regions_seen(kit.host, torch.from_numpy(i).float(), torch.from_numpy(m), null) for i, m in art]
        for art in (flat, solid)
    )
    peers = [blurred(peer) for peer, _ in solid]
    dull = Case(character(0), NEUTRAL, "", looks[0], looks[0], torch.empty(0), torch.empty(0), options.steps)
    rows: dict[str, list[list[float]]] = {way: [] for way in (*UNSTYLED, *RESTYLED)}
    sheet = []
    for i, (image, subject) in enumerate(flat):
        case = replace(dull, content=contents[i], source=looks[(i + 1) % len(looks)])
        pictures = dict(zip(UNSTYLED, (image, kit.host.decode_latents(case.content.latents)[0].numpy())))
        for way in RESTYLED:
            run = WAYS[way]
            assert run is not None
            pictures[way] = kit.host.decode_latents(run(kit, case, null))[0].numpy()
        truth, body = solid[i]
        both_there = (subject > 0.5) | (body > 0.5)
        cells = torch.from_numpy(ndimage.zoom(both_there.astype(np.float32), looks[i].latents.shape[-1] / SIZE) > 0.5)
        for way, picture in pictures.items():
            latents = kit.host.encode_image(torch.from_numpy(picture).float()[None])
            soft = blurred(picture)
            apart = [np.abs(soft - peer)[both_there].mean() for peer in peers]
            rows[way].append(
                [
                    float(apart[i]),
                    float((latents - looks[i].latents)[0][:, cells].abs().mean()),
                    float(wasserstein_distance(steepness(picture, subject), steepness(truth, body))),
                    float(np.mean([other < apart[i] for j, other in enumerate(apart) if j != i])),
                ]
            )
        sheet.append(np.concatenate([image, solid[(i + 1) % len(solid)][0], *list(pictures.values())[1:], truth], 1))
        if options.sheet:
            Image.fromarray((np.concatenate(sheet) * 255).clip(0, 255).round().astype(np.uint8)).save(options.sheet)
        print(f"{i + 1} of {len(flat)}", file=sys.stderr)
    index = resamples(len(flat))
    print(f"| | {' | '.join(FIGURES)} |\n|---|{'---|' * len(FIGURES)}")
    for way, values in rows.items():
        told = [interval(np.array(column), index) for column in zip(*values)]
        print(f"| {way} | {' | '.join('{mean:.3f} [{lo:.3f}, {hi:.3f}]'.format(**v) for v in told)} |")


if __name__ == "__main__":
    main()
