"""The panels that the pack draws on its nodes, as a user sees them: a graph on the tiny model, texts and clicks."""

from __future__ import annotations

from typing import Any

from frontend import FrontEnd

DRESS = """async (nodes2, dark) => {
    app.ui.settings.setSettingValue("Comfy.ColorPalette", dark ? "dark" : "light");
    if (app.ui.settings.getSettingValue("Comfy.VueNodes.Enabled") !== nodes2) {
        await app.ui.settings.setSettingValueAsync("Comfy.VueNodes.Enabled", nodes2);
        await new Promise((done) => setTimeout(done, 1500));
    }
}"""

KIT = """
    const add = (type, x, y, width) => {
        const node = LiteGraph.createNode(type);
        node.pos = [x, y];
        node.setSize([width, node.size[1]]);
        app.graph.add(node);
        return node;
    };
    const place = (slots, name) => slots.findIndex((slot) => slot.name === name);
    const wire = (from, output, to, input) => from.connect(place(from.outputs, output), to, place(to.inputs, input));
    const set = (node, settings) => {
        for (const [name, value] of Object.entries(settings)) {
            const widget = node.widgets.find((w) => w.name === name);
            if (!widget) continue;
            widget.value = value;
            widget.callback?.(value);
        }
    };
    const panel = (node) => node.widgets.find((w) => w.element?.classList.contains("seal-panel")).element;
    const show = async () => {
        app.canvas.ds.scale = 1;
        [app.canvas.ds.offset[0], app.canvas.ds.offset[1]] = [90, 110];
        app.canvas.setDirty(true, true);
        await new Promise((done) => setTimeout(done, 1000));
    };
"""

BUILD = (
    "async (settings) => {"
    + KIT
    + """
    app.graph.clear();
    await new Promise((done) => setTimeout(done, 500));  // else Vue takes the new nodes for the old ones
    app.graph.last_node_id = window.sealLast = (window.sealLast ?? 0) + 100;  // values are kept by a node's number
    const demo = add("SEALDemoModel", 0, 0, 240), train = add("SEALTrainEmbedding", 300, 0, 300);
    const layers = add("LayerRestrictionSpec", 660, 0, 300), summary = add("PreviewAny", 1020, 0, 240);
    for (const name of ["model", "clip", "vae", "image", "mask"]) wire(demo, name, train, name);
    wire(demo, "model", layers, "model");
    layers.connect(1, summary, 0);
    set(train, settings);
    window.sealTest = { train, layers, panel };
    await show();
}"""
)

# The shipped blueprint that is open, wired to the tiny model; `train` is its node outside.
WIRE_BLUEPRINT = (
    f"""async (settings) => {{{KIT}"""
    + """
    const [train] = app.graph._nodes, demo = add("SEALDemoModel", 0, 0, 240);
    train.pos = [300, 0];
    for (const name of ["model", "clip", "vae", "image", "mask"]) wire(demo, name, train, name);
    set(train, settings);
    set(train.subgraph.nodes.find((n) => n.type === "SEALTrainEmbedding"), settings);
    window.sealTest = { train, layers: null, panel };
    await show();
}"""
)

STATE = """() => {
    const panel = sealTest.panel(sealTest.train);
    const shown = (e) => e && e.offsetParent !== null;
    return {
        title: panel.querySelector("b").textContent,
        pictures: [...panel.querySelectorAll("img")].filter((i) => i.src && i.naturalWidth > 0).map((i) => i.alt),
        points: panel.querySelector("polyline")?.getAttribute("points").split(" ").length ?? 0,
        buttons: [...panel.querySelectorAll("button")].filter((b) => shown(b) && !b.disabled).map((b) => b.textContent),
        gains: [...panel.querySelectorAll(".seal-gain")].filter(shown).map((g) => g.innerText.replace(/\\s+/g, " ")),
        cut: panel.scrollHeight > panel.clientHeight + 1 || panel.scrollWidth > panel.clientWidth + 1,
        words: [...panel.querySelectorAll(".seal-cut")].filter(shown).map((e) => e.textContent).join(" "),
        note: panel.querySelector(".seal-note").textContent,
        size: [...sealTest.train.size].map(Math.round),
    };
}"""

CLICK = """(words) => {
    const nodes = [sealTest.train, sealTest.layers].filter(Boolean);
    const found = nodes.flatMap((n) => [...sealTest.panel(n).querySelectorAll("button")])
        .find((b) => b.offsetParent !== null && (b.textContent === words || b.getAttribute("aria-label") === words));
    found.click();
}"""

# To the node inside the subgraph, and back; `train` is the one that is on the screen.
ENTER = """async () => {
    sealTest.outside = sealTest.train;
    app.canvas.openSubgraph(sealTest.outside.subgraph, sealTest.outside);
    sealTest.train = sealTest.outside.subgraph.nodes.find((n) => n.type === "SEALTrainEmbedding");
    app.canvas.ds.scale = 1;
    [app.canvas.ds.offset[0], app.canvas.ds.offset[1]] = [200 - sealTest.train.pos[0], 110 - sealTest.train.pos[1]];
    app.canvas.setDirty(true, true);
    await new Promise((done) => setTimeout(done, 1000));
    return app.canvas.graph === sealTest.train.graph;
}"""

