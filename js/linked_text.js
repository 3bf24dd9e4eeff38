// Classic nodes leave a wired text box its whole room, empty and without a name. Here it takes one line, with its name.
// Nodes 2.0 draws such boxes itself.

import { app } from "../../scripts/app.js";

const LINE = { minHeight: 20, maxHeight: 20, minWidth: 0 };

const isWired = (node, widget) => node.inputs?.some((slot) => slot?.widget?.name === widget.name && slot.link != null);

function fold(node, widget) {
  const before = { size: widget.computeLayoutSize, draw: widget.draw };
  if (!before.size) return;
  widget.computeLayoutSize = function (of) {
    return isWired(of ?? node, widget) ? LINE : before.size.apply(this, arguments);
  };
  widget.draw = function (ctx, of, width, y) {
    before.draw?.apply(this, arguments);
    if (globalThis.LiteGraph?.vueNodesMode || !isWired(node, widget)) return;
    ctx.save();
    ctx.textAlign = "left";
    ctx.fillStyle = globalThis.LiteGraph?.WIDGET_DISABLED_TEXT_COLOR ?? "#666";
    ctx.fillText(widget.label ?? widget.name, 30, y + 14); // where other wired widgets have theirs
    ctx.restore();
  };
}

app.registerExtension({
  name: "SEAL.LinkedText",

  nodeCreated(node) {
    if (!String(node.constructor?.category ?? "").startsWith("SEAL")) return;
    try {
      for (const widget of node.widgets ?? []) if (widget?.element?.tagName === "TEXTAREA") fold(node, widget);
    } catch (error) {
      console.warn("[SEAL] wired text boxes stay as high as they are:", error);
    }
  },
});
