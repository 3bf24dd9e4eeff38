// A training that was stopped and kept goes on: its concept is loaded and wired to `resume`, for the steps that are left.
// ComfyUI imports every file in this folder; this one registers nothing.

import { app } from "../../scripts/app.js";
import { classOf, setWidget, widgetOf } from "./panel_kit.js";

const LOADER = "SEALLoadEmbedding";

/** Let loaders, those to come as well, offer a concept that was just saved: their list is as old as the page. */
export function offerConcept(file) {
  if (!file) return;
  const add = (list) => Array.isArray(list) && !list.includes(file) && list.push(file);
  const definition = globalThis.LiteGraph?.registered_node_types?.[LOADER]?.nodeData?.input?.required?.name;
  add(Array.isArray(definition?.[0]) ? definition[0] : definition?.[1]?.options);
  const visit = (graph) => {
    for (const node of graph?.nodes ?? graph?._nodes ?? []) {
      if (node.subgraph) visit(node.subgraph);
      const widget = classOf(node) === LOADER && widgetOf(node, "name");
      if (!widget) continue;
      add(widget.options?.values);
      widget.value ??= file; // there was none to choose
    }
  };
  visit(app.rootGraph ?? app.graph);
}

/** Load what was kept, wire it to the training `node`, and run for the steps that are left. */
export function goOn(node, { file, step, steps }) {
  const place = node.inputs?.findIndex((slot) => slot?.name === "resume") ?? -1;
  if (place < 0) return;
  let loader = node.getInputNode?.(place);
  if (classOf(loader) !== LOADER) {
    loader = globalThis.LiteGraph.createNode(LOADER);
    loader.pos = [node.pos[0], node.pos[1] + node.size[1] + 80];
    node.graph.add(loader);
    loader.connect(0, node, place);
  }
  offerConcept(file);
  setWidget(app, loader, "name", file);
  setWidget(app, node, "steps", Math.max(1, steps - step));
  app.queuePrompt(0);
}
