"""SEALLoadStickers: several GIFs, animated WebPs, APNGs or pictures from a folder, as a list."""

from __future__ import annotations

from typing import Any

from ..seal_core.stickers.pack.load_files import KINDS, load_stickers
from .comfy.api import io
from .comfy.folders import folder_times, found_or_why, picture_folder, picture_folders
from .comfy.node_ui import progress_bar
from .input_checks import inputs_checked
from .schema import schema
from .shared_inputs import STICKERS, fps_input


class SEALLoadStickers(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SEALLoadStickers",
            display_name="SEAL Load Stickers",
            category=STICKERS,
            description="Load several GIFs, animated WebPs or PNGs, or pictures at once from ComfyUI's input or output "
            "folder, transparency and timing kept. Wire all outputs to SEAL Save Sticker Pack.",
            search_aliases=["gif", "animated gif", "load gif", "webp", "apng", "load images from folder", "frames"],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=picture_folders(),
                    default="input",
                    tooltip="ComfyUI's input or output folder, or a folder in them. Press R after adding one.",
                ),
                io.String.Input(
                    "files",
                    default="*.gif",
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="Names, one a line; * stands for anything. Empty = all. A sub-folder of pictures is one "
                    "animation.",
                ),
                io.Combo.Input(
                    "kind",
                    options=list(KINDS),
                    default=KINDS[0],
                    tooltip="animated: files that move, each a batch of frames. still: pictures. The others are left "
                    "out.",
                ),
                fps_input("Frames a second of sub-folders; files bring their own times."),
            ],
            outputs=[
                io.Image.Output(
                    "images", is_output_list=True, tooltip="A batch for each file, RGBA: wire it to `images`."
                ),
                io.String.Output("names", is_output_list=True, tooltip="The files' names, for emoji by name."),
                io.Float.Output("fps", is_output_list=True, tooltip="Each file's frames a second: wire it to `fps`."),
            ],
        )

    @classmethod
    @inputs_checked
    def execute(cls, folder: str, files: str, kind: str, fps: float) -> io.NodeOutput:
        found = load_stickers(picture_folder(folder), files.splitlines(), kind, fps, progress_bar())
        return io.NodeOutput(
            [sticker.images for sticker in found],
            [sticker.name for sticker in found],
            [sticker.fps or fps for sticker in found],
        )

    @classmethod
    def validate_inputs(cls, folder: str | None = None) -> bool | str:
        return found_or_why(picture_folder, folder)

    @classmethod
    def fingerprint_inputs(cls, folder: str | None = None, **_: Any) -> Any:
        """Runs again where a file in the folder has changed."""
        return folder_times(folder or "input")


NODES = [SEALLoadStickers]
