"""StickerAttributePrompt: six attributes -> prompt, negative prompt and JSON."""

from __future__ import annotations

import json

from ..seal_core.prompts.attribute_prompt import attribute_prompt
from .attribute_inputs import SEARCH, attribute_inputs, concept_input, ending_inputs
from .comfy.api import io
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import STICKERS


class StickerAttributePrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="StickerAttributePrompt",
            display_name="SEAL Sticker Attribute Prompt",
            category=STICKERS,
            description="Write a sticker's prompt from six attributes: appearance, emotion, action, camera, style, "
            "background. Its JSON also tells SEAL Train Embedding what the training sticker shows.",
            search_aliases=list(SEARCH),
            inputs=[concept_input(), *attribute_inputs(), *ending_inputs()],
            outputs=[
                io.String.Output("prompt", tooltip="The prompt, for SEAL Text Encode or CLIP Text Encode."),
                io.String.Output("negative", tooltip="A negative prompt that never forbids what the prompt asks for."),
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


NODES = [StickerAttributePrompt]
