"""What `python -m seal_core restyle` does; its options are in `seal_core.cli.restyle_options`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from ..files.whole_file import ready_folder, temporary_folders, write_new_files
from ..hosts.base import Host, Prompt
from ..masks.methods import semantic_mask
from ..pictures.picture_file import read_picture
from ..pictures.png import png_bytes
from ..style.matching import match
from ..style.own_colours import in_own_colours
from ..style.pictures_to_regions import RegionSettings, regions_of
from ..style.previews import pairs_preview
from ..style.regional_style import RestyleSettings, restyle
from ..style.regions import Regions
from .model_and_concept import memory_errors_of_device, open_model
from .progress_bars import step_bar

PAIRS = ".regions.png"
"""Ending of the picture of what took its look from where."""


def run(options: Namespace) -> None:
    """Write NAME-restyled.png for each picture, and beside it its regions. Raises SealError."""
    regional = not options.anywhere
    settings = RestyleSettings(options.steps, options.strength, options.content_weight, regional=regional)
    cut = RegionSettings(options.regions, resolution=options.resolution, seed=options.seed)
    options.out = ready_folder(options.out, "out")
    host = open_model(options)
    with memory_errors_of_device():
        styles = [_regions(host, "style", Path(file), cut) for file in options.style]
        for file in map(Path, options.image):
            _restyled(host, file, styles, cut, settings, options)


def _restyled(
    host: Host,
    file: Path,
    styles: Sequence[Regions],
    cut: RegionSettings,
    settings: RestyleSettings,
    options: Namespace,
) -> None:
    pairs = match(_regions(host, "image", file, cut), styles, options.override)
    preview = pairs_preview(pairs)
    if options.colours == "own":
        pairs = in_own_colours(pairs, host.encode_image)
    with step_bar(settings.steps, file.stem) as bar:
        null = host.encode([Prompt("")], {})
        latents = restyle(host, pairs, null, settings, lambda step, steps, x: bar.update())
    files = {".png": png_bytes(host.decode_latents(latents)[0]), PAIRS: png_bytes(preview)}
    written = write_new_files(options.out, f"{file.stem}-restyled", files, "out", elsewhere=temporary_folders())
    print(f"{written['.png']}: {pairs}")


def _regions(host: Host, option: str, file: Path, cut: RegionSettings) -> Regions:
    picture = read_picture(file, option)[None]
    mask = semantic_mask(picture)
    with step_bar(cut.steps, f"reading {file.stem}") as bar:

        def told(done: int, total: int) -> None:
            bar.update()

        return regions_of(host, picture, mask, cut, told)[0]
