"""The probe: what was learned of the subject, and of its ground."""

import pytest
import torch
from quick import quick, reference
from tiny import tiny_pipe

from seal_core.hosts.diffusers.host import DiffusersHost
from seal_core.method.probe import ELSEWHERE, Look, gains, gains_in_words
from seal_core.method.references import Reference
from seal_core.method.training import Training


@pytest.fixture(scope="module")
def host():
    return DiffusersHost(tiny_pipe("sd1"))


def a_look(subject, ground):
    return Look(torch.zeros(1, 1), 0.5, subject, ground)


def test_gains_by_hand():
    found = gains(a_look(0.5, 0.4), a_look(0.3, 0.44))
    assert found["subject"] == {"before": 0.5, "after": 0.3, "gain": 0.4}
    assert found["ground"] == {"before": 0.4, "after": 0.44, "gain": -0.1}
    assert gains_in_words(found) == ("restores the subject elsewhere 40 % better, the sticker's own ground 10 % worse")
    assert gains(a_look(0.0, 0.0), a_look(0.0, 0.0))["ground"]["gain"] == 0.0


def test_a_look_moves_nothing_and_sees_the_same_each_time(host):
    run = Training(host, [reference()], quick("best"))
    drawn = [e.noise for e in run.examples.next(4).examples]
    first, again = run.probe.look(), run.probe.look()
    assert torch.equal(first.attention, again.attention) and (first.subject, first.ground) == (
        again.subject,
        again.ground,
    )
    assert len(run.probe._examples.views) == 1 + ELSEWHERE
    other = Training(host, [reference()], quick("best"))
    for _ in range(2):
        other.probe.look()
    assert all(torch.equal(a, e.noise) for a, e in zip(drawn, other.examples.next(4).examples))


def test_the_two_sides_are_told_apart(host):
    """An error of the prediction on the reference's ground shows in `ground` alone."""
    run = Training(host, [reference()], quick("textual_inversion"))
    clean = run.probe.look()
    mask, denoise, seen = run.probe._examples.masks[0], run.step.denoise, []

    def spoiled(batch, *given):
        seen.append(batch)
        x_0 = denoise(batch, *given)
        return x_0 + 10.0 * (1 - mask) if len(seen) == 1 else x_0  # the first pass shows the reference

    run.step.denoise = spoiled
    found = run.probe.look()
    assert found.subject == clean.subject and found.ground > 2 * clean.ground
    assert len(seen) == 1 + ELSEWHERE


@pytest.mark.parametrize(("filled", "subject", "ground"), [(0.0, False, True), (1.0, True, False)])
def test_a_mask_with_one_side_only(host, filled, subject, ground):
    given = Reference(reference().image, torch.full_like(reference().mask, filled))
    found = Training(host, [given], quick("textual_inversion")).probe.look()
    assert (found.subject > 0) == subject and (found.ground > 0) == ground
