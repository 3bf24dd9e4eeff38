// Shows on the node what it noticed, or why it failed, and on the subgraphs around it. Trainings have a panel of their
// own, training_panel.js.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { classOf, listen, nodesOf, widgetOf } from "./panel_kit.js";

const NODES = new Set([
  "SEALTextEncode", "SemanticMask", "SEALStickerCutout", "SEALStickerBorder", "SEALStickerLayout", "SEALStickerText",
  "SEALContactSheet", "SEALSaveStickerPack", "SEALStickerMotion",
]);

const PREVIEW = 240; // pixels
const PACK = "SEALSaveStickerPack"; // says where the pack is and how to upload it
const WIDGET = "seal_report";
const ours = new Set(); // the pack's node types
const reports = new WeakMap(); // node -> what each node in it said, by execution id
const failures = new Map(); // node -> execution id of what failed in it

const holds = (node, type) => classOf(node) === type || !!node?.subgraph?.nodes?.some((inner) => holds(inner, type));

function box(node) {
  // Widget values are saved by position: this one comes last and saves none.
  const height = holds(node, PACK) ? 96 : 64;
  const shown = document.createElement("div");
  Object.assign(shown.style, {
    overflow: "auto", whiteSpace: "pre-wrap", overflowWrap: "anywhere", font: "12px sans-serif", padding: "4px 6px",
    borderRadius: "4px", color: "var(--input-text, #ddd)", background: "var(--comfy-input-bg, #222)",
    boxSizing: "border-box", maxHeight: `${height}px`, // Nodes 2.0: else a long text makes the node grow
  });
  const options = { serialize: false, getMinHeight: () => height, getMaxHeight: () => height };
  const widget = node.addDOMWidget?.(WIDGET, WIDGET, shown, options);
  if (widget) widget.serialize = false;
  return widget;
}

function show(node, id, said, failed = false) {
  if (!reports.has(node)) reports.set(node, new Map());
  const all = reports.get(node).set(id, said);
  const text = [...all.values()].filter(Boolean).join("\n");
  let widget = widgetOf(node, WIDGET);
  if (!widget && !text) return;
  widget ??= box(node);
  if (!widget) return;
  widget.element.textContent = text; // a file or concept name is never markup
  widget.element.style.outline = failed ? "1px solid var(--error-text, #ff4444)" : "";
  if (failed) failures.set(node, id);
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

/** ComfyUI's message that a node has failed. Newer front ends tell why in a side panel only, older ones in a dialog. */
function failed({ node_id: id, exception_message: why }) {
  const nodes = nodesOf(app, id), type = classOf(nodes.at(-1));
  if (!ours.has(type) || type === "SEALTrainEmbedding" || !why) return;
  for (const node of nodes) show(node, String(id), String(why).trim(), true);
}

/** A new run: what failed is tried again. */
function started() {
  for (const [node, id] of failures) show(node, id, "");
  failures.clear();
}

app.registerExtension({
  name: "SEAL.Report",

  beforeRegisterNodeDef(nodeType, nodeData) {
    if (/^SEAL(\/|$)/.test(nodeData.category ?? "")) ours.add(nodeData.name);
  },

  setup() {
    const hear = (event, told) => listen(api, event, told, "no report on the node");
    hear("executed", ended);
    hear("execution_error", failed);
    hear("execution_start", started);
  },
});
