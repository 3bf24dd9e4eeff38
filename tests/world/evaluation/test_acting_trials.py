"""Learned characters that move by temporal layers, and what is told of them."""

import json

import pytest
import torch
from PIL import Image
from tiny_world import FakeSource

from seal_core.motion.temporal.motion_file import save_motion
from seal_core.motion.temporal.motion_layers import MotionLayers
from seal_core.world import commands
from seal_core.world.evaluation import acting_trials
from seal_core.world.evaluation.acting_trials import FIGURES, ROWS, acting_row, totals
from seal_core.world.evaluation.motion_metrics import flicker, loop_seam
from seal_core.world.judges.motion_judge import fitted_motion_judge, motion_clip
from seal_core.world.renderer import seeds


@pytest.fixture(scope="module")
def judge():
    return fitted_motion_judge(2)


def test_flicker_is_what_shows_for_one_frame_alone():
    subject = torch.zeros(8, 10, 10, dtype=torch.bool)
    subject[:4, :5] = True  # half of the picture, half of the time
    assert float(flicker(subject)) == 0
    subject[6, 9, 9] = True  # where it never was
    assert float(flicker(subject)) == pytest.approx(100 / 800)


def test_a_seam_is_a_greater_change_than_the_others():
    even = torch.tensor([0.0, 0.1, 0.2, 0.1]).view(1, 4, 1, 1, 1).expand(1, 4, 2, 2, 3)
    assert float(loop_seam(even)) == pytest.approx(1)
    jump = torch.tensor([0.0, 0.1, 0.2, 0.3]).view(1, 4, 1, 1, 1).expand(1, 4, 2, 2, 3)
    assert float(loop_seam(jump)) == pytest.approx(3)


def test_the_renderers_own_clip_is_right_and_a_still_is_not(judge):
    true = torch.from_numpy(motion_clip(seeds.VALIDATION[60], "jumping").images).float() / 255
    kit = FakeSource().kit()
    own, still = (acting_row(kit, judge, "jumping", clip, true) for clip in (true, true[:1].expand_as(true)))
    assert own["right"] == 1 and own["identity"] == pytest.approx(1, abs=1e-3) and 0.5 < own["moves"] < 2
    assert still["right"] == 0 and still["moves"] == 0 and still["flicker"] == 0 < own["seam"]


def test_totals_are_over_all_clips_and_compare_the_same_ones():
    def clip(right, identity, alone):
        rows = {row: dict.fromkeys(FIGURES, 0.0) for row in ROWS}
        rows["moving"] |= {"right": right, "identity": identity}
        rows["stills"]["identity"] = alone
        return rows

    told = totals({"1": {"jumping": clip(1, 0.6, 0.5), "waving": clip(0, 0.4, 0.5)}})
    assert told["moving"]["right"][0] == 0.5 and told["against"]["identity"] == [0.0, -0.1, 0.1]


def test_command_line(monkeypatch, tmp_path, capsys, judge):
    kit = FakeSource().kit()
    monkeypatch.setattr(acting_trials.TrialKitPaths, "kit", lambda self: kit)
    monkeypatch.setattr(acting_trials, "SIZE", 64)
    monkeypatch.setattr(acting_trials, "STEPS", 2)
    monkeypatch.setattr(acting_trials, "fitted_motion_judge", lambda: judge)
    monkeypatch.setattr(acting_trials, "motion_clip", lambda *of: _small(motion_clip(*of)))
    layers = save_motion(MotionLayers.of_sites("sti", kit.host.sites()), tmp_path / "sti.safetensors")
    few = ["--layers", str(layers), "--characters", "1", "--method", "textual_inversion~steps=2", "--device", "cpu"]
    out = tmp_path / "acting"
    assert commands.main(["eval-acting", "--out", str(out), *few]) == 0
    [seed] = [path for path in out.glob("*.json") if path.name[0].isdigit()]
    told = json.loads(seed.read_text())
    assert set(told) == {"jumping", "waving"} and set(told["waving"]) == set(ROWS)
    assert told["jumping"]["moving"] == told["jumping"]["stills"], "layers without training change nothing"
    with Image.open(seed.with_suffix(".png")) as strips:
        assert strips.size == (8 * 64, 6 * 64)
    seed.write_text(json.dumps(told | {"waving": told["jumping"]}))
    assert commands.main(["eval-acting", "--out", str(out), *few]) == 0
    [line] = [s for s in capsys.readouterr().out.splitlines()[-2:] if s.startswith('{"' + seed.name[:8])]
    assert json.loads(line)[seed.name[:8]]["waving"] == told["jumping"], "what is finished is not done again"
    assert commands.main(["eval-acting", "--out", str(out), "--layers", str(layers), "--characters", "0"]) == 2


def _small(clip):
    import dataclasses

    return dataclasses.replace(clip, images=clip.images[:, ::2, ::2])
