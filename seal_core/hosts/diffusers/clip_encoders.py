"""The CLIP text encoders of a diffusers pipeline, with learned vectors among the token embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from ...messages import SealError
from ..base import Family, Prompt, Vectors

_FAMILIES = {(768,): "sd1", (1024,): "sd2", (768, 1280): "sdxl"}

Places = dict[str, tuple[int, ...]]
"""Slot -> the positions where its vectors stand."""


class TextEncoder:
    """One tokenizer and text model. name: clip_l, clip_h or clip_g, as ComfyUI calls them."""

    def __init__(self, name: str, tokenizer: Any, model: Any) -> None:
        self.name, self.tokenizer, self.model = name, tokenizer, model
        self.max_tokens = min(int(tokenizer.model_max_length), model.config.max_position_embeddings)
        end = model.config.eos_token_id
        # Old configs say 2, and transformers then takes the highest id for the end of the text.
        self._pooling_id = tokenizer.eos_token_id if end == 2 else end

    @property
    def table(self) -> Tensor:
        """(V, width) float32 token embeddings."""
        return self.model.get_input_embeddings().weight.detach()

    @property
    def width(self) -> int:
        return int(self.table.shape[1])

    @property
    def layers(self) -> list[Any]:
        """Its transformer layers in order."""
        return [module for module in self.model.modules() if isinstance(module, CLIPEncoderLayer)]

    def ids(self, text: str) -> list[int]:
        """Token ids without start and end.

        Special tokens are not looked for in the text: SD 2.x and SDXL pad with "!", which must stay
        an exclamation mark where somebody writes one (as in ComfyUI).
        """
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def layout(self, prompt: Prompt, vectors: Vectors, length: int) -> tuple[list[int], int, Places]:
        """(ids of `length` positions, position of the end token, slot -> positions) of one prompt.

        The start token stands in for learned vectors. Raises SealError when the prompt does not fit.
        """
        ids = [self.tokenizer.bos_token_id]
        places: Places = {}
        for piece, is_slot in prompt.pieces():
            if not is_slot:
                ids += self.ids(piece)
                continue
            if piece not in vectors:
                raise SealError(f"prompts: {{{piece}}} in {prompt.text!r} stands for nothing; write it without braces.")
            count = vectors[piece][self.name].shape[0]
            places[piece] = (*places.get(piece, ()), *range(len(ids), len(ids) + count))
            ids += [self.tokenizer.bos_token_id] * count
        end = len(ids)
        if end + 1 > length:
            raise SealError(
                f"prompts: {prompt.text!r} makes {end + 1} tokens, start and end included; the text encoder reads "
                f"{length}. Shorten the prompt."
            )
        ids += [self.tokenizer.eos_token_id]
        return ids + [self.tokenizer.pad_token_id] * (length - len(ids)), end, places

    def run(
        self, prompts: Sequence[Prompt], vectors: Vectors, length: int, penultimate: bool
    ) -> tuple[Tensor, Tensor | None, tuple[Places, ...]]:
        """(B, length, width) float32, the pooled vector (B, P) if the model projects one, and positions.

        penultimate: the last layer but one without the final norm, instead of the last one with it.
        """
        device = self.table.device
        ids, ends, places = zip(*(self.layout(p, vectors, length) for p in prompts))
        embedded = self.table[torch.tensor(ids, device=device)].float()
        for row, slots in enumerate(places):
            for slot, at in slots.items():
                learned = vectors[slot][self.name].to(device, torch.float32)
                index = torch.tensor(at, device=device)
                embedded[row, index] = learned.repeat(len(at) // len(learned), 1)
        # What the model sees of the ids is only where the text ends, for pooling.
        marks = torch.zeros(len(ids), length, dtype=torch.long, device=device)
        marks[range(len(ends)), list(ends)] = self._pooling_id
        hook = self.model.get_input_embeddings().register_forward_hook(lambda module, args, output: embedded)
        try:
            output = self.model(input_ids=marks, output_hidden_states=penultimate)
        finally:
            hook.remove()
        cross = output.hidden_states[-2] if penultimate else output.last_hidden_state
        return cross.float(), getattr(output, "text_embeds", None), tuple(places)


def text_encoders(pipe: Any, own: Callable[[Any], Any]) -> list[TextEncoder]:
    """The pipeline's encoders in the order in which their outputs are concatenated.

    own: makes a module ready for the host. Raises SealError for other text encoders (T5, ChatGLM) and
    for SDXL's refiner.
    """
    first, second = getattr(pipe, "text_encoder", None), getattr(pipe, "text_encoder_2", None)
    if first is None and second is not None:
        raise SealError("model: this is SDXL's refiner, which lacks the first text encoder; use the base model.")
    if not isinstance(first, CLIPTextModel | CLIPTextModelWithProjection):
        raise SealError(
            f"model: its text encoder is {type(first).__name__}, not CLIP. SEAL learns token embeddings of the CLIP "
            "encoders of SD 1.x, SD 2.x and SDXL; use such a model."
        )
    if second is None:
        model = own(first)
        name = "clip_h" if model.config.hidden_size == 1024 else "clip_l"
        return [TextEncoder(name, pipe.tokenizer, model)]
    if not isinstance(second, CLIPTextModelWithProjection):
        raise SealError(f"model: its second text encoder is {type(second).__name__}, not CLIP; use an SDXL model.")
    return [
        TextEncoder("clip_l", pipe.tokenizer, own(first)),
        TextEncoder("clip_g", pipe.tokenizer_2, own(second)),
    ]


def text_family(encoders: Sequence[TextEncoder]) -> Family:
    """sd1, sd2 or sdxl by the widths of the encoders, "custom" for others."""
    widths = tuple((e.name, e.width) for e in encoders)
    return Family(_FAMILIES.get(tuple(w for _, w in widths), "custom"), widths)
