// Shows on the node what it noticed, and on the subgraphs around it. Trainings have a panel of their own, training_panel.js.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { classOf, nodesOf } from "./panel_kit.js";

const NODES = new Set([
  "SEALTextEncode", "SemanticMask", "SEALStickerCutout", "SEALStickerBorder", "SEALStickerLayout", "SEALStickerText",
  "SEALContactSheet", "SEALSaveStickerPack", "SEALStickerMotion",
]);

const PREVIEW = 240; // pixels
const PACK = "SEALSaveStickerPack"; // says where the pack is and how to upload it
const reports = new WeakMap(); // node -> what each node in it said, by execution id

const holds = (node, type) => classOf(node) === type || !!node?.subgraph?.nodes?.some((inner) => holds(inner, type));

function show(node, id, said) {
  if (!reports.has(node)) reports.set(node, new Map());
  const all = reports.get(node).set(id, said);
  const text = [...all.values()].filter(Boolean).join("\n");
  let widget = node.widgets?.find((w) => w?.name === "seal_report");
  if (!widget && !text) return;
  if (!widget) {
    // Widget values are saved by position: this one comes last and saves none.
    const height = holds(node, PACK) ? 96 : 64;
    const box = document.createElement("div");
    Object.assign(box.style, {
      overflow: "auto", whiteSpace: "pre-wrap", overflowWrap: "anywhere", font: "12px sans-serif", padding: "4px 6px",
      borderRadius: "4px", color: "var(--input-text, #ddd)", background: "var(--comfy-input-bg, #222)",
      boxSizing: "border-box", maxHeight: `${height}px`, // Nodes 2.0: else a long text makes the node grow
    });
    const options = { serialize: false, getMinHeight: () => height, getMaxHeight: () => height };
    widget = node.addDOMWidget?.("seal_report", "seal_report", box, options);
    if (!widget) return;
    widget.serialize = false;
  }
  widget.element.textContent = text; // a file or concept name is never markup
  node.setDirtyCanvas?.(true, true);
}

// A moving preview takes the height that the node has left, which may be none. Done once: a user may make it small again.
function makeRoom(node) {
  if (node.seal_has_room || node.flags?.collapsed) return;
  node.seal_has_room = true;
  const tall = node.computeSize()[1] + PREVIEW;
  if (node.size[1] < tall) node.setSize([node.size[0], tall]);
}

/** ComfyUI's message that a node has run. */
function ended({ node, display_node: id = node, output }) {
  const nodes = nodesOf(app, id), inner = nodes.at(-1);
  if (!NODES.has(classOf(inner))) return;
  const text = [output?.text ?? []].flat().filter((t) => typeof t === "string").join("\n");
  if ([output?.animated ?? []].flat().some(Boolean)) makeRoom(inner);
  for (const shown of nodes) show(shown, String(id), text); // nothing noticed: what an earlier run said goes
}

app.registerExtension({
  name: "SEAL.Report",

  setup() {
    api.addEventListener("executed", ({ detail }) => {
      try {
        ended(detail);
      } catch (error) {
        console.warn("[SEAL] no report on the node:", error);
      }
    });
  },
});
