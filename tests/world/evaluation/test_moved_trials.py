"""Motions learned from one clip each, and what is told of them."""

import json

import pytest
import torch
from PIL import Image
from tiny_world import FakeSource

from seal_core.world import commands
from seal_core.world.evaluation import moved_trials
from seal_core.world.evaluation.moved_trials import example_of, moved_row, words_of
from seal_core.world.judges.motion_judge import fitted_motion_judge, motion_clip
from seal_core.world.renderer import seeds


@pytest.fixture(scope="module")
def judge():
    return fitted_motion_judge(2)


def test_the_renderers_own_clips_are_right_and_stills_leak_nothing(judge):
    who = seeds.VALIDATION[60:63]
    example, *others = (motion_clip(seed, "jumping") for seed in who)
    clips = torch.stack([torch.from_numpy(c.images).float() / 255 for c in others])
    row = moved_row(FakeSource().kit(), judge, "jumping", example, clips, clips)
    assert row["right"] == [1.0, 1.0] and row["seen"] == ["jumping"] * 2 and row["leak"] == [0.0, 0.0]
    assert min(row["correlation"]) > 0.3
    still = clips[:, :1].expand_as(clips)
    assert moved_row(FakeSource().kit(), judge, "jumping", example, still, clips)["right"] == [0.0, 0.0]
    source = torch.from_numpy(example.images).float()[None].expand_as(clips) / 255
    assert min(moved_row(FakeSource().kit(), judge, "jumping", example, source, clips)["leak"]) > 0


def test_an_example_says_who_it_is_and_where():
    clip = motion_clip(seeds.VALIDATION[60], "waving")
    example = example_of(clip)
    assert clip.character.species in words_of(clip) and "waving" in example.caption
    assert 0.02 < float(example.masks.mean()) < 0.7 and example.images.shape == clip.images.shape


def test_command_line(monkeypatch, tmp_path, capsys, judge):
    kit = FakeSource().kit()
    monkeypatch.setattr(moved_trials.TrialKitPaths, "kit", lambda self: kit)
    monkeypatch.setattr(moved_trials, "SIZE", 64)
    monkeypatch.setattr(moved_trials, "fitted_motion_judge", lambda: judge)
    out = tmp_path / "new folder" / "moves.json"
    few = ["--motions", "pan", "--others", "2", "--steps", "2", "--draw-steps", "2", "--width", "8", "--device", "cpu"]
    assert commands.main(["eval-move", "--out", str(out), *few]) == 0
    told = json.loads(out.read_text())
    assert list(told["rows"]) == ["pan"] and told["config"]["inner"] == 8
    assert len(told["rows"]["pan"]["leak"]) == 2 and len(told["total"]["right"]) == 3
    with Image.open(out.with_name("moves-pan.png")) as strip:
        assert strip.size == (8 * 64, 4 * 64), "example, one without, two with the motion"
    said = capsys.readouterr().out
    assert '{"pan":' in said
    assert commands.main(["eval-move", "--out", str(out), *few, "--motions", "pan", "zoom"]) == 0
    said = capsys.readouterr().out
    assert '{"zoom":' in said and '{"pan":' not in said, "what is finished is not done again"
    assert json.loads(out.read_text())["rows"]["pan"] == told["rows"]["pan"]
    assert commands.main(["eval-move", "--out", str(out), *few, "--seed-offset", "1"]) == 0
    assert '{"pan":' in capsys.readouterr().out and list(json.loads(out.read_text())["rows"]) == ["pan"]
    assert commands.main(["eval-move", "--out", str(out), "--others", "0"]) == 2
    assert "others: 0 is out of range" in capsys.readouterr().err
