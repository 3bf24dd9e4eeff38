"""ComfyUI's own front end with a workflow in it: what a user would see, as values and as a picture.

    python frontend.py URL OUT [--save] WORKFLOW.json...

opens each workflow at a running ComfyUI, prints what is wrong with it, and writes OUT/NAME.png; --save also
writes the workflow back as the front end saves it, which fills in what newer node definitions added.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Chromium

READY = """!!(window.app?.graph && window.LiteGraph?.registered_node_types["SEALTrainEmbedding"]
    && app.extensionManager && document.querySelector("canvas"))"""

LOAD = """async (graph) => {
    await app.loadGraphData(graph, true, true, null);
    await new Promise((done) => setTimeout(done, 600));
}"""

# What is wrong with the graph that is loaded, as a list of sentences.
AUDIT = """() => {
    const wrong = [];
    for (const node of app.graph._nodes) {
        const who = `${node.id} ${node.type}`;
        if (!LiteGraph.registered_node_types[node.type]) wrong.push(`${who}: no such node`);
        if (node.has_errors) wrong.push(`${who}: has errors`);
        for (const input of node.inputs ?? []) {
            if (input.link != null && !app.graph.links.get(input.link)) wrong.push(`${who}: ${input.name} hangs loose`);
        }
        for (const widget of node.widgets ?? []) {
            const options = typeof widget.options?.values === "function"
                ? widget.options.values(widget, node) : widget.options?.values;
            if (widget.type === "combo" && Array.isArray(options) && !options.includes(widget.value))
                wrong.push(`${who}: ${widget.name} = ${widget.value} is not on offer`);
            if (widget.value === undefined && widget.serialize !== false)
                wrong.push(`${who}: ${widget.name} has no value`);
            if (widget.type === "number" && !Number.isFinite(widget.value))
                wrong.push(`${who}: ${widget.name} = ${widget.value} is no number`);
        }
    }
    for (const dialog of document.querySelectorAll(".p-dialog, .comfy-modal")) {
        if (dialog.offsetParent !== null) wrong.push(`dialog: ${dialog.innerText.replace(/\\s+/g, " ").slice(0, 200)}`);
    }
    return wrong;
}"""

# Overlaps, and nodes outside of every group: (name, x, y, width, height) as drawn, title included.
BOXES = """() => app.graph._nodes.map((n) => {
    const b = n.getBounding ? n.getBounding() : n.boundingRect;
    return [`${n.id} ${n.type}`, b[0], b[1], b[2], b[3]];
})"""

API = "async () => (await app.graphToPrompt()).output"

FIT = """() => {
    const boxes = app.graph._nodes.map((n) => n.getBounding()).concat(app.graph._groups.map((g) => g._bounding));
    const left = Math.min(...boxes.map((b) => b[0])), top = Math.min(...boxes.map((b) => b[1]));
    const right = Math.max(...boxes.map((b) => b[0] + b[2])), bottom = Math.max(...boxes.map((b) => b[1] + b[3]));
    return [left, top, right - left, bottom - top];
}"""

LOOK = """async ([x, y], scale, left, top) => {
    app.canvas.min_font_size_for_lod = 0;  // else small nodes are drawn without words
    app.canvas.ds.scale = scale;
    app.canvas.ds.offset[0] = left / scale - x;
    app.canvas.ds.offset[1] = top / scale - y;
    app.canvas.setDirty(true, true);
    await new Promise((done) => setTimeout(done, 900));
}"""

FILLED, SIDE_BAR, TOP_BAR = 0.78, 60, 80
"""What share of the window a saved workflow fills when it opens; pixels that menus take at the left and the top."""

OURS = ("/extensions/seal", "[SEAL]")


class FrontEnd(Chromium):
    """ComfyUI's page, ready for workflows; a context manager."""

    def __init__(self, url: str, width: int = 1600, height: int = 1000) -> None:
        super().__init__(width, height)
        self.url = url

    def __enter__(self) -> FrontEnd:
        super().__enter__()
        try:
            # Otherwise the template browser opens by itself some time after the page.
            settings = json.dumps({"Comfy.TutorialCompleted": True}).encode()
            urllib.request.urlopen(f"{self.url.rstrip('/')}/api/settings", settings, timeout=30).close()
            self.open(self.url)
            self.wait_for(READY)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def speak(self, language: str) -> None:
        """Set ComfyUI's language, and open the page anew, which it takes."""
        self.evaluate("(to) => app.extensionManager.setting.set('Comfy.Locale', to)", language)
        self.evaluate("window.app = undefined")  # so that what is ready is the new page
        self.open(self.url)
        self.wait_for(READY)
        time.sleep(1)

    def press_escape(self) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape", windowsVirtualKeyCode=27)
        time.sleep(0.4)

    def load(self, workflow: dict[str, Any]) -> list[str]:
        """Open a workflow as a user does. Returns what is wrong with it, console errors included."""
        self.console.clear()
        self.evaluate(LOAD, workflow)
        # A dialog about a checkpoint that is not there is ComfyUI's offer to download it, not a fault.
        wrong = [w for w in self.evaluate(f"({AUDIT})()") if not (w.startswith("dialog") and "Missing Models" in w)]
        self.press_escape()
        return [*wrong, *(f"console: {text}" for text in self.complaints())]

    def complaints(self) -> list[str]:
        """Errors in the console since it was cleared, and warnings of the pack's scripts."""
        noted = [text for level, text in self.console if level in ("error", "assert")]
        ours = [text for level, text in self.console if level == "warning" and any(o in text for o in OURS)]
        return noted + ours

    def saved(self) -> dict[str, Any]:
        """The open workflow as the front end saves it, but for two things.

        It opens fitted to a window of 1600 x 1000. PreviewAny's values are left out, since front end 1.35 writes them
        by one count and reads them by another (false comes back as null).
        """
        workflow = self.evaluate("JSON.parse(JSON.stringify(app.graph.serialize()))")
        left, top, width, height = self.evaluate(f"({FIT})()")
        scale = min(FILLED * 1600 / width, FILLED * 1000 / height)
        middle = [(1600 + SIDE_BAR) / 2 / scale - left - width / 2, (1000 + TOP_BAR) / 2 / scale - top - height / 2]
        workflow["extra"]["ds"] = {"scale": round(scale, 3), "offset": [round(at, 1) for at in middle]}
        for node in workflow["nodes"]:
            if node["type"] == "PreviewAny":
                node["widgets_values"] = []
        return workflow

    def api(self) -> dict[str, Any]:
        """The open workflow as the front end sends it to /prompt."""
        return self.evaluate(f"({API})()")

    def boxes(self) -> list[tuple[str, float, float, float, float]]:
        """(id and type, x, y, width, height) of every node as drawn, its title included."""
        return [tuple(box) for box in self.evaluate(f"({BOXES})()")]

    def picture(self, area: list[float] | None = None, scale: float = 0.5) -> bytes:
        """PNG of an area of the graph (x, y, width, height; default: all of it) without the menus around it."""
        x, y, width, height = area or self.evaluate(f"({FIT})()")
        margin, bar, side = 20, 110, 70
        size = (round(width * scale) + 2 * margin, round(height * scale) + 2 * margin)
        self.resize(size[0] + side + 420, size[1] + bar + 60)
        self.evaluate(LOOK, [x, y], scale, side + margin, bar + margin)
        return self.screenshot({"x": side, "y": bar, "width": size[0], "height": size[1]})


def main() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--save"]
    url, out, files = arguments[0], Path(arguments[1]), [Path(a) for a in arguments[2:]]
    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    with FrontEnd(url) as page:
        for file in files:
            wrong = page.load(json.loads(file.read_text(encoding="utf-8")))
            failed += bool(wrong)
            print(f"{file.name}: {'; '.join(wrong) or 'nothing wrong'}", flush=True)
            (out / f"{file.stem}.png").write_bytes(page.picture())
            if "--save" in sys.argv:
                file.write_text(json.dumps(page.saved(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main())
