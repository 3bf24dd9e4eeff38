"""How an open workflow lies on the screen, in classic and in Nodes 2.0: its zoom when fitted, nodes that touch."""

from __future__ import annotations

import time
from itertools import combinations
from typing import Any

from frontend import FrontEnd

TOUCH = 1.0
"""Pixels of the graph by which boxes may overlap: borders and rounding."""

FITTED = """async () => {
    await app.extensionManager.command.execute("Comfy.Canvas.FitView");
    await new Promise((done) => setTimeout(done, 900));
    return app.canvas.ds.scale;
}"""

# (name, x, y, width, height) of every node as drawn, in the graph's pixels, title included; of every group its box.
DRAWN = """() => {
    const {scale, offset} = app.canvas.ds, page = app.canvas.canvas.getBoundingClientRect();
    const vue = LiteGraph.vueNodesMode;
    const nodes = app.graph._nodes.map((node) => {
        const name = node.title || node.type, element = document.querySelector(`[data-node-id="${node.id}"]`);
        if (vue && element) {
            const box = element.getBoundingClientRect();
            return [name, (box.x - page.x) / scale - offset[0], (box.y - page.y) / scale - offset[1],
                box.width / scale, box.height / scale];
        }
        node.updateArea?.(app.canvas.ctx);
        return [name, ...node.getBounding()];
    });
    return {vue: !!vue, nodes, groups: app.graph._groups.map((g) => [g.title, ...g._bounding])};
}"""


def fitted(page: FrontEnd) -> float:
    """The zoom after ComfyUI's own "fit view"."""
    return page.evaluate(f"({FITTED})()")


def drawn_boxes(page: FrontEnd) -> dict[str, Any]:
    return page.evaluate(f"({DRAWN})()")


def crowded(page: FrontEnd) -> list[str]:
    """What overlaps, and what sticks out of its group, one sentence each."""
    found = drawn_boxes(page)
    wrong = [
        f"{a[0]} over {b[0]} by {_common(a, b)}"
        for a, b in combinations(found["nodes"], 2)
        if min(_common(a, b)) > TOUCH
    ]
    for node in found["nodes"]:
        homes = [group for group in found["groups"] if min(_common(node, group)) > TOUCH]
        if len(homes) > 1:
            wrong.append(f"{node[0]} is in {len(homes)} groups")
        elif homes and not _within(node, homes[0]):
            wrong.append(f"{node[0]} sticks out of {homes[0][0]}: {node[1:]} {homes[0][1:]}")
    return wrong


# Of the note, in pixels of the screen: its smallest letters, and how far its text goes below it.
NOTE = """() => {
    const text = document.querySelector(".comfy-markdown .tiptap, .comfy-markdown-content");
    const sizes = [...text.querySelectorAll("h1, h2, h3, p, li, code")].map((e) => getComputedStyle(e).fontSize);
    const bottom = (element) => element.getBoundingClientRect().bottom;
    const box = text.closest("[data-node-id]") ?? text.closest(".comfy-markdown");
    return [Math.min(...sizes.map(parseFloat)) * app.canvas.ds.scale, bottom(text.lastElementChild) - bottom(box)];
}"""


def note_text(page: FrontEnd) -> tuple[float, float]:
    """Of the workflow's note, in pixels of the screen: its smallest letters; how far its text goes below it."""
    smallest, below = page.evaluate(f"({NOTE})()")
    return smallest, below


PRESS_RUN = """(() => {
    const run = [...document.querySelectorAll("button")].find((b) => b.innerText.trim() === "Run");
    run.click();
})()"""

# Every node that shows or writes something has done so.
DONE = """app.graph._nodes.every((n) => !n.constructor.nodeData?.output_node || app.nodeOutputs[n.id])"""


def ran(page: FrontEnd, timeout: float = 1800) -> None:
    """Press Run and wait until every node that shows something has done so, and is drawn."""
    page.evaluate(PRESS_RUN)
    page.wait_for(DONE, timeout)
    time.sleep(3)


def show(page: FrontEnd, vue: bool) -> None:
    """Switch to Nodes 2.0, or back, as a user does in the settings."""
    page.evaluate("(on) => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", vue)
    time.sleep(1.5)


def _common(a: list[Any], b: list[Any]) -> tuple[int, int]:
    """Width and height of what two boxes have in common; below 0: apart."""
    (_, x, y, w, h), (_, x2, y2, w2, h2) = a, b
    return round(min(x + w, x2 + w2) - max(x, x2)), round(min(y + h, y2 + h2) - max(y, y2))


def _within(node: list[Any], group: list[Any]) -> bool:
    (_, x, y, w, h), (_, x2, y2, w2, h2) = node, group
    return x >= x2 - TOUCH and y >= y2 - TOUCH and x + w <= x2 + w2 + TOUCH and y + h <= y2 + h2 + TOUCH
