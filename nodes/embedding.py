"""Nodes that use learned concepts: load, encode, apply, route."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import folder_paths

from ..seal_core.concept.concept import Embedding
from ..seal_core.concept.concept_file import load_concept
from ..seal_core.concept.settings import Layers
from ..seal_core.files.safe_names import EMBEDDING_EXTENSIONS
from ..seal_core.messages import SealError, escaped_surrogates
from .comfy.api import io
from .comfy.encode import encode
from .comfy.folders import TAILS, tails_folder
from .comfy.routing import check_embedding, route_conditioning, routed
from .schema import EmbeddingType, LayersType, inputs_checked, schema


def listed() -> list[str]:
    """File names as the Load node shows them: those under models/embeddings, then seal_tails/NAME."""
    tails_folder()  # registers it
    tails = [name for name in folder_paths.get_filename_list(TAILS) if name.endswith(".safetensors")]
    return [*folder_paths.get_filename_list("embeddings"), *(f"{TAILS}/{name}" for name in tails)]


def find(name: str) -> Path:
    """The file of a listed name, also without its extension. Raises SealError where there is none."""
    tails_folder()
    folder, rest = (TAILS, name[len(TAILS) + 1 :]) if name.startswith(f"{TAILS}/") else ("embeddings", name)
    for extension in ("", *EMBEDDING_EXTENSIONS):
        path = folder_paths.get_full_path(folder, rest + extension)
        if rest and path is not None:
            return Path(path)
    raise SealError(f"name: {name!r} is not in models/embeddings or models/{TAILS}; press R and choose another.")


class SEALLoadEmbedding(io.ComfyNode):
    """A learned concept from disk."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALLoadEmbedding",
            display_name="SEAL Load Embedding",
            category="SEAL",
            description="Load a learned concept: one trained with SEAL, or any Textual Inversion file. "
            "Chain several through `previous` to use them in one prompt.",
            search_aliases=["textual inversion", "load concept", "sticker embedding"],
            inputs=[
                io.Combo.Input(
                    "name",
                    options=listed(),
                    tooltip="A file under models/embeddings, or a HiPer tail under models/seal_tails.",
                ),
                io.String.Input(
                    "class_word",
                    default="",
                    optional=True,
                    tooltip="What it shows, e.g. cat. Needed for files not made with SEAL; empty = as trained.",
                ),
                EmbeddingType.Input(
                    "previous", optional=True, tooltip="Concepts loaded before; this one joins them (same base model)."
                ),
            ],
            outputs=[
                EmbeddingType.Output("embedding", tooltip="The concept, after those of `previous`."),
                io.String.Output("name", tooltip="embedding:NAME for an ordinary text encode node; empty for a tail."),
                io.String.Output("info", tooltip="What it is, where it may enter and how it was trained."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(cls, name: str, class_word: str = "", previous: Embedding | None = None) -> io.NodeOutput:
        concept = load_concept(find(name), class_word=class_word)
        if concept.carrier == "input":  # files in subfolders are written embedding:FOLDER/NAME
            folder = PurePosixPath(name.replace("\\", "/")).parent
            concept = replace(concept, file=(folder / concept.file).as_posix())
        before = previous.concepts if previous else ()
        if concept.name in {c.name for c in before} and concept.file not in {c.file for c in before}:
            concept = replace(concept, name=f"<{concept.file}>")  # two stickers trained under the default name
        embedding = Embedding((*before, concept))
        in_prompt = f"embedding:{concept.file}" if concept.carrier == "input" else ""
        told = {k: v for k, v in concept.provenance.items() if k not in ("report", "attention")}
        provenance = json.dumps(told, indent=2, sort_keys=True) if told else ""
        origin = f"Trained with SEAL:\n{provenance}" if provenance else "Not made with SEAL; it may enter everywhere."
        called = f"{concept.name} or {in_prompt}" if in_prompt else concept.name
        return io.NodeOutput(embedding, in_prompt, escaped_surrogates(f"{concept}\nIn prompts: {called}\n{origin}"))

    @classmethod
    def validate_inputs(cls, name: str | None) -> bool | str:
        """Instead of ComfyUI's look into the list, which may be older than the file. None: the name is wired."""
        try:
            return name is None or bool(find(name))
        except SealError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, name: str | None, **_: Any) -> Any:
        status = {each: find(each).stat() for each in ([name] if name is not None else listed())}
        return [[each, of.st_mtime_ns, of.st_size] for each, of in status.items()]


class SEALTextEncode(io.ComfyNode):
    """A prompt with learned concepts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTextEncode",
            display_name="SEAL Text Encode",
            category="SEAL",
            description="Encode a prompt in which learned concepts stand by name. With SEAL Apply Embedding on the "
            "model, each enters only the layers and times it was trained for; without, it acts as a plain embedding. "
            "A prompt without any concept is encoded as it is, with a warning in the log.",
            search_aliases=["prompt", "CLIP text encode", "concept prompt"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder of the base model that the concept was trained for."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="The prompt. The concept's name, e.g. <my-sticker>, or embedding:NAME stands where the "
                    "subject stands; weights such as (<my-sticker>:1.2) work. In ConditioningConcat, wire "
                    "it to conditioning_to, since only that one keeps its routing.",
                ),
                EmbeddingType.Input("embedding", tooltip="One or several learned concepts."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.05,
                    tooltip="0 = the plain class word, 1 = as learned (for a tail: HiPer's 0.8), above = exaggerated.",
                ),
            ],
            outputs=[io.Conditioning.Output("conditioning", tooltip="For a sampler's positive or negative input.")],
        )

    @classmethod
    @inputs_checked
    def execute(cls, clip: Any, text: str, embedding: Embedding, strength: float = 1.0) -> io.NodeOutput:
        return io.NodeOutput(encode(clip, text, embedding, strength))


class SEALApplyEmbedding(io.ComfyNode):
    """The layer restriction at generation."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALApplyEmbedding",
            display_name="SEAL Apply Embedding",
            category="SEAL",
            description="Let learned concepts enter only the layers and times that they were trained for (where the "
            "prompt comes from SEAL Text Encode or SEAL Route Conditioning). Applying it twice changes nothing.",
            search_aliases=["layer restriction", "patch model", "route conditioning"],
            inputs=[
                io.Model.Input("model", tooltip="An SD 1.x, SD 2.x or SDXL model; LoRAs and other patches stay."),
                EmbeddingType.Input(
                    "embedding", optional=True, tooltip="Where wired: checked to belong to this model, nothing else."
                ),
            ],
            outputs=[io.Model.Output("model", tooltip="The model with routing; the one wired in stays as it is.")],
        )

    @classmethod
    def execute(cls, model: Any, embedding: Embedding | None = None) -> io.NodeOutput:
        if embedding is not None:
            check_embedding(model, embedding)
        return io.NodeOutput(routed(model))


class SEALRouteConditioning(io.ComfyNode):
    """The layer restriction for any two prompts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALRouteConditioning",
            display_name="SEAL Route Conditioning",
            category="SEAL",
            description="Let one prompt into the chosen layers and times and another into all others, whatever encoded "
            "them. The model needs SEAL Apply Embedding; without it only the learned prompt counts.",
            search_aliases=["layer prompt", "per block prompt", "attention routing"],
            inputs=[
                io.Conditioning.Input("learned", tooltip="The prompt for the chosen layers: with the concept in it."),
                io.Conditioning.Input(
                    "plain",
                    tooltip="The prompt for all other layers: the same with the class word. Also gives the pooled "
                    "vector (SDXL), which reaches every layer.",
                ),
                LayersType.Input("layers", tooltip="Where and when `learned` may enter."),
            ],
            outputs=[io.Conditioning.Output("conditioning", tooltip="For a sampler's positive or negative input.")],
        )

    @classmethod
    def execute(cls, learned: list, plain: list, layers: Layers) -> io.NodeOutput:
        return io.NodeOutput(route_conditioning(learned, plain, layers))


NODES = [SEALLoadEmbedding, SEALTextEncode, SEALApplyEmbedding, SEALRouteConditioning]
