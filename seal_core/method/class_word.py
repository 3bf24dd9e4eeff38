"""The class word's contexts: what every site reads that the concept may not enter."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..hosts.base import Context, Host, Prompt, stack_contexts
from ..prompts.training_prompt import with_class_word


class ClassWordContexts:
    """Contexts of prompts with the class word in the concept's place; each prompt is encoded once, without gradient."""

    def __init__(self, host: Host, class_word: str, known: dict[Prompt, Context]) -> None:
        """known: contexts that were encoded before, by their prompt; new ones are added."""
        self._host, self._class_word, self._known = host, class_word, known

    @torch.no_grad()
    def __call__(self, prompts: Sequence[Prompt]) -> Context:
        """One row a prompt."""
        worded = [with_class_word(p, self._class_word) for p in prompts]
        for prompt in worded:
            if prompt not in self._known:
                self._known[prompt] = self._host.encode([prompt], {})
        return stack_contexts([self._known[p] for p in worded])
