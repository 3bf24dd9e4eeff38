"""SEALLoadEmbedding: a learned concept from disk."""

from __future__ import annotations

from typing import Any

from ..seal_core.concept.concept import Embedding
from ..seal_core.concept.concept_file import load_concept
from ..seal_core.concept.concept_stack import about, in_folder_of, name_in_prompts, stacked
from .comfy.api import io
from .comfy.folders import found_or_why, listed_concepts, path_of_concept
from .input_checks import inputs_checked
from .schema import EmbeddingType, schema


class SEALLoadEmbedding(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALLoadEmbedding",
            display_name="SEAL Load Embedding",
            category="SEAL",
            description="Load a learned concept: one trained with SEAL, or any Textual Inversion file. "
            "Chain several through `previous` to use them in one prompt.",
            search_aliases=["textual inversion", "load concept", "sticker embedding", "character", "load character"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=listed_concepts(),
                    tooltip="A file in models/embeddings, or a HiPer tail in models/seal_tails.",
                ),
                io.String.Input(
                    "class_word",
                    default="",
                    optional=True,
                    tooltip="What it shows, e.g. cat. Needed for files not made with SEAL; empty = as trained.",
                ),
                EmbeddingType.Input(
                    "previous", optional=True, tooltip="Concepts loaded before. This one joins them (same base model)."
                ),
            ],
            outputs=[
                EmbeddingType.Output("embedding", tooltip="The concept, after those of `previous`."),
                io.String.Output("name", tooltip="embedding:NAME for any text encode node; empty for a HiPer tail."),
                io.String.Output("info", tooltip="What it is, how prompts name it and how it was trained."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(cls, name: str, class_word: str = "", previous: Embedding | None = None) -> io.NodeOutput:
        concept = in_folder_of(name, load_concept(path_of_concept(name), class_word=class_word))
        embedding = stacked(previous, concept)
        concept = embedding.concepts[-1]
        return io.NodeOutput(embedding, name_in_prompts(concept), about(concept))

    @classmethod
    def validate_inputs(cls, name: str | None) -> bool | str:
        return found_or_why(path_of_concept, name)

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_: Any) -> Any:
        files = {each: path_of_concept(each).stat() for each in ([name] if name is not None else listed_concepts())}
        return [[each, stat.st_mtime_ns, stat.st_size] for each, stat in files.items()]


NODES = [SEALLoadEmbedding]
