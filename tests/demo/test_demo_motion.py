"""The temporal layers that come with the tiny model."""

import torch

from seal_core.demo.model import SIZE, host, load_model
from seal_core.demo.model_file import MOTION_FILE
from seal_core.hosts.base import Prompt
from seal_core.motion.temporal.clip_host import repeated
from seal_core.motion.temporal.draw_clips import draw_clips
from seal_core.motion.temporal.motion_file import load_learned_motion
from seal_core.world.judges.motion_judge import fitted_motion_judge

PROMPT = "a sticker of a blue bear, happy, {action}, full body, flat vector style, plain mint background"


def test_a_bear_waves_and_does_not_without_them():
    motion, model = load_learned_motion(MOTION_FILE), host(load_model(), quick=True)
    assert MOTION_FILE.stat().st_size < 6_000_000 and motion.frames == 8 and motion.layers.kind == "sti"
    context = repeated(model.encode([Prompt(PROMPT.format(action="waving"))], {}), motion.frames)
    moving, alone = (
        draw_clips(model, layers, context, motion.frames, side=SIZE, steps=12, cfg=4.0, seed=3)
        for layers in (motion.layers, None)
    )
    judge = fitted_motion_judge(4)
    assert judge(torch.cat([moving, alone]))[0] == "waving" and judge(alone) != ["waving"]
