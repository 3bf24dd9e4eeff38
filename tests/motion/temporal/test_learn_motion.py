"""A motion learned from one clip on the small host: what it learns, what it leaves alone, its file, going on."""

import dataclasses

import pytest
import torch
from sticker_clips import sliding
from tiny import KINDS, tiny_pipe
from tiny_host import SIZE, small_host

from seal_core.concept.concept_file import files_with_hash
from seal_core.concept.settings import Layers
from seal_core.hosts.base import Prompt
from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.messages import SealError
from seal_core.method.results import StopTraining
from seal_core.motion.temporal.clip_host import Acting, clip_host, repeated
from seal_core.motion.temporal.draw_clips import draw_clips
from seal_core.motion.temporal.example_clip import example_clip
from seal_core.motion.temporal.learn_motion import MotionConfig, learn_motion
from seal_core.motion.temporal.motion_file import (
    hash_of_learning,
    learned_motion_bytes,
    load_learned_motion,
    save_motion,
)
from seal_core.motion.temporal.motion_layers import ClipPass, InsertedLayer, LayerShape, MotionLayers

FRAMES = 4
QUICK = MotionConfig(steps=6, learning_rate=0.02, inner=8, frames=FRAMES, resolution=SIZE)


@pytest.fixture(scope="module")
def host():
    return small_host()


@pytest.fixture(scope="module")
def example():
    return example_clip(sliding(FRAMES, SIZE), None, "a sticker of a cat", frames=FRAMES, resolution=SIZE)[0]


@pytest.fixture(scope="module")
def motion(host, example):
    return learn_motion(host, example, QUICK)


def test_the_examples_frames_are_restored_better_and_the_model_stays(host, example):
    before = {n: p.clone() for s in host.sites() for n, p in s.block.named_parameters(prefix=s.name)}
    learned = learn_motion(host, example, dataclasses.replace(QUICK, steps=40))
    assert learned.report["gain"] > 0.02 and len(learned.report["losses"]) == 40
    assert learned.where == Layers("all", 0.0, 0.7) and learned.caption == "a sticker of a cat"
    for site in host.sites():
        assert not site.block._forward_hooks
        for name, p in site.block.named_parameters(prefix=site.name):
            assert torch.equal(p, before[name]) and p.grad is None


def test_equal_settings_give_equal_bytes_and_others_do_not(host, example, motion):
    def learned(**changes):
        return learned_motion_bytes(learn_motion(host, example, dataclasses.replace(QUICK, **changes)))

    same = learned_motion_bytes(motion)
    assert learned() == same
    others = {"given": 1.0, "ground": 1.0, "recolour": 0.0, "layers": Layers("all", 0.3, 0.7), "seed": 1}
    for changes in ({name: value} for name, value in others.items()):
        assert learned(**changes) != same, changes
        assert dataclasses.replace(QUICK, **changes).hash() != QUICK.hash()
    assert dataclasses.replace(QUICK, checkpointing="on").hash() == QUICK.hash()
    assert learned(checkpointing="on") == same, "computing again changes nothing"


def test_a_file_holds_a_motion_and_is_found_by_its_hash(motion, tmp_path):
    told = dataclasses.replace(motion, report={**motion.report, "hash": "0123456789abcdef"})
    path = tmp_path / "slide.safetensors"
    path.write_bytes(learned_motion_bytes(told))
    assert [*files_with_hash(tmp_path, "0123456789abcdef", hash_of_learning)] == [path]
    assert [*files_with_hash(tmp_path, "0123456789abcdee", hash_of_learning)] == []
    read = load_learned_motion(path)
    assert (read.file, read.frames, read.where, read.caption) == ("slide", FRAMES, motion.where, motion.caption)
    assert read.layers.shape == LayerShape(8, centred=True)
    for name, tensor in read.layers.state_dict().items():
        assert torch.allclose(tensor, motion.layers.state_dict()[name], atol=1e-3)
    save_motion(motion.layers, tmp_path / "world.safetensors", {"steps": 3})
    with pytest.raises(SealError, match="was not learned from an example"):
        load_learned_motion(tmp_path / "world.safetensors")


