"""The judge of clips: it reads the renderer's motions on characters that it was not made of, and nothing else."""

import pytest
import torch

from seal_core.world.judges.motion_judge import MOTIONS, STILL, fitted_motion_judge, motion_clip, silhouette_changes
from seal_core.world.renderer import seeds

CHARACTERS = seeds.VALIDATION[50:53]


@pytest.fixture(scope="module")
def clips():
    """(motions, characters, F, H, W, 3)."""
    rows = [[torch.from_numpy(motion_clip(seed, name).images).float() / 255 for seed in CHARACTERS] for name in MOTIONS]
    return torch.stack([torch.stack(row) for row in rows])


@pytest.fixture(scope="module")
def judge():
    return fitted_motion_judge(6)


def test_it_reads_the_renderers_motions(judge, clips):
    truth = [name for name in MOTIONS for _ in CHARACTERS]
    found = judge(clips.flatten(0, 1))
    assert sum(a == b for a, b in zip(found, truth)) >= 0.9 * len(truth), list(zip(truth, found))


def test_looks_do_not_matter_and_the_order_of_frames_does(judge, clips):
    jumping = clips[list(MOTIONS).index("jumping")]
    assert judge(jumping) == judge(jumping.flip(-1)) == ["jumping"] * len(CHARACTERS), "colours changed places"
    shuffled = jumping[:, [0, 4, 1, 5, 2, 6, 3, 7]]
    assert "jumping" not in judge(shuffled)
    alike = [judge.likeness(c)[0][:, list(MOTIONS).index("jumping")] for c in (jumping, shuffled)]
    assert (alike[0] > alike[1] + 0.2).all()


def test_what_hardly_moves_stands_still(judge, clips):
    still = clips[:, 0, :1].expand(-1, 8, -1, -1, -1)
    assert judge(still) == [STILL] * len(MOTIONS)
    assert silhouette_changes(still).abs().max() == 0
