"""Nodes that write prompts from the six sticker attributes."""

from __future__ import annotations

import json

from ..seal_core.prompts.attribute_prompt import attribute_prompt
from ..seal_core.prompts.attribute_sweep import sweep_prompts
from ..seal_core.prompts.attributes import ATTRIBUTES, attribute_schema, default_template
from .comfy.api import io
from .schema import inputs_checked, schema

OFF = "none"
_SEARCH = ["sticker", "emotion", "action", "pose", "style", "background", "prompt builder", "seal"]


def _concept() -> io.Input:
    return io.String.Input(
        "concept",
        default="embedding:my-sticker",
        tooltip="The subject: embedding:NAME (wire the `name` output of SEALTrainEmbedding or SEALLoadEmbedding), "
        "the concept's name for SEALTextEncode, or plain words.",
    )


def _attributes() -> list[io.Input]:
    return [
        io.String.Input(
            attribute.name,
            default="",
            tooltip=f"{attribute.label}: {attribute.description} E.g. {', '.join(attribute.suggestions[:3])}. "
            "Empty = not mentioned.",
            # Read by js/suggestions.js; ComfyUI passes unknown options on to the front end.
            extra_dict={"suggestions": list(attribute.suggestions)},
        )
        for attribute in attribute_schema().values()
    ]


def _ending() -> list[io.Input]:
    return [
        io.String.Input("extra", default="", tooltip="More words at the end, e.g. thick white border."),
        io.String.Input(
            "template",
            default=default_template(),
            multiline=True,
            # The front end would otherwise be free to read braces as random choices.
            dynamic_prompts=False,
            tooltip="How the words are put together. Places: {concept}, the six attributes' names, {extra}. "
            "A part between commas whose places are all empty is left out. Empty = the default.",
        ),
    ]


class StickerAttributePrompt(io.ComfyNode):
    """Six attributes -> prompt, negative prompt and JSON."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="StickerAttributePrompt",
            display_name="Sticker Attribute Prompt",
            category="SEAL/stickers",
            description="Write a sticker's prompt from six attributes: appearance, emotion, action, camera "
            "composition, style, background. Its JSON also tells SEALTrainEmbedding what is known of the reference.",
            search_aliases=_SEARCH,
            inputs=[_concept(), *_attributes(), *_ending()],
            outputs=[
                io.String.Output("prompt", tooltip="The prompt, for CLIPTextEncode or SEALTextEncode."),
                io.String.Output("negative", tooltip="A negative prompt without words that the prompt asks for."),
                io.String.Output(
                    "attributes", tooltip="The attributes that are set, as JSON, e.g. for `reference_attributes`."
                ),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        concept: str,
        appearance: str,
        emotion: str,
        action: str,
        camera: str,
        style: str,
        background: str,
        extra: str,
        template: str,
    ) -> io.NodeOutput:
        made = attribute_prompt(
            concept, appearance, emotion, action, camera, style, background, extra=extra, template=template
        )
        return io.NodeOutput(made.prompt, made.negative, json.dumps(made.attributes, ensure_ascii=False))


class SEALStickerAttributeSweep(io.ComfyNode):
    """One or two attributes with many values -> a list of prompts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerAttributeSweep",
            display_name="Sticker Attribute Sweep",
            category="SEAL/stickers",
            description="Write one prompt for every value of an attribute, or for every pair of values of two, "
            "so that one queue fills an image grid.",
            search_aliases=[*_SEARCH, "grid", "xy plot", "batch prompts"],
            inputs=[
                _concept(),
                *_attributes(),
                io.Combo.Input(
                    "attribute_1",
                    options=list(ATTRIBUTES),
                    default="emotion",
                    tooltip="The attribute that varies; its field above is not used. It changes from row to row.",
                ),
                io.String.Input(
                    "values_1",
                    default="happy\nsad\nangry\nsurprised",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="Its values, one a line.",
                    extra_dict={"suggestions_of": "attribute_1"},
                ),
                io.Combo.Input(
                    "attribute_2",
                    options=[OFF, *ATTRIBUTES],
                    default=OFF,
                    tooltip="A second one, combined with every value of the first; it changes from column to column.",
                ),
                io.String.Input(
                    "values_2",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="Its values, one a line; not used while attribute_2 is none.",
                    extra_dict={"suggestions_of": "attribute_2"},
                ),
                *_ending(),
            ],
            outputs=[
                io.String.Output("prompts", is_output_list=True, tooltip="The prompts, row by row."),
                io.String.Output(
                    "labels", is_output_list=True, tooltip="What varies in each prompt, e.g. for SaveImage's file name."
                ),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(
        cls,
        concept: str,
        appearance: str,
        emotion: str,
        action: str,
        camera: str,
        style: str,
        background: str,
        attribute_1: str,
        values_1: str,
        attribute_2: str,
        values_2: str,
        extra: str,
        template: str,
    ) -> io.NodeOutput:
        base: dict[str, str] = dict(zip(ATTRIBUTES, (appearance, emotion, action, camera, style, background)))
        axes = [(attribute_1, values_1.splitlines())]
        if attribute_2 != OFF:
            axes.append((attribute_2, values_2.splitlines()))
        return io.NodeOutput(*sweep_prompts(concept, base, axes, extra=extra, template=template))


NODES = [StickerAttributePrompt, SEALStickerAttributeSweep]
