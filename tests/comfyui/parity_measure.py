"""What both sides of the parity test measure. Imports nothing of SEAL: the two sides name the package differently."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def batches(run: Any, count: int, merge_after: int | None) -> tuple[dict[str, Tensor], list[list[str]]]:
    """Losses and gradients of the first `count` batches of a training, without updating the vectors.

    Tensors by name ("0.loss", "0.grad.1", "0.noise", ...), and the prompts of each batch. After batch
    number `merge_after` the split tokens merge.
    """
    found = {f"mask.{i}": mask for i, mask in enumerate(run.examples.masks)}
    prompts = []
    for n in range(count):
        batch = run.examples.next(run.config.batch_size)
        prompts.append([prompt.text for prompt in batch.prompts])
        found[f"{n}.noise"] = batch.noise
        found[f"{n}.timestep"] = torch.tensor([each.timestep for each in batch.examples])
        found[f"{n}.view"] = torch.tensor([each.view for each in batch.examples])
        loss, terms = run.step.loss(batch)
        loss.backward()
        found[f"{n}.loss"] = loss
        found |= {f"{n}.term.{name}": torch.tensor(value) for name, value in terms.items()}
        for i, parameter in enumerate(run.learned.parameters()):
            found[f"{n}.vectors.{i}"] = parameter
            if parameter.grad is not None:  # not every prompt has the context token
                found[f"{n}.grad.{i}"] = parameter.grad
            parameter.grad = None
        if n == merge_after:
            run.learned.merge()
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}, prompts


def single_pass(
    run: Any, tap: Any, latents: Tensor, timesteps: list[int]
) -> tuple[dict[str, Tensor], list[dict[str, list[int]]]]:
    """Contexts, denoised latents at the timesteps and attention of every site in one pass, and the token positions."""
    prompts = [run.examples.prompt(0, template) for template in run.config.templates[: len(timesteps)]]
    generator = torch.Generator().manual_seed(11)
    noise = torch.randn(len(prompts), *latents.shape, generator=generator)
    sigma = run.host.sigmas[timesteps]
    sites = run.host.sites()
    with torch.no_grad(), tap(sites) as maps:
        plain = run.step.plain(prompts)
        learned = run.learned.encode(prompts, plain, look=True)
        denoised = run.host.denoise(run.host.add_noise(latents.expand_as(noise), noise, sigma), sigma, learned)
        found = {"plain": plain.cross, "learned": learned.cross, "denoised": denoised, "sigmas": run.host.sigmas}
        found |= {f"attention.{site.name}": maps.probabilities(site) for site in sites}
    if plain.pooled is not None:
        found["pooled"] = plain.pooled
    positions = [{slot: list(at) for slot, at in row.items()} for row in learned.positions]
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}, positions


def site_table(host: Any) -> list[list[Any]]:
    """Name, scale, heads and map sizes of every site, in order."""
    sizes = ((8, 16), (9, 11), (64, 64))
    return [[s.name, s.scale, s.heads, [list(s.map_size(*size)) for size in sizes]] for s in host.sites()]


def first_change(run: Any) -> dict[str, Any]:
    """Where the U-Net's activations first change when all learned vectors do.

    Every layer's output is recorded in the order of computing. `before`: how many are bit-equal before
    the first that is not, `first`: that one's name, `layers`: how many there are.
    """
    batch = run.examples.next(1)
    one = _activations(run, batch)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in run.learned.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    two = _activations(run, batch)
    assert [name for name, _ in one] == [name for name, _ in two]
    changed = [i for i, (a, b) in enumerate(zip(one, two)) if not torch.equal(a[1], b[1])]
    first = changed[0] if changed else len(one)
    return {"before": first, "first": one[first][0] if changed else "", "layers": len(one)}


def _activations(run: Any, batch: Any) -> list[tuple[str, Tensor]]:
    seen: list[tuple[str, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda m, args, output, name=name: seen.append((name, output.clone())))
        for name, module in run.host.unet.named_modules()
        if not list(module.children())
    ]
    try:
        with torch.no_grad():
            run.step.loss(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return seen