LEAVE = """async () => {
    app.canvas.setGraph(app.rootGraph ?? app.graph);
    sealTest.train = sealTest.outside;
    await new Promise((done) => setTimeout(done, 1000));
}"""

# The node that is wired to the training's `resume`: its class and what it loads; and the steps that are asked for.
RESUMED = """() => {
    const { train } = sealTest, from = train.getInputNode(train.inputs.findIndex((slot) => slot.name === "resume"));
    const value = (node, name) => node?.widgets.find((w) => w.name === name).value;
    return [from?.type ?? null, value(from, "name"), value(train, "steps")];
}"""

# What a SEAL Load Embedding that is added now offers, and has chosen.
OFFERED = """() => {
    const widget = LiteGraph.createNode("SEALLoadEmbedding").widgets.find((w) => w.name === "name");
    return [widget.options.values, widget.value];
}"""

CHOOSE_MAP = """(name) => {
    const select = sealTest.panel(sealTest.layers).querySelector("select");
    select.value = name;
    select.dispatchEvent(new Event("change"));
}"""

PICKER = """() => {
    const panel = sealTest.panel(sealTest.layers);
    const sites = (chosen) => [...panel.querySelectorAll(`.seal-site${chosen}`)];
    const names = (chosen) => sites(chosen).map((b) => b.getAttribute("aria-label"));
    return {
        map: panel.querySelector("select").value,
        sites: names(""),
        chosen: names('[aria-pressed="true"]'),
        preset: sealTest.layers.widgets.find((w) => w.name === "preset").value,
        layers: sealTest.layers.widgets.find((w) => w.name === "layers").value,
    };
}"""

# What is written where a number stands for something else: (input, text), as drawn.
WORDS = """(nodes2) => nodes2
    ? [...document.querySelectorAll("[data-seal-word]")].map((e) =>
        [e.getAttribute("aria-label") ?? e.querySelector("[aria-label]")?.getAttribute("aria-label") ?? "",
            getComputedStyle(e, "::after").content.replaceAll('"', "")])
    : sealTest.train.widgets.filter((w) => w.type === "number").map((w) => [w.name, String(w._displayValue)])"""

# The names of the widgets that the training node shows now.
SHOWN = """(nodes2) => {
    const { train } = sealTest;
    if (!nodes2) return train.widgets.filter((w) => !w.hidden && train.isWidgetVisible(w)).map((w) => w.name);
    const box = document.querySelector(`[data-node-id="${train.id}"]`);
    return train.widgets.map((w) => w.name).filter((name) => box.innerText.split("\\n").includes(name));
}"""


class Panels:
    """The open page with that graph in it. nodes2: ComfyUI's "Nodes 2.0", which are HTML; else classic ones.

    blueprint: instead, a subgraph that learns, as shipped, and the model.
    """

    def __init__(
        self,
        page: FrontEnd,
        *,
        nodes2: bool,
        dark: bool = True,
        blueprint: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.page, self.nodes2 = page, nodes2
        page.resize(1500, 1150)
        page.evaluate(DRESS, nodes2, dark)
        if blueprint:
            page.load(blueprint)
        page.evaluate(WIRE_BLUEPRINT if blueprint else BUILD, settings)
        page.press_escape()
        page.console.clear()

    def run(self) -> None:
        """As the Run button does."""
        self.page.evaluate("(async () => { await app.queuePrompt(0, 1); })()")

    def state(self) -> dict[str, Any]:
        """What the training's panel shows."""
        return self.page.evaluate(f"({STATE})()")

    def until(self, condition: str, timeout: float = 400) -> dict[str, Any]:
        """Wait for a JavaScript condition on `s`, the panel's state. Returns the state."""
        self.page.wait_for(f"((s) => s && ({condition}))(({STATE})())", timeout)
        return self.state()

    def click(self, words: str) -> None:
        self.page.evaluate(CLICK, words)

    def enter_subgraph(self) -> None:
        assert self.page.evaluate(f"({ENTER})()"), "the subgraph opens"

    def leave_subgraph(self) -> None:
        self.page.evaluate(f"({LEAVE})()")

    def picker(self) -> dict[str, Any]:
        """What the layer picker shows, and what stands in the node's widgets."""
        return self.page.evaluate(f"({PICKER})()")

    def show_map(self, name: str) -> None:
        self.page.evaluate(CHOOSE_MAP, name)

    def show_advanced(self) -> None:
        """By the panel's button, or as the button of Nodes 2.0 does."""
        if not self.nodes2:
            self.page.evaluate("sealTest.panel(sealTest.train).querySelector(':scope > button').click()")
            return
        self.page.evaluate("() => { sealTest.train.showAdvanced = true; }", None)
        self.page.wait_for(f"({WORDS})(true).length > 5", 30)

    def number_words(self) -> dict[str, str]:
        return dict(self.page.evaluate(WORDS, self.nodes2))

    def shown_widgets(self) -> list[str]:
        return self.page.evaluate(SHOWN, self.nodes2)

    def messages(self) -> list[str]:
        """What the pack's scripts wrote to the console, and errors in them."""
        ours = (
            "/extensions/seal",
            "[SEAL]",
            "_panel.js",
            "layer_picker.js",
            "number_words.js",
            "panel_kit.js",
            "texts.js",
        )
        return [text for _, text in self.page.console if any(o in text for o in ours)]
