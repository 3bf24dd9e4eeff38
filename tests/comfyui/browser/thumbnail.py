"""Runs workflows/seal_demo in a real ComfyUI and takes its picture for the template browser.

    python thumbnail.py [STEPS]

writes workflows/seal_demo.jpg: four of its nodes side by side, with what they show after a run. Needs the shipped
model, a ComfyUI and a Chromium. STEPS: of the training, default the workflow's.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from frontend import FrontEnd
from PIL import Image
from server import PACK, ComfyServer, find_comfyui

SIDE = 640
PLACES = {  # node id -> (x, y, width, height)
    3: (12, 42, 300, 290),
    15: (328, 42, 300, 290),
    2: (12, 378, 300, 250),
    5: (328, 378, 300, 250),
}
FAR = 20_000

RUN = "(async () => { await app.queuePrompt(0, 1); })()"
DONE = "[3, 5, 15].every((id) => app.nodeOutputs[id])"
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
    workflow = json.loads((PACK / "workflows/seal_demo.json").read_text(encoding="utf-8"))
    if len(sys.argv) > 1:
        (train,) = (node for node in workflow["nodes"] if node["type"] == "SEALTrainEmbedding")
        train["widgets_values"][1] = int(sys.argv[1])
    comfyui = find_comfyui()
    assert comfyui is not None, "no ComfyUI found"
    with tempfile.TemporaryDirectory() as base:
        server = ComfyServer(comfyui, Path(base)).start()
        try:
            with FrontEnd(f"http://127.0.0.1:{server.port}/") as page:
                page.load(workflow)
                page.evaluate(RUN)
                page.wait_for(DONE, timeout=300)
                page.picture()  # nodes load what they show when they are in view
                time.sleep(2)
                page.evaluate(PLACE, PLACES, FAR)
                picture = page.picture([0, 0, SIDE, SIDE], scale=1.0)
        finally:
            server.stop()
    shot = Image.open(io.BytesIO(picture)).convert("RGB")
    left, top = (shot.width - SIDE) // 2, (shot.height - SIDE) // 2
    shot.crop((left, top, left + SIDE, top + SIDE)).save(PACK / "workflows/seal_demo.jpg", quality=88)


if __name__ == "__main__":
    main()
