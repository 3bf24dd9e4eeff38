"""Compiled code rests while hooks hang on a model, also where the blocks of two threads overlap."""

from __future__ import annotations

import pytest
import torch

from seal_core.hosts.uncompiled import uncompiled


@pytest.fixture
def compiled():
    """(a compiled function, the passes that its compiled code ran)."""
    ran = []

    def backend(graph, inputs):
        def run(*args):
            ran.append(1)
            return graph(*args)

        return run

    torch._dynamo.reset()
    yield torch.compile(lambda x: x + 1, backend=backend), ran
    torch._dynamo.reset()


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="torch before 2.6")
def test_the_last_of_several_overlapping_blocks_lets_compiled_code_run_again(compiled):
    function, ran = compiled
    one, other = uncompiled(), uncompiled()
    one.__enter__()
    other.__enter__()
    function(torch.ones(1))
    one.__exit__(None, None, None)
    function(torch.ones(1))
    assert not ran, "another thread's hooks still hang there"
    other.__exit__(None, None, None)
    function(torch.ones(1))
    assert ran


def test_an_exception_ends_the_block(compiled):
    function, ran = compiled
    with pytest.raises(ZeroDivisionError), uncompiled():
        1 / 0  # noqa: B018
    function(torch.ones(1))
    assert ran
