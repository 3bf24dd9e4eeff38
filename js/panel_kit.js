// What the pack's panels on nodes share: elements, one style sheet, the widget that holds a panel.
// ComfyUI imports every file in this folder; this one registers nothing.

const STYLE = `
.seal-panel { display: flex; flex-direction: column; gap: 6px; height: 100%; width: 100%; box-sizing: border-box;
  padding: 8px; border-radius: 8px; overflow: hidden; font: 12px/1.35 system-ui, sans-serif; cursor: default;
  color: var(--input-text, #ddd); background: var(--component-node-widget-background, var(--comfy-input-bg, #222)); --seal-blue: #3b82f6; --seal-amber: #d97706; }
.seal-panel * { box-sizing: border-box; }
.seal-panel [hidden] { display: none !important; }
.seal-row { display: flex; flex: none; align-items: center; gap: 6px; min-width: 0; }
.seal-faint { color: var(--descrip-text, #999); }
.seal-grow { flex: 1; min-width: 0; }
.seal-cut { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.seal-panel button, .seal-panel select { font: inherit; color: inherit; padding: 3px 8px; border-radius: 6px;
  border: 1px solid var(--border-color, #555); background: transparent; cursor: pointer; min-width: 0; }
.seal-panel button:hover:enabled { border-color: var(--seal-blue); }
.seal-panel button:focus-visible, .seal-panel select:focus-visible { outline: 2px solid var(--seal-blue); outline-offset: 1px; }
.seal-panel button:disabled { opacity: 0.45; cursor: default; }
.seal-panel button[aria-pressed="true"] { color: #fff; background: var(--seal-blue); border-color: var(--seal-blue); }
.seal-panel option { color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222); }
.seal-track { position: relative; height: 4px; border-radius: 2px; overflow: hidden;
  background: color-mix(in srgb, currentColor 16%, transparent); }
.seal-track > i { position: absolute; inset: 0 auto 0 0; border-radius: 2px; background: var(--seal-blue); }
.seal-waits > i { width: 30% !important; animation: seal-waits 1.6s ease-in-out infinite alternate; }
@keyframes seal-waits { from { left: 0; } to { left: 70%; } }
`;

/** An element with a class and a text; texts are never markup. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Add a panel as the node's last widget; it saves no value. It is at least `height` pixels high, more in a taller node. */
export function addPanel(node, name, height) {
  if (!document.getElementById("seal-panels")) {
    const style = document.head.appendChild(element("style", "", STYLE));
    style.id = "seal-panels";
  }
  const panel = element("div", "seal-panel");
  // Widget values are saved by position: this one comes last and saves none.
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => height, getMaxHeight: () => 1.6 * height };
  const widget = node.addDOMWidget?.(name, name, panel, options);
  if (!widget) return null;
  widget.serialize = false;
  panel.style.minHeight = `${height - 20}px`;
  return panel;
}

/** Classic nodes keep room for advanced widgets, or draw them like all others: hide them until the node shows them. */
export function hideAdvanced(node) {
  // Nodes 2.0 hides them by itself.
  const folded = (widget) => !!widget?.options?.advanced && !globalThis.LiteGraph?.vueNodesMode && !node.showAdvanced;
  if (node.widgets?.some((widget) => widget?.visibility)) {
    for (const name of ["isWidgetVisible", "isWidgetRowVisible"]) {
      const before = node[name];
      if (before) node[name] = (widget) => before.call(node, widget) && !folded(widget);
    }
    const before = node.getLayoutWidgets;
    if (before) node.getLayoutWidgets = () => before.call(node).filter((widget) => !folded(widget));
  } else {
    for (const widget of node.widgets ?? []) {
      if (!widget?.options?.advanced) continue;
      Object.defineProperty(widget, "hidden", { configurable: true, get: () => folded(widget), set() {} });
    }
  }
  node.setSize([node.size[0], node.computeSize()[1]]);
}

/** Show the advanced widgets of a classic node, or hide them again; the node fits either. */
export function toggleAdvanced(node) {
  node.showAdvanced = !node.showAdvanced;
  node.setSize([node.size[0], node.computeSize()[1]]);
  node.setDirtyCanvas?.(true, true);
}

/** The nodes of an execution id, outermost first: of "5:12" the subgraph's node 5 and node 12 in it. None: not open. */
export function nodesOf(app, id) {
  const found = [];
  let graph = app.rootGraph ?? app.graph;
  for (const part of String(id).split(":")) {
    const node = graph?.getNodeById?.(Number(part));
    if (!node) return [];
    found.push(node);
    graph = node.subgraph;
  }
  return found;
}

export const classOf = (node) => node?.comfyClass ?? node?.constructor?.comfyClass ?? node?.type;

export const widgetOf = (node, name) => node?.widgets?.find((w) => w?.name === name);

/** Set a widget as a user would. */
export function setWidget(app, node, name, value) {
  const widget = widgetOf(node, name);
  if (!widget || widget.value === value) return;
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
}

/** Call `changed` after the user has changed a widget. */
export function onChange(node, name, changed) {
  const widget = widgetOf(node, name);
  if (!widget) return;
  const before = widget.callback;
  widget.callback = function () {
    const result = before?.apply(this, arguments);
    changed();
    return result;
  };
}

/** Hear what ComfyUI sends. told(detail); a fault in it is told in the console, after `warning`, and stops nothing. */
export function listen(api, event, told, warning) {
  api.addEventListener(event, ({ detail }) => {
    try {
      told(detail);
    } catch (error) {
      console.warn(`[SEAL] ${warning}:`, error);
    }
  });
}
