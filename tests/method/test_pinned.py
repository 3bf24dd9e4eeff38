"""Four losses and the file of every preset, on diffusers' models."""

import pinned
import pytest
from tiny import tiny_pipe

from seal_core.concept.concept_file import concept_bytes
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.configure import configure
from seal_core.method.presets import PRESETS
from seal_core.method.references import Reference
from seal_core.method.training import train


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("kind", ["sd1", "sd2v", "sdxl"])
def test_what_a_preset_computes_stays(kind, preset):
    config = configure(preset, name="sticker", class_word="cat", steps=pinned.STEPS, resolution=64)

    def made():
        result = train(DiffusersHost(tiny_pipe(kind)), [Reference(*pinned.sticker())], config)
        return pinned.figures(result.losses, concept_bytes(result.concept), result.concept.vectors)

    pinned.check(f"diffusers {kind}", preset, made)
