"""WebM with VP9 and alpha, by PyAV, which is imported only here and only for WebM files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate
from types import ModuleType
from typing import Any

import numpy as np

from ...callbacks import StopCheck, never_stop, stoppable
from ...messages import SealError

FAST = {"deadline": "realtime", "cpu-used": "6"}
GOOD = {"deadline": "good", "cpu-used": "4"}


def encode_webm(
    frames: np.ndarray,
    shows: Sequence[tuple[int, int]],
    crf: int,
    fast: bool = False,
    tags: Mapping[str, str] | None = None,
    check: StopCheck = never_stop,
) -> bytes:
    """uint8 (N, H, W, 4) with even sides as VP9 with alpha, without sound.

    shows: (index of a frame, whole milliseconds) of each video frame in order. crf: constant quality, 4 (best) to 63.
    fast: a draft with about 1.5 times the size in a quarter of the time. check: called before each frame; may raise.
    """
    av = _av()
    times = [time for _, time in shows]
    starts = [0, *accumulate(times)]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        container.metadata.update(tags or {})
        stream = container.add_stream("libvpx-vp9", rate=Fraction(1000 * len(times), starts[-1]))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuva420p", 0
        stream.options = {"crf": str(crf), "b": "0", "auto-alt-ref": "0", **(FAST if fast else GOOD)}

        def mux(packets: Iterable[Any]) -> None:
            """Sets times in milliseconds: the encoder counts frames, and its rounding would add to the total."""
            for packet in packets:
                number = round(packet.pts * packet.time_base * stream.codec_context.framerate)
                packet.time_base = Fraction(1, 1000)
                packet.pts = packet.dts = starts[number]
                packet.duration = times[number]
                container.mux(packet)

        shown, filled = -1, frames[:0]
        for index, _ in stoppable(shows, check):
            if index != shown:
                shown, filled = index, fill_hidden_colours(frames[index])
            mux(stream.encode(av.VideoFrame.from_ndarray(filled, format="rgba")))
        mux(stream.encode())
    return buffer.getvalue()


def transparency_error(data: bytes, frames: np.ndarray, shows: Sequence[tuple[int, int]]) -> float:
    """Mean error of a written file's alpha against the frames', 0 to 255; 255 if it lacks alpha or has other frames.

    libvpx decodes it, as in players: FFmpeg's own VP9 decoder leaves alpha out.
    """
    av = _av()
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    errors = []
    with av.open(io.BytesIO(data)) as container:
        for packet in container.demux(video=0):
            for frame in decoder.decode(packet):
                if frame.format.name != "yuva420p" or len(errors) == len(shows):
                    return 255.0
                alpha = frame.to_ndarray(format="rgba")[..., 3].astype(np.int16)
                errors.append(float(np.abs(alpha - frames[shows[len(errors)][0], ..., 3]).mean()))
    return float(np.mean(errors)) if len(errors) == len(shows) else 255.0


def fill_hidden_colours(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 4) whose transparent pixels take the nearest colours, from a pyramid of averages.

    VP9 stores colour at half resolution, not premultiplied. Without this, edges would mix with black.
    """
    alpha = picture[..., 3:].astype(np.float32) / 255
    level = np.concatenate([picture[..., :3] * alpha, alpha], axis=2)
    levels = [level]
    while min(level.shape[:2]) > 1:
        level = np.pad(level, ((0, level.shape[0] % 2), (0, level.shape[1] % 2), (0, 0)))
        level = level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]
        levels.append(level)
    filled = levels[-1]
    colour = filled[..., :3] / np.maximum(filled[..., 3:], 1e-6)
    for level in reversed(levels[:-1]):
        height, width = level.shape[:2]
        coarse = colour.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
        own = level[..., 3:] > 1e-3
        colour = np.where(own, level[..., :3] / np.maximum(level[..., 3:], 1e-6), coarse)
    shown = picture[..., 3:] > 0
    rgb = np.where(shown, picture[..., :3], np.clip(np.rint(colour), 0, 255).astype(np.uint8))
    return np.ascontiguousarray(np.concatenate([rgb, picture[..., 3:]], axis=2))


def _av() -> ModuleType:
    try:
        import av
    except ImportError:
        raise SealError("format: webm needs PyAV, which ComfyUI brings along; elsewhere: pip install av.") from None
    if "libvpx-vp9" not in av.codecs_available:
        raise SealError("format: this PyAV has no VP9 encoder (libvpx-vp9); install the av wheel from PyPI.")
    return av
