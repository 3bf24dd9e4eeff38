"""Figures of clips: the distance that notices order, and what each clip shows."""

import json

import numpy as np
import pytest
from tiny_world import FakeJudges, FakeSource

from seal_core.motion.temporal.motion_file import save_motion
from seal_core.motion.temporal.motion_layers import MotionLayers
from seal_core.world import commands
from seal_core.world.evaluation import motion_trials
from seal_core.world.evaluation.motion_metrics import (
    CLIP_METRICS,
    clip_features,
    frechet,
    judged_clips,
    mean_interval,
    motion_distance,
)
from seal_core.world.evaluation.motion_trials import MotionPlan, pictures_of
from seal_core.world.renderer import seeds


@pytest.fixture(scope="module")
def plan():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(motion_trials, "SIZE", 32)
        return MotionPlan.of(seeds.VALIDATION, 18)


def test_frechet_is_the_known_one_for_normal_samples():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(50_000, 2)), rng.normal(size=(50_000, 2)) * [1, 3] + [2, 0]
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet(one, two) == pytest.approx(4 + 4, rel=0.03) == frechet(two, one)


def test_the_distance_of_changes_notices_shuffled_and_frozen_frames(plan):
    judges, order = FakeJudges(), [0, 4, 1, 6, 3, 7, 2, 5]
    true, other = (clip_features(judges, pictures_of(clips)) for clips in (plan.clips, plan.others))
    floor = motion_distance(true, other)
    assert motion_distance(true, true) == pytest.approx({"frames": 0, "changes": 0}, abs=1e-6)
    shuffled, frozen = (motion_distance(true, c) for c in (other[:, order], np.repeat(other[:, :1], 8, axis=1)))
    assert shuffled["frames"] == pytest.approx(floor["frames"]), "frames alone do not know their order"
    assert shuffled["changes"] > 1.2 * floor["changes"]
    assert frozen["changes"] == pytest.approx(8, rel=0.01), "all variance of 8 components is missing"


def test_what_a_clip_shows(plan):
    judges, clips = FakeJudges(), pictures_of(plan.clips)
    actions = [clip.scene.action for clip in plan.clips]
    found = judged_clips(judges, clips, actions)
    assert set(found) == set(CLIP_METRICS) and all(len(values) == 18 for values in found.values())
    frozen = judged_clips(judges, clips[:, :1].expand(-1, 8, -1, -1, -1), actions)
    assert max(frozen["moves"]) == 0 and min(frozen["identity"]) == pytest.approx(1, abs=1e-4)
    assert min(found["moves"]) > 0.1 and np.mean(found["seam"]) < 1.6
    one_way = clips[:, :5]  # half of the cycle: from its end back to the start is a jump
    jumping = [i for i, a in enumerate(actions) if a == "jumping"]
    assert np.mean([judged_clips(judges, one_way, actions)["seam"][i] for i in jumping]) > 1.5


def test_intervals_hold_the_mean():
    mean, low, high = mean_interval([0.0, 1.0] * 50)
    assert mean == 0.5 and 0.38 < low < 0.45 and 0.55 < high < 0.62


def test_plans_are_of_different_characters_and_show_every_action(plan):
    assert len({c.character.seed for c in plan.clips + plan.others}) == 36
    assert len({c.scene.action for c in plan.clips}) == 6 and {c.scene.camera for c in plan.clips} == {"full body"}
    assert all(c.character.species in text and c.scene.action in text for c, text in zip(plan.clips, plan.prompts()))


def test_command_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(motion_trials, "SIZE", 64)
    monkeypatch.setattr(motion_trials, "FRAMES", 3)
    kit = FakeSource().kit()
    monkeypatch.setattr(motion_trials.TrialKitPaths, "kit", lambda self: kit)
    layers = save_motion(MotionLayers.of_sites("sti", kit.host.sites()), tmp_path / "sti.safetensors")
    out = tmp_path / "figures.json"
    call = ["eval-motion", "--out", str(out), "--layers", str(layers), "--clips", "6", "--steps", "2"]
    assert commands.main([*call, "--device", "cpu"]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert set(rows) == {"renderer", "alone, text", "alone, still", "sti, text", "sti, still"}
    assert rows["sti, text"]["clips"] == rows["alone, text"]["clips"], "untrained layers change nothing"
    assert len(rows["renderer"]["clips"]["seam"]) == 6 and len(rows["renderer"]["seam"]) == 3
    capsys.readouterr()
    assert commands.main(["eval-motion", "--out", str(out), "--clips", "2"]) == 2
    assert "clips: 2 is out of range" in capsys.readouterr().err


def test_features_of_one_clip_do_not_depend_on_others(plan):
    clips = pictures_of(plan.clips[:3])
    whole, part = (clip_features(FakeJudges(), c) for c in (clips, clips[1:2]))
    assert whole.shape[:2] == (3, 8) and np.allclose(whole[1], part[0], atol=1e-6)
