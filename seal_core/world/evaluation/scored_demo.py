"""`python -m seal_core.world demo`: the demo, with the judges' scores of each method's pictures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ...cli.demo import demo_command, demo_options
from ...demo.attribute_values import PLAIN_BACKGROUNDS, VALUES
from ...demo.comparison import Column, Subject
from ..judges.judge_networks import Judges
from .trial_kit import Judge

add_options = demo_options


class JudgeScores:
    """A scorer for the demo. samples: pictures of each prompt; more give steadier scores."""

    def __init__(self, judges: Judge, samples: int = 4) -> None:
        self._judges, self.samples = judges, samples

    def __call__(self, subject: Subject, columns: Sequence[Column], images: Tensor) -> tuple[dict[str, Any], str]:
        """Scores of images (len(columns) * samples, H, W, 3), and the same in words.

        obeyed: share of varied attributes that came out as asked. likeness: mean similarity to the reference, -1 to 1.
        leaked: share of pictures with the reference's background where the prompt names none; None if that background
        is plain or unknown.
        """
        found = self._judges.classify(images)
        asked = [columns[i // self.samples] for i in range(len(images))]

        def seen(attribute: str, i: int) -> str:
            return VALUES[attribute][int(found[attribute][i].argmax())]

        obeyed = [seen(c.varied, i) == c.values[c.varied] for i, c in enumerate(asked) if c.varied]
        target = self._judges.identity(subject.reference.image[None])
        background, leaked = subject.attributes.get("background", ""), None
        if background in VALUES["background"] and background not in PLAIN_BACKGROUNDS:
            shown = [seen("background", i) == background for i, c in enumerate(asked) if "background" not in c.values]
            leaked = round(sum(shown) / len(shown), 3)
        scores = {
            "obeyed": round(sum(obeyed) / len(obeyed), 3),
            "likeness": round(float((self._judges.identity(images) @ target.T).mean()), 3),
            "leaked": leaked,
        }
        return scores, scores_in_words(scores)


def scores_in_words(scores: Mapping[str, Any]) -> str:
    """ "obeys 80%, likeness 0.91, leaks 5%"."""
    words = f"obeys {scores['obeyed']:.0%}, likeness {scores['likeness']:.2f}"
    return words if scores["leaked"] is None else f"{words}, leaks {scores['leaked']:.0%}"


def run(options: argparse.Namespace) -> None:
    """The demo with the shipped judges. Raises SealError."""
    demo_command(options, JudgeScores(Judges.load()))
