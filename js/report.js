// Shows what a finished training says in one line on the node itself.

import { app } from "../../scripts/app.js";

const NODE = "SEALTrainEmbedding";

function show(node, text) {
  let widget = node.widgets?.find((w) => w?.name === "seal_report");
  if (!widget) {
    const box = document.createElement("div");
    Object.assign(box.style, {
      overflow: "auto", whiteSpace: "pre-wrap", font: "12px sans-serif", padding: "4px 6px", borderRadius: "4px",
      color: "var(--input-text, #ddd)", background: "var(--comfy-input-bg, #222)",
    });
    // Widget values are saved by position: this one comes last and saves none.
    const options = { serialize: false, getMinHeight: () => 64, getMaxHeight: () => 64 };
    widget = node.addDOMWidget?.("seal_report", "seal_report", box, options);
    if (!widget) return;
    widget.serialize = false;
  }
  widget.element.textContent = text; // a file or concept name is never markup
  node.setDirtyCanvas?.(true, true);
}

app.registerExtension({
  name: "SEAL.Report",

  nodeCreated(node) {
    if ((node?.comfyClass ?? node?.constructor?.comfyClass) !== NODE) return;
    const before = node.onExecuted;
    node.onExecuted = function (message) {
      const result = before?.apply(this, arguments);
      try {
        const text = [message?.text ?? []].flat().filter((t) => typeof t === "string").join("\n");
        if (text) show(this, text);
      } catch (error) {
        console.warn("[SEAL] no report on the node:", error);
      }
      return result;
    };
  },
});
