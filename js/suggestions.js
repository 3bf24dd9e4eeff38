// A "Suggestions" button for text inputs whose definition carries a list of them.
//
// The lists come from seal_core/prompts/attributes.json by way of /object_info: an input's option
// `suggestions` is a list of values, `suggestions_of` names the widget that says which input's list
// to offer (one value a line). Without JavaScript the inputs are plain text fields.

import { app } from "../../scripts/app.js";
import { t } from "./texts.js";

const inputsOfNode = new Map(); // node type -> { input name: options }

function collect(nodeData) {
  const all = { ...nodeData?.input?.required, ...nodeData?.input?.optional };
  const named = {};
  for (const [name, spec] of Object.entries(all)) {
    const options = Array.isArray(spec) ? spec[1] : undefined;
    if (Array.isArray(options?.suggestions) || options?.suggestions_of) named[name] = options;
  }
  return named;
}

const inputsOf = (node) => inputsOfNode.get(node?.comfyClass ?? node?.constructor?.comfyClass);
const widgetOf = (node, name) => node?.widgets?.find((w) => w?.name === name);
const nodesOf = (graph) => graph?.nodes ?? graph?._nodes ?? [];

// The node outside that stands for the subgraph `graph`, looked for from the top.
function instanceOf(graph, within = app.rootGraph ?? app.graph) {
  for (const node of nodesOf(within)) {
    if (!node.subgraph) continue;
    if (node.subgraph === graph) return node;
    const deeper = instanceOf(graph, node.subgraph);
    if (deeper) return deeper;
  }
  return undefined;
}

// Where an input's value is set: on the node, on the node of the subgraph that shows it, or nowhere (it is wired).
function homeOf(node, name, outside) {
  const input = node?.inputs?.find((i) => (i?.widget?.name ?? i?.name) === name);
  if (input?.link == null) {
    const widget = widgetOf(node, name);
    return widget && { node, widget };
  }
  const link = node.graph?.getLink?.(input.link) ?? node.graph?.links?.get?.(input.link);
  const port = link?.origin_id === node.graph?.inputNode?.id ? node.graph?.inputs?.[link.origin_slot] : undefined;
  return port && homeOf(outside ?? instanceOf(node.graph), port.name);
}

function groupsOf(node, outside) {
  if (node?.subgraph) return nodesOf(node.subgraph).flatMap((inner) => groupsOf(inner, node));
  const inputs = inputsOf(node) ?? {};
  const groups = [];
  for (const [name, options] of Object.entries(inputs)) {
    const home = homeOf(node, name, outside);
    const source = options.suggestions_of ? homeOf(node, options.suggestions_of, outside)?.widget.value : name;
    const values = inputs[source]?.suggestions;
    if (!home || !values?.length) continue;
    const label = widgetOf(node, name)?.label ?? name;
    groups.push({ ...home, values, lines: !!options.suggestions_of, title: source === name ? label : `${label}: ${source}` });
  }
  return groups;
}

const linesOf = (widget) =>
  String(widget.value ?? "").split("\n").map((line) => line.trim()).filter(Boolean);

const isChosen = ({ widget, lines }, value) =>
  lines ? linesOf(widget).includes(value) : String(widget.value ?? "").trim() === value;

function toggle(group, value) {
  const { node, widget, lines } = group;
  const chosen = isChosen(group, value);
  let next = chosen ? "" : value;
  if (lines) {
    const others = linesOf(widget).filter((line) => line !== value);
    next = (chosen ? others : [...others, value]).join("\n");
  }
  widget.value = next;
  widget.callback?.(next, app.canvas, node);
  node.setDirtyCanvas?.(true, true);
}

function element(tag, text, style) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  Object.assign(made.style, style);
  return made;
}

function open(node) {
  const groups = groupsOf(node);
  const dialog = element("dialog", "", {
    width: "min(46rem, 90vw)", maxHeight: "80vh", overflow: "auto", margin: "auto", padding: "0.75rem 1rem", zIndex: 10000,
    color: "var(--fg-color, #ddd)", background: "var(--comfy-menu-bg, #222)", font: "13px sans-serif",
    border: "1px solid var(--border-color, #555)", borderRadius: "8px",
  });
  if (!groups.length) dialog.append(element("p", t("All these inputs are wired, or have no suggestions.")));
  for (const group of groups) {
    dialog.append(element("div", group.title, { margin: "0.6rem 0 0.3rem", fontWeight: "600" }));
    const row = element("div", "", { display: "flex", flexWrap: "wrap", gap: "4px" });
    const chips = group.values.map((value) => {
      const chip = element("button", value, {
        padding: "2px 8px", borderRadius: "10px", cursor: "pointer", color: "inherit", font: "inherit",
        border: "1px solid var(--border-color, #555)",
      });
      chip.type = "button";
      chip.addEventListener("click", () => {
        toggle(group, value);
        paint();
      });
      row.append(chip);
      return [chip, value];
    });
    const paint = () => {
      for (const [chip, value] of chips) {
        const chosen = isChosen(group, value);
        chip.setAttribute("aria-pressed", String(chosen));
        chip.style.color = chosen ? "#fff" : "inherit";
        chip.style.background = chosen ? "#2563eb" : "var(--comfy-input-bg, #333)";
      }
    };
    paint();
    dialog.append(row);
  }
  const close = element("button", t("Done"), { margin: "0.9rem 0 0.2rem", padding: "4px 14px", cursor: "pointer" });
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  dialog.append(close);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // outside
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // not the graph's shortcuts
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

app.registerExtension({
  name: "SEAL.Suggestions",

  beforeRegisterNodeDef(nodeType, nodeData) {
    const inputs = collect(nodeData);
    if (Object.keys(inputs).length) inputsOfNode.set(nodeData.name, inputs);
  },

  nodeCreated(node) {
    if (!inputsOf(node)) return;
    try {
      const button = node.addWidget?.("button", t("Suggestions…"), null, () => open(node), { serialize: false });
      // Widget values are saved by position: the button is last, and saves none.
      if (button) button.serialize = false;
    } catch (error) {
      console.warn("[SEAL] no suggestions button:", error);
    }
  },

  getNodeMenuItems(node) {
    return inputsOf(node) || (node?.subgraph && groupsOf(node).length) ? [{ content: t("SEAL suggestions…"), callback: () => open(node) }] : [];
  },
});
