"""Low-rank weights of learned concepts on a ComfyUI MODEL.

Where a concept acts during all of the sampling its weights become a patch, as Load LoRA makes one of the same file:
the pictures are equal bit for bit. Within a time window they are added to the layers' outputs in each pass that lies in
it, which no patch of weights can do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import comfy.sd
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....seal_core.concept.concept import Concept, Embedding
from ....seal_core.concept.lora_file import weights_tensors
from ....seal_core.concept.low_rank import added, layers_named
from ....seal_core.messages import log_warning
from ..unet_sites import unet_sites
from .plan import noise_level, window_of, within
from .route import KEY

WEIGHTS = f"{KEY}_weights"
"""In a MODEL's model_options: names of the concepts whose weights it has. Of the wrappers that add weights. In a
conditioning: name -> a layer with weights, of the concepts that its prompt names."""


def with_weights(model: Any, embedding: Embedding, strength: float) -> Any:
    """A clone of a ComfyUI MODEL with the weights of all concepts that have any; without any, the MODEL itself.

    Concepts whose weights it has already are left out, with a warning. Raises SealError where the model lacks a layer.
    """
    for concept in embedding.concepts:
        if not concept.weights or strength == 0:
            continue
        layers_named(unet_sites(model.model.diffusion_model), list(concept.weights))
        has = model.model_options.get(WEIGHTS, ())
        if concept.name in has:
            log_warning("SEAL: the model has the weights of %s already; they are not added twice.", concept.name)
            continue
        if (concept.layers.start_percent, concept.layers.end_percent) == (0.0, 1.0):
            model, _ = comfy.sd.load_lora_for_models(model, None, weights_tensors(concept.weights), strength, 0.0)
        else:
            model = _timed(model, concept, strength)
        model.model_options[WEIGHTS] = (*has, concept.name)
    return model


def _timed(model: Any, concept: Concept, strength: float) -> Any:
    """A clone that adds the weights in the passes that lie within the concept's time window."""

    def outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
        guider = executor.class_obj
        device = guider.model_patcher.load_device
        pairs = [(pair.down.to(device), pair.up.to(device)) for pair in concept.weights.values()]
        guider.model_options["transformer_options"][key] = pairs
        return executor(*args, **kwargs)

    def apply_model(
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Any = None,
        c_crossattn: Any = None,
        control: Any = None,
        transformer_options: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> Any:
        options, adding = transformer_options or {}, contextlib.ExitStack()
        sampling = executor.class_obj.model_sampling
        if key in options and within(window_of(concept.layers, sampling), noise_level(sampling, t, options)):
            # Of the model that runs this pass: with several cards each has its own.
            layers = layers_named(unet_sites(executor.class_obj.diffusion_model), list(concept.weights))
            adding.enter_context(added([(layer, *pair) for layer, pair in zip(layers, options[key])], strength))
        with adding:
            return executor(x, t, c_concat, c_crossattn, control, options, **rest)

    key = f"{WEIGHTS}_{concept.name}"
    model = model.clone()
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, key, outer_sample)
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, key, apply_model)
    return model


def weights_named(concepts: Sequence[Concept]) -> dict[str, str]:
    """What a conditioning says under WEIGHTS: the concepts that need weights, each with one of the layers."""
    return {c.name: next(iter(c.weights)) for c in concepts if c.weights}


def warn_of_lacking(model: Any, model_options: Mapping[str, Any], conds: Sequence[Mapping[str, Any]]) -> None:
    """Warn where a prompt names a concept whose weights the MODEL has neither from us nor from a LoRA loader."""
    named = {name: layer for cond in conds for name, layer in cond.get(WEIGHTS, {}).items()}
    ours = model_options.get(WEIGHTS, ())
    for name in sorted(named.keys() - set(ours)):
        unet = model.model.diffusion_model
        layer = layers_named(unet_sites(unet), [named[name]])[0]
        key = next(path for path, module in unet.named_modules() if module is layer)
        if len(model.patches.get(f"diffusion_model.{key}.weight", ())) <= len(ours):  # no more than ours: no LoRA
            log_warning(
                "SEAL: the model lacks the weights of %s, which the prompt names; wire its embedding into SEAL Apply "
                "Embedding, or bring its LoRA by Load LoRA.",
                name,
            )
