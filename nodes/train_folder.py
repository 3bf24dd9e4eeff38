"""SEALTrainFolder: a concept from each picture of a folder or of a list, and an index of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..seal_core.batch.concept_names import concept_names
from ..seal_core.batch.folder_pictures import FolderPicture, folder_pictures
from ..seal_core.batch.index_page import to_check
from ..seal_core.messages import SealError
from ..seal_core.method.config import TrainConfig
from ..seal_core.method.configure import configure
from ..seal_core.method.presets import PRESETS
from ..seal_core.pictures.inputs import images_of, masks_for
from ..seal_core.pictures.picture_file import read_mask, read_picture
from .comfy.api import io
from .comfy.folder_run import GivenPicture, learn_folder
from .comfy.folders import folder_times, found_or_why, picture_folder, picture_folders
from .comfy.train_again import times_to_train_again
from .input_checks import inputs_checked
from .schema import ADVANCED, EmbeddingType, LayersType, TokensType, WeightsType, reads, schema
from .shared_inputs import checkpoint_inputs, polarity_input, preset_numbers, seed_input, training_resolution

WIRED = "pictures"
"""Name of the index of wired pictures."""


class SEALTrainFolder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALTrainFolder",
            display_name="SEAL Train Folder",
            category="SEAL",
            description="Learn a new word for the character on EACH picture of a folder, one file each, with an index "
            "page. After Cancel the next run goes on where it was; a bad picture stops no other.",
            search_aliases=["seal", "train folder", "batch training", "dataset", "many stickers", "characters", "bulk"],
            is_input_list=True,
            is_output_node=True,
            inputs=[*_required(), *_optional()],
            outputs=[
                EmbeddingType.Output("embedding", is_output_list=True, tooltip="One for each picture learned."),
                io.String.Output("name", is_output_list=True, tooltip="embedding:NAME of each, for prompts."),
                io.String.Output("index", tooltip="Path of the page with scores, warnings and masks to check."),
                io.String.Output("report", tooltip="JSON: a row for each picture, failed ones with the reason."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, folder: list[str] | None = None, **_: Any) -> Any:
        """Runs again where a file in the folder has changed, or a trained one was deleted."""
        return [*folder_times(folder[0] if folder else "input"), times_to_train_again(None)]

    @classmethod
    def validate_inputs(cls, folder: str | list[str] | None = None) -> bool | str:
        return found_or_why(picture_folder, folder[0] if isinstance(folder, list) else folder)

    @classmethod
    @inputs_checked
    def execute(
        cls,
        model: list[Any],
        clip: list[Any],
        vae: list[Any],
        folder: list[str],
        class_word: list[str],
        preset: list[str],
        steps: list[int],
        learning_rate: list[float],
        batch_size: list[int],
        resolution: list[int],
        seed: list[int],
        images: list[torch.Tensor] | None = None,
        masks: list[torch.Tensor] | None = None,
        names: list[str] | None = None,
        mask_polarity: Sequence[str] = ("auto",),
        tokens: Sequence[Any] = (None,),
        layers: Sequence[Any] = (None,),
        weights: Sequence[Any] = (None,),
    ) -> io.NodeOutput:
        def configure_one(one: FolderPicture) -> TrainConfig:
            return configure(
                preset[0],
                name=one.name,
                class_word=one.class_word,
                steps=steps[0],
                learning_rate=learning_rate[0],
                batch_size=batch_size[0],
                resolution=resolution[0],
                seed=seed[0],
                tokens=tokens[0],
                layers=layers[0],
                weights=weights[0],
                attributes=dict(one.attributes),
            )

        if images:
            pictures, title = _wired(images, masks or [], names or [], class_word), WIRED
        else:
            pictures, title = _of_folder(picture_folder(folder[0]), class_word[0]), folder[0].replace("/", "-")
        # ComfyUI runs nodes in inference mode, whose tensors autograd cannot use.
        with torch.inference_mode(False), torch.enable_grad():
            done = learn_folder(
                (model[0], clip[0], vae[0]), pictures, configure_one, preset[0], mask_polarity[0], title
            )
        rows = [asdict(row) for row in done.rows]
        said = [f"{len(done.embeddings)} of {len(rows)} pictures learned. Index: {done.page}"]
        said += [f"{row['picture']}: {row['error']}" for row in rows if row["error"]]
        if look := sum(map(to_check, rows)):
            said.append(f"{look} masks to check: the index shows them.")
        report = json.dumps(rows, indent=2, ensure_ascii=False)
        return io.NodeOutput(done.embeddings, done.names, str(done.page), report, ui={"text": said})


def _of_folder(folder: Path, class_word: str) -> list[GivenPicture]:
    def reader(one: FolderPicture) -> Callable[[], tuple[torch.Tensor, torch.Tensor | None]]:
        return lambda: (read_picture(one.image, "image")[None], read_mask(one.mask, "mask") if one.mask else None)

    return [GivenPicture(one, reader(one)) for one in folder_pictures(folder, class_word=class_word)]


def _wired(
    images: list[torch.Tensor], masks: list[torch.Tensor], names: list[str], class_words: list[str]
) -> list[GivenPicture]:
    """Pictures of a list of batches. masks: none, or one MASK for each batch. names: none, or one for each picture."""
    if len(masks) not in (0, len(images)):
        raise SealError(f"masks: {len(masks)} for {len(images)} images; wire none, or one for each.")
    pairs = []
    for place, batch in enumerate(map(images_of, images)):
        count, height, width = batch.shape[:3]
        given = masks_for(masks[place], count, height, width) if masks else [None] * count
        pairs += list(zip(batch, given))
    labels = [line.strip() for text in names for line in text.splitlines() if line.strip()]
    if labels and len(labels) != len(pairs):
        raise SealError(f"names: {len(labels)} for {len(pairs)} pictures; give one for each, or none.")
    if len(class_words) not in (1, len(pairs)):
        raise SealError(f"class_word: {len(class_words)} for {len(pairs)} pictures; give one for all, or one each.")
    labels = labels or [f"picture-{place + 1}" for place in range(len(pairs))]
    found = []
    for place, (name, (image, mask)) in enumerate(zip(concept_names(labels), pairs)):
        word = class_words[place if len(class_words) > 1 else 0]
        about = FolderPicture(Path(), f"{place + 1} {labels[place]}", name, class_word=word.strip())
        found.append(GivenPicture(about, lambda image=image, mask=mask: (image[None], mask)))
    return found


def _required() -> list[io.Input]:
    return [
        *checkpoint_inputs(),
        io.Combo.Input(
            "folder",
            options=picture_folders(),
            default="input",
            tooltip="ComfyUI's input or output folder, or a folder in them, with its sub-folders. Masks beside the "
            "pictures (NAME.mask.png) and a file of tags (CSV, JSON) are read. Press R after adding one.",
        ),
        io.String.Input(
            "class_word",
            default="",
            tooltip="What the pictures show, in a word or two: cat. Empty = what the tags say, else the name of the "
            "picture's sub-folder.",
        ),
        io.Combo.Input(
            "preset",
            options=list(PRESETS),
            default="best",
            tooltip="best: start here. best_embedding: the word alone, a few kilobytes. As in SEAL Train Embedding.",
        ),
        *preset_numbers(
            "Training steps for each. preset (0) = the preset's.",
            "Pace. preset (0) = the preset's.",
            "Pictures a step. preset (0) = the preset's.",
            extra_dict=reads((0, "preset"), advanced=True),
        ),
        training_resolution(),
        seed_input("Same seed, same files.", extra_dict=ADVANCED),
    ]


def _optional() -> list[io.Input]:
    return [
        io.Image.Input("images", optional=True, tooltip="Pictures, in place of the folder: a list or a batch."),
        io.Mask.Input("masks", optional=True, tooltip="Their masks, one MASK for each IMAGE. Unwired = found."),
        io.String.Input(
            "names",
            default="",
            optional=True,
            force_input=True,
            tooltip="Names of the wired pictures, one each: `names` of SEAL Load Stickers, or one a line.",
        ),
        polarity_input("What 1 means in given masks. auto: whatever touches the picture's border is background."),
        TokensType.Input("tokens", optional=True, tooltip="From SEAL Split-Merge Tokens, for all of them."),
        LayersType.Input("layers", optional=True, tooltip="From SEAL Layer Restriction, for all of them."),
        WeightsType.Input("weights", optional=True, tooltip="From SEAL Low-Rank Weights, for all of them."),
    ]


NODES = [SEALTrainFolder]
