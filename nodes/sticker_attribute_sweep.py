"""SEALStickerAttributeSweep: one or two attributes with many values -> a list of prompts."""

from __future__ import annotations

from ..seal_core.prompts.attribute_sweep import sweep_prompts
from ..seal_core.prompts.attributes import ATTRIBUTES
from .attribute_inputs import SEARCH, attribute_inputs, concept_input, ending_inputs
from .comfy.api import io
from .input_checks import inputs_checked
from .schema import reads, schema
from .shared_inputs import STICKERS

OFF = "none"


class SEALStickerAttributeSweep(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALStickerAttributeSweep",
            display_name="SEAL Sticker Attribute Sweep",
            category=STICKERS,
            description="Write one prompt for each value of an attribute, or for each pair of values of two. One click "
            "on Run then draws a whole grid.",
            search_aliases=[*SEARCH, "grid", "xy plot", "batch prompts", "many stickers"],
            inputs=[
                concept_input(),
                *attribute_inputs(),
                io.Combo.Input(
                    "attribute_1",
                    options=list(ATTRIBUTES),
                    default="emotion",
                    tooltip="The attribute that changes from row to row. Its field above is not used.",
                ),
                _values("values_1", "happy\nsad\nangry\nsurprised", "Its values, one a line.", "attribute_1"),
                io.Combo.Input(
                    "attribute_2",
                    options=[OFF, *ATTRIBUTES],
                    default=OFF,
                    tooltip="A second attribute that changes from column to column, combined with each row.",
                ),
                _values("values_2", "", "Its values, one a line; not used while attribute_2 is none.", "attribute_2"),
                *ending_inputs(),
                io.Int.Input(
                    "only",
                    default=0,
                    min=0,
                    max=100_000,
                    optional=True,
                    extra_dict=reads((0, "all")),
                    tooltip="all (0): all prompts in one run; Cancel then loses all. 1, 2, ...: this prompt alone; "
                    "after the last the first again. Wire an Int set to increment and let Run repeat: what is done "
                    "stays.",
                ),
            ],
            outputs=[
                io.String.Output("prompts", is_output_list=True, tooltip="The prompts, row by row."),
                io.String.Output(
                    "labels",
                    is_output_list=True,
                    tooltip="What changes in each prompt: for Save Image's file name, SEAL Contact Sheet or SEAL Save "
                    "Sticker Pack.",
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
        only: int = 0,
    ) -> io.NodeOutput:
        base: dict[str, str] = dict(zip(ATTRIBUTES, (appearance, emotion, action, camera, style, background)))
        axes = [(attribute_1, values_1.splitlines())]
        if attribute_2 != OFF:
            axes.append((attribute_2, values_2.splitlines()))
        prompts, labels = sweep_prompts(concept, base, axes, extra=extra, template=template)
        chosen = slice(None) if only <= 0 else slice((only - 1) % len(prompts), (only - 1) % len(prompts) + 1)
        return io.NodeOutput(prompts[chosen], labels[chosen])


def _values(name: str, default: str, tooltip: str, attribute: str) -> io.Input:
    return io.String.Input(
        name,
        default=default,
        multiline=True,
        dynamic_prompts=False,
        tooltip=tooltip,
        extra_dict={"suggestions_of": attribute},
    )


NODES = [SEALStickerAttributeSweep]
