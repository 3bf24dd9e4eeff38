"""The inputs that both nodes for attribute prompts have."""

from __future__ import annotations

from ..seal_core.prompts.attributes import attribute_schema, default_template
from .comfy.api import io

SEARCH = ("sticker", "character", "emotion", "action", "pose", "style", "background", "prompt builder", "seal")


def concept_input() -> io.Input:
    return io.String.Input(
        "concept",
        default="embedding:my-sticker",
        tooltip="Who is on the sticker: embedding:NAME (wire the `name` output of SEAL Train Embedding or SEAL Load "
        "Embedding), the concept's name for SEAL Text Encode, or plain words.",
    )


def attribute_inputs() -> list[io.Input]:
    """One text input for each of the six attributes."""
    return [
        io.String.Input(
            attribute.name,
            default="",
            tooltip=f"{attribute.label}: {attribute.description} E.g. {', '.join(attribute.suggestions[:3])}. "
            "Empty = not mentioned.",
            # js/suggestions.js reads these; ComfyUI passes unknown options on to the front end.
            extra_dict={"suggestions": list(attribute.suggestions)},
        )
        for attribute in attribute_schema().values()
    ]


def ending_inputs() -> list[io.Input]:
    """`extra` words and the `template`."""
    return [
        io.String.Input("extra", default="", tooltip="More words at the end, e.g. thick white border."),
        io.String.Input(
            "template",
            default=default_template(),
            multiline=True,
            # Otherwise the front end may read the braces as random choices.
            dynamic_prompts=False,
            tooltip="How the words are joined. In braces: {concept}, the six attributes, {extra}. A part between "
            "commas goes when everything in its braces is empty. Empty = the default.",
        ),
    ]
