"""Shared by the routing checks with other packs and ComfyUI's nodes: models, prompts, and what sites read."""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import FOLDER, MODEL, NEGATIVE, TEXT, Log, Recorder, apply, concept, learned, plain, sample

# isort: split


import torch
from comfy.patcher_extension import WrappersMP
from seal_pack.seal_core.concept.concept_file import save_concept

save_concept(concept(), FOLDER, "x")
FULL = plain(TEXT.replace("<x>", "embedding:x"))[0][0][0]
WORD = plain(TEXT.replace("<x>", "cat"))[0][0][0]
OTHER = NEGATIVE[0][0][0]
ADDED = torch.randn(10, 64, generator=torch.Generator().manual_seed(9))


def wanted(site):
    return FULL if site in ("up.2", "up.3") else WORD


def wrapped(model, wrapper, kind=WrappersMP.DIFFUSION_MODEL):
    model = model.clone()
    model.add_wrapper_with_key(kind, "another pack", wrapper)
    return model


def both_orders(wrapper):
    """MODELs on which the wrapper runs before ours, and after."""
    return apply(wrapped(MODEL, wrapper)), wrapped(apply(), wrapper)


def changing(change):
    def wrapper(executor, x, timesteps, context, *rest, **kwargs):
        return executor(x, timesteps, change(context), *rest, **kwargs)

    return wrapper


def recorded(model, positive=None, warnings=0, **kwargs):
    """What the sites read and what was sampled, expecting `warnings` warnings."""
    with Log() as log, Recorder() as seen:
        result = sample(model, positive or learned(TEXT, concept()), **kwargs)
    assert len(log.lines) == warnings, log.lines
    return seen.contexts, result


def rows_are(read, make, site, times=1):
    """Whether every pass's rows are `make(context)` of the site's own and the negative's, `times` each."""
    for rows in read[site]:
        for context in (wanted(site), OTHER):
            assert sum(torch.equal(row, make(context)) for row in rows) == times, site
        assert len(rows) == 2 * times
