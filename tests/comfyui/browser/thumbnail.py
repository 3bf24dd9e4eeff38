"""Runs a workflow that needs no checkpoint in a real ComfyUI and takes its picture for the template browser.

    python thumbnail.py seal_demo|sticker_pack_telegram_whatsapp_signal [STEPS] [--keep DIR]

writes workflows/NAME.jpg: some of its nodes side by side, with what they show after a run. Needs the shipped model, a
ComfyUI and a Chromium. STEPS: of the training, default the workflow's.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from frontend import FrontEnd
from installed import PACK, find_comfyuis
from PIL import Image
from server import ComfyServer

SIDE = 640
PLACES = {  # workflow -> node id -> (x, y, width, height)
    "seal_demo": {
        3: (12, 42, 300, 290),
        15: (328, 42, 300, 290),
        2: (12, 378, 300, 250),
        5: (328, 378, 300, 250),
    },
    "sticker_pack_telegram_whatsapp_signal": {
        19: (12, 42, 616, 300),
        3: (12, 388, 300, 240),
        22: (328, 388, 300, 240),
    },
}
FAR = 20_000

RUN = "(async () => { await app.queuePrompt(0, 1); })()"
# Every node that shows or writes something has done so.
DONE = """app.graph._nodes.every((n) => !n.constructor.nodeData?.output_node || app.nodeOutputs[n.id])"""
PLACE = """(places, far) => {
    app.graph._groups.length = 0;
    for (const node of app.graph._nodes) {
        const [x, y, width, height] = places[node.id] ?? [far, far, 0, 0];
        node.pos = [x, y];
        if (width) node.setSize([width, height]);
    }
    app.canvas.links_render_mode = LiteGraph.HIDDEN_LINK;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=tuple(PLACES))
    parser.add_argument("steps", nargs="?", type=int, help="of the training (default: the workflow's)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy ComfyUI's output folder there, to look at")
    options = parser.parse_args()
    workflow = json.loads((PACK / f"workflows/{options.name}.json").read_text(encoding="utf-8"))
    if options.steps is not None:
        (train,) = (node for node in workflow["nodes"] if node["type"] == "SEALTrainEmbedding")
        train["widgets_values"][4] = options.steps
    comfyui = next(iter(find_comfyuis()), None)
    assert comfyui is not None, "no ComfyUI found"
    with tempfile.TemporaryDirectory() as base:
        server = ComfyServer(comfyui, Path(base)).start()
        try:
            with FrontEnd(f"http://127.0.0.1:{server.port}/") as page:
                page.load(workflow)
                page.evaluate(RUN)
                try:
                    page.wait_for(DONE, timeout=900)
                except AssertionError:
                    print(server.log[-3000:])
                    raise
                page.picture()  # nodes load what they show when they are in view
                time.sleep(2)
                if options.keep:
                    shutil.copytree(Path(base, "output"), options.keep, dirs_exist_ok=True)
                    (options.keep / "graph.png").write_bytes(page.picture())
                page.evaluate(PLACE, PLACES[options.name], FAR)
                picture = page.picture([0, 0, SIDE, SIDE], scale=1.0)
        finally:
            server.stop()
    shot = Image.open(io.BytesIO(picture)).convert("RGB")
    left, top = (shot.width - SIDE) // 2, (shot.height - SIDE) // 2
    target = PACK / f"workflows/{options.name}.jpg"
    shot.crop((left, top, left + SIDE, top + SIDE)).save(target, quality=88)


if __name__ == "__main__":
    main()