def test_what_a_centred_layer_adds_sums_to_zero_over_the_real_frames(host):
    site = host.sites()[0]
    layer = InsertedLayer("attention", 16, LayerShape(4, centred=True))
    torch.nn.init.normal_(layer.out.weight)
    tokens = torch.randn(2 * FRAMES, 9, 16, generator=torch.Generator().manual_seed(0))
    sigma, known = torch.ones(2, FRAMES), torch.zeros(2, FRAMES, dtype=torch.bool)
    added = layer(tokens, ClipPass(sigma, known, None, 3, 3), site).view(2, FRAMES, 9, 16)
    assert added.abs().amax() > 0.01 and added.mean(1).abs().amax() < 1e-6
    real = torch.tensor([[True, True, True, False], [True] * 4])
    added = layer(tokens, ClipPass(sigma, known, real, 3, 3), site).view(2, FRAMES, 9, 16)
    assert added[0, :3].mean(0).abs().amax() < 1e-6 < added[0].mean(0).abs().amax()


def test_a_window_and_a_strength_of_zero_switch_the_layers_off(host, motion):
    with torch.no_grad():
        context = repeated(host.encode([Prompt("a dog")], {}), FRAMES)
        x = 3 * torch.randn(FRAMES, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(1))
        early, late = (torch.full((FRAMES,), float(host.sigmas[i])) for i in (800, 100))

        def drawn(sigma, **acting):
            acting = Acting.within(motion.where, host.sigmas, **acting)
            return clip_host(host, motion.layers, FRAMES, acting=acting).denoise(x, sigma, context)

        assert not torch.equal(drawn(early), host.denoise(x, early, context))
        assert torch.equal(drawn(late), host.denoise(x, late, context)), "30 % of the cleanest levels are the model's"
        assert torch.equal(drawn(early, strength=0.0), host.denoise(x, early, context))
        steps = []
        draw_clips(
            host,
            motion.layers,
            context,
            FRAMES,
            side=SIZE,
            steps=2,
            cfg=2.0,
            seed=0,
            on_step=lambda *a: steps.append(a),
        )
        assert len(steps) == 2


def test_a_learning_goes_on_and_ends_early_and_refuses_other_layers(host, example, motion):
    further = learn_motion(host, example, dataclasses.replace(QUICK, steps=2), resume=motion)
    changed = [n for n, t in further.layers.state_dict().items() if not torch.equal(t, motion.layers.state_dict()[n])]
    assert changed
    with pytest.raises(SealError, match="resume: its layers are of another kind"):
        learn_motion(host, example, dataclasses.replace(QUICK, inner=4), resume=motion)

    def stop(step, steps, losses):
        if step == 3:
            raise StopTraining

    stopped = learn_motion(host, example, QUICK, stop)
    assert stopped.report["stopped"] == 3 and len(stopped.report["losses"]) == 3


def test_only_allowed_sites_get_layers(host, example):
    up = learn_motion(host, example, dataclasses.replace(QUICK, steps=1, layers=Layers("up", 0.0, 0.5)))
    assert up.report["sites"] and all(name.startswith("up.") for name in up.report["sites"])
    assert up.where == Layers("up", 0.0, 0.5)
    with pytest.raises(SealError, match=r"^layers: "):
        learn_motion(host, example, dataclasses.replace(QUICK, layers=Layers("up.77")))
    assert MotionLayers.of_sites("sti", host.sites(), "up", shape=LayerShape(4)).shape == LayerShape(4, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"layer": "none"}, "layer"),
        ({"given": 2.0}, "given"),
        ({"frames": 1}, "frames"),
        ({"recolour": -0.1}, "recolour"),
        ({"inner": -1}, "inner"),
        ({"resolution": 8}, "resolution"),
    ],
)
def test_settings_out_of_range_are_refused(changes, words):
    with pytest.raises(SealError, match=f"^{words}: "):
        dataclasses.replace(QUICK, **changes)


@pytest.mark.parametrize("family", KINDS)
def test_every_family_learns(family):
    host = DiffusersHost(tiny_pipe(family))
    example = example_clip(sliding(FRAMES, 64), None, "a cat", frames=FRAMES, resolution=64)[0]
    learned = learn_motion(host, example, dataclasses.replace(QUICK, steps=2, resolution=64))
    assert all(layer.out.weight.abs().sum() > 0 for layer in learned.layers.layers.values())
    names = [name for name, _ in learned.layers.widths]
    assert len(names) < len(host.sites()) if family == "sdxl" else len(names) == len(host.sites())
