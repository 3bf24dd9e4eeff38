// Shows on the node what it noticed. Trainings have a panel of their own, training_panel.js.

import { app } from "../../scripts/app.js";

const NODES = new Set([
  "SEALTextEncode", "SemanticMask", "SEALStickerCutout", "SEALStickerBorder", "SEALStickerLayout", "SEALStickerText",
  "SEALContactSheet", "SEALSaveStickerPack", "SEALStickerMotion",
]);

const PREVIEW = 240; // pixels

function show(node, text) {
  let widget = node.widgets?.find((w) => w?.name === "seal_report");
  if (!widget && !text) return;
  if (!widget) {
    const box = document.createElement("div");
    Object.assign(box.style, {
      overflow: "auto", whiteSpace: "pre-wrap", font: "12px sans-serif", padding: "4px 6px", borderRadius: "4px",
      color: "var(--input-text, #ddd)", background: "var(--comfy-input-bg, #222)",
    });
    // Widget values are saved by position: this one comes last and saves none.
    const height = node.comfyClass === "SEALSaveStickerPack" ? 96 : 64; // a pack says where it is and how to upload it
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
  if (node.seal_has_room) return;
  node.seal_has_room = true;
  const tall = node.computeSize()[1] + PREVIEW;
  if (node.size[1] < tall) node.setSize([node.size[0], tall]);
}

app.registerExtension({
  name: "SEAL.Report",

  nodeCreated(node) {
    if (!NODES.has(node?.comfyClass ?? node?.constructor?.comfyClass)) return;
    const before = node.onExecuted;
    node.onExecuted = function (message) {
      const result = before?.apply(this, arguments);
      try {
        const text = [message?.text ?? []].flat().filter((t) => typeof t === "string").join("\n");
        if ([message?.animated ?? []].flat().some(Boolean)) makeRoom(this);
        show(this, text); // nothing noticed: what an earlier run said goes
      } catch (error) {
        console.warn("[SEAL] no report on the node:", error);
      }
      return result;
    };
  },
});
