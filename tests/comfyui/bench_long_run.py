"""Does a server that works for hours keep its memory? `python tests/comfyui/bench_long_run.py [COMFY_DIR] [ROUNDS]`

Fifty rounds in one ComfyUI on the CPU: each packs a sticker and cuts out four, three of five train a concept (30
trainings, 200 cut-outs, 50 packs). Prints the process's memory after every tenth round, relative to
the tenth; exits with 1 if it grew by more than 3 %.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[up]) for up in range(3)]

import graphs  # noqa: E402
import pictures  # noqa: E402
from graphs import Graph  # noqa: E402
from server import ComfyServer  # noqa: E402

ROUNDS, CUT_OUTS, SETTLED, ALLOWED = 50, 4, 10, 0.03
TRAINS = (True, False, True, False, True)


def defaults(server: ComfyServer, kind: str) -> dict[str, Any]:
    """The values that the front end sends for a node's untouched widgets."""
    sections = server.object_info()[kind]["input"]
    given = {**sections.get("required", {}), **sections.get("optional", {})}
    return {name: spec[1]["default"] for name, spec in given.items() if len(spec) > 1 and "default" in spec[1]}


def one_round(server: ComfyServer, number: int, settings: dict[str, dict[str, Any]]) -> int:
    """Run one round's work. Returns the process's memory in bytes."""
    graph = Graph()
    for i in range(CUT_OUTS):
        name = server.upload_image(f"sticker{i}.png", pictures.sticker().rotate(number * 7 + i * 90, fillcolor="white"))
        picture = graph.wire("LoadImage", image=name)
        cut = graph.wire("SEALStickerCutout", image=picture, **settings["SEALStickerCutout"])
        if i == 0:
            graph.add(
                "SEALSaveStickerPack", images=cut, **{**settings["SEALSaveStickerPack"], "title": f"Pack {number}"}
            )
        else:
            graph.add("PreviewImage", images=cut)
    if TRAINS[number % len(TRAINS)]:
        parts = graphs.checkpoint(graph, "sd15-small")
        graphs.train(graph, parts, "sticker0.png", preset="paper", steps=3, name="long", run_id=number)
    server.run(graph).ok()
    probe = Graph()
    probe.add("SEALProbeMemory", "memory", nonce=number)
    return server.run(probe).ok().json("memory")["resident"]


def main(comfyui: Path, rounds: int = ROUNDS) -> int:
    with tempfile.TemporaryDirectory() as base:
        server = ComfyServer(comfyui, Path(base))
        server.ensure("sd15-small")
        server.start()
        try:
            settings = {kind: defaults(server, kind) for kind in ("SEALStickerCutout", "SEALSaveStickerPack")}
            seen = []
            for number in range(rounds):
                seen.append(one_round(server, number, settings))
                if (number + 1) % SETTLED == 0:
                    growth = seen[-1] / seen[SETTLED - 1] - 1
                    print(f"round {number + 1}: {seen[-1] >> 20} MB, {growth:+.1%}", flush=True)
        finally:
            server.stop()
    return int(seen[-1] / seen[min(SETTLED, rounds) - 1] - 1 > ALLOWED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
