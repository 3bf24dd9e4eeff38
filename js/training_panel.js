// The live panel on SEAL Train Embedding: how far it is, where the new word looks, what it draws, what was found, and
// buttons to stop and keep or to cancel. nodes/comfy/live_panel.py sends what it shows.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { goOn, offerConcept } from "./go_on.js";
import { addPanel, classOf, element, hideAdvanced, listen, nodesOf, toggleAdvanced, widgetOf } from "./panel_kit.js";
import { t } from "./texts.js";

const NODE = "SEALTrainEmbedding";
const WIDGET = "seal_training";
const HEIGHT = 330;
const SVG = "http://www.w3.org/2000/svg";
const STYLE = `
.seal-tiles { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; flex: 1; min-height: 64px; max-height: 240px; }
.seal-tile { position: relative; min-height: 0; border-radius: 6px; overflow: hidden;
  background: color-mix(in srgb, currentColor 7%, transparent); }
.seal-tile img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.seal-tile img:not([src]) { display: none; }
.seal-tile span { position: absolute; left: 0; right: 0; bottom: 0; padding: 1px 6px; font-size: 11px; text-align: center; }
.seal-tile img[src] + span { color: #fff; background: rgb(0 0 0 / 55%); }
.seal-curve { height: 44px; width: 100%; flex: none; display: block; }
.seal-curve polyline { fill: none; stroke: var(--seal-blue); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.seal-curve line { stroke: currentColor; opacity: 0.18; vector-effect: non-scaling-stroke; }
.seal-gain { display: grid; grid-template-columns: 68px 1fr 84px; align-items: center; gap: 6px; }
.seal-note { max-height: 47px; flex: none; overflow: auto; font-size: 11px; white-space: pre-wrap; }
`;

const states = new Map(); // graph and node -> what its panel shows; it outlives a change of the workflow's tab
const graphOf = new Map(); // prompt -> the workflow that was open when its first message came
const panels = new WeakMap(); // node -> its panel's parts

const root = () => app.rootGraph ?? app.graph;
const keyOf = (id, graph = root()?.id) => `${graph}|${id}`;
const trains = (node) => classOf(node) === NODE || !!node?.subgraph?.nodes?.some(trains);

/** What a node's panel shows; on a subgraph's node, the last training inside. */
function stateOf(node) {
  const open = keyOf("");
  const shown = ([key]) => key.startsWith(open) && nodesOf(app, key.slice(open.length)).includes(node);
  return [...states].reverse().find(shown)?.[1];
}

/** Show a training on its node and on the subgraphs around it, if its workflow is open. */
function show(state) {
  if (states.get(keyOf(state.node)) !== state) return;
  for (const node of nodesOf(app, state.node)) {
    give(node); // a training that was put into a subgraph
    paint(node, state);
  }
}

const post = (state, what) =>
  api.fetchApi("/seal/training", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt_id: state.prompt_id, node: state.node, do: what }),
  });

/** News of a training: what came is added to what is known of it. */
function heard(message) {
  if (!graphOf.has(message.prompt_id)) graphOf.set(message.prompt_id, root()?.id);
  const key = keyOf(message.node, graphOf.get(message.prompt_id));
  let state = states.get(key);
  const reused = message.phase === "result"; // then the pictures of the training before stay
  if (!state || message.phase === "start" || (state.prompt_id !== message.prompt_id && !reused)) {
    state = { prompt_id: message.prompt_id, node: message.node };
    if (!reused && message.phase !== "end") post(state, "show").catch(() => {}); // then ComfyUI's own preview is not drawn besides
  }
  states.delete(key); // the newest comes last
  states.set(key, state);
  Object.assign(state, message);
  show(state);
}

/** ComfyUI's message that a node has run. */
function ended({ prompt_id, node, output }) {
  const [end] = output?.seal_training ?? [];
  if (!end) return;
  const text = [output.text ?? []].flat().filter((t) => typeof t === "string").join("\n");
  offerConcept(end.file);
  heard({ ...end, prompt_id, node: String(node), phase: "result", stopping: false, text });
}

/** ComfyUI's message that a node has failed: what is wrong, and the remedy, on the node. */
function failed({ prompt_id, node_id, exception_message }) {
  if (!trains(nodesOf(app, node_id).at(-1))) return;
  heard({ prompt_id, node: String(node_id), phase: "end", how: "failed", error: String(exception_message ?? "").trim() });
}

function time(seconds) {
  if (seconds < 60) return t("{n} s", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 3600) return t("{n} min", { n: Math.round(seconds / 60) });
  return t("{h} h {n} min", { h: Math.floor(seconds / 3600), n: Math.round((seconds % 3600) / 60) });
}

function titleOf(s) {
  if (s.phase === "result" && s.reused) return t("Trained before, used again");
  if (s.phase === "result" && s.stopped) return t("Stopped after {step} of {steps} steps, kept", s);
  if (s.phase === "result") return t("Trained: {steps} steps in {time}", { ...s, time: time(s.seconds) });
  if (s.phase === "end" && s.how === "cancelled") return t("Cancelled, nothing is saved");
  if (s.phase === "end" && s.how === "failed") return t("Failed, nothing is saved");
  if (s.phase === "end") return t("Saving");
  if (s.phase === "words") return t("Looking for words that describe it");
  if (s.phase === "steps" && s.step >= s.steps) return t("Looking at what was learned");
  if (s.phase === "steps") return s.stopping ? t("Stopping") : t("Step {step} of {steps}", s);
  return s.phase === "start" ? t("Reading the sticker") : t("Not trained yet");
}

function drawCurve(svg, points, steps) {
  svg.replaceChildren();
  const line = svg.appendChild(document.createElementNS(SVG, "line"));
  for (const [name, value] of Object.entries({ x1: 0, x2: 100, y1: 39.5, y2: 39.5 })) line.setAttribute(name, value);
  if (!points?.length) return;
  const values = points.map(([, value]) => value);
  const low = Math.min(...values), high = Math.max(...values);
  const at = ([step, value]) =>
    `${((100 * step) / Math.max(steps, 1)).toFixed(2)},${(36 - (33 * (value - low)) / (high - low || 1)).toFixed(2)}`;
  const curve = svg.appendChild(document.createElementNS(SVG, "polyline"));
  curve.setAttribute("points", points.map(at).join(" "));
}

function gain(row, value, told) {
  row.hidden = typeof value !== "number";
  if (row.hidden) return;
  const [, track, words] = row.children;
  track.firstChild.style.width = `${Math.min(100, Math.max(0, 200 * value))}%`; // a full bar: 50 % better, as in the picture
  words.textContent = told(Math.round(100 * value));
}

function change(percent) {
  const n = Math.abs(percent);
  return !n ? t("unchanged") : percent < 0 ? t("{n} % worse", { n }) : t("{n} % better", { n });
}

const leaked = (percent) => (percent > 0 ? `${percent} %` : t("none"));

function noteOf(s) {
  if (s.phase === "result") return (s.notes ?? []).join("\n");
  if (s.phase === "end" && s.how === "failed") return s.error ?? "";
  if (s.phase === "end" && s.how === "cancelled") return t("Stop and keep, in place of Cancel, saves what is learned so far.");
  return s.phase ? "" : t("Run trains it. What the new word learns shows here.");
}

function paint(node, state) {
  const parts = panels.get(node);
  if (!parts) return;
  const s = state ?? {};
  const runs = ["start", "words", "steps"].includes(s.phase), over = s.phase === "result";
  parts.title.textContent = titleOf(s);
  parts.left.textContent = s.phase === "steps" && s.left != null && !s.stopping ? t("{time} left", { time: time(s.left) }) : "";
  parts.track.hidden = !runs;
  parts.track.classList.toggle("seal-waits", s.phase === "start" || !!s.stopping || (s.phase === "steps" && s.step >= s.steps));
  const done = s.phase === "words" ? s.done : s.phase === "steps" ? s.step / s.steps : 0;
  parts.track.firstChild.style.width = `${100 * Math.min(1, done)}%`;
  for (const name of ["attention", "sample"]) {
    if (s[name]?.startsWith("data:image/jpeg;base64,")) parts[name].src = s[name];
    else parts[name].removeAttribute("src");
  }
  drawCurve(parts.curve, s.curve, s.steps ?? 0);
  parts.words.hidden = !s.note;
  parts.words.lastChild.textContent = s.note ?? "";
  parts.words.title = s.note ?? "";
  gain(parts.likeness, over ? s.likeness : null, change);
  gain(parts.leak, over ? s.leak : null, leaked);
  const note = noteOf(s);
  parts.note.hidden = !note;
  parts.note.textContent = note;
  parts.top.title = over ? s.text : "";
  parts.buttons.hidden = !runs;
  parts.go.hidden = !(over && s.stopped && s.file) || !!node.subgraph;
  parts.more.hidden = runs || !!node.subgraph || !!globalThis.LiteGraph?.vueNodesMode; // Nodes 2.0 has a button of its own
  parts.more.textContent = node.showAdvanced ? t("Fewer settings") : t("More settings");
  parts.stop.disabled = s.phase !== "steps" || !!s.stopping;
}

function tile(panel, words) {
  const box = panel.appendChild(element("div", "seal-tile"));
  const picture = box.appendChild(element("img"));
  picture.alt = words;
  picture.draggable = false;
  box.append(element("span", "seal-faint", words));
  return picture;
}

function gainRow(panel, words, meaning, colour) {
  const row = panel.appendChild(element("div", "seal-gain"));
  const track = element("div", "seal-track");
  track.append(element("i"));
  track.firstChild.style.background = colour;
  row.append(element("span", "seal-faint", words), track, element("span", "seal-cut"));
  row.title = meaning;
  return row;
}

function build(node) {
  const panel = addPanel(node, WIDGET, HEIGHT);
  if (!panel) return;
  panel.prepend(element("style", "", STYLE));
  const parts = {};
  const top = (parts.top = panel.appendChild(element("div", "seal-row")));
  parts.title = top.appendChild(element("b", "seal-grow seal-cut"));
  parts.left = top.appendChild(element("span", "seal-faint"));
  parts.track = panel.appendChild(element("div", "seal-track"));
  parts.track.append(element("i"));
  const tiles = panel.appendChild(element("div", "seal-tiles"));
  parts.attention = tile(tiles, t("attention"));
  parts.sample = tile(tiles, t("preview"));
  parts.curve = panel.appendChild(document.createElementNS(SVG, "svg"));
  parts.curve.setAttribute("class", "seal-curve");
  parts.curve.setAttribute("viewBox", "0 0 100 40");
  parts.curve.setAttribute("preserveAspectRatio", "none");
  parts.curve.setAttribute("role", "img");
  parts.curve.setAttribute("aria-label", t("the loss along the steps"));
  parts.words = panel.appendChild(element("div", "seal-row seal-cut"));
  parts.words.append(element("span", "seal-faint", `${t("Looks like")} `), element("b", "seal-grow seal-cut"));
  parts.likeness = gainRow(
    panel, t("Likeness"), t("How much better the model restores the character elsewhere"), "var(--seal-blue)",
  );
  parts.leak = gainRow(
    panel, t("Leak"), t("How much better it restores the sticker's own ground: less is better"), "var(--seal-amber)",
  );
  parts.note = panel.appendChild(element("div", "seal-note seal-faint"));
  parts.buttons = panel.appendChild(element("div", "seal-row"));
  parts.stop = parts.buttons.appendChild(element("button", "seal-grow", t("Stop and keep")));
  parts.stop.title = t("End now and save what is learned so far");
  const cancel = parts.buttons.appendChild(element("button", "", t("Cancel")));
  cancel.title = t("End now and save nothing");
  parts.go = panel.appendChild(element("div", "seal-row"));
  const on = parts.go.appendChild(element("button", "seal-grow", t("Go on")));
  on.title = t("Train the steps that are left, from what was kept");
  on.addEventListener("click", () => goOn(node, stateOf(node)));
  parts.more = panel.appendChild(element("button"));
  parts.more.addEventListener("click", () => {
    toggleAdvanced(node);
    paint(node, stateOf(node));
  });
  for (const button of [parts.stop, cancel, on, parts.more]) button.type = "button";
  parts.stop.addEventListener("click", async () => {
    const state = stateOf(node);
    if (!state) return;
    state.stopping = true;
    show(state);
    const answer = await post(state, "stop").catch(() => null);
    if (!answer?.ok) state.stopping = false;
    show(state);
  });
  cancel.addEventListener("click", () => api.interrupt(stateOf(node)?.prompt_id ?? null));
  panels.set(node, parts);
  paint(node);
}

/** The panel shows the pictures: ComfyUI need not draw them below it once more. */
function hideComfyPictures(node) {
  node.hideOutputImages = true; // Nodes 2.0
  node.onDrawBackground = () => {}; // classic: this draws them, and makes the node grow
}

/** Give a training node, or a subgraph's node with a training inside, its panel. */
function give(node) {
  if (widgetOf(node, WIDGET) || !trains(node)) return;
  try {
    build(node);
    if (!widgetOf(node, WIDGET)) return;
    if (node.subgraph) {
      node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
      return;
    }
    hideComfyPictures(node);
    hideAdvanced(node);
  } catch (error) {
    console.warn("[SEAL] no live panel:", error);
  }
}

app.registerExtension({
  name: "SEAL.TrainingPanel",

  setup() {
    const hear = (event, told) => listen(api, event, told, "the live panel does not show this");
    hear("seal.training", heard);
    hear("executed", ended);
    hear("execution_error", failed);
  },

  nodeCreated(node) {
    give(node);
  },

  /** After a change of the workflow's tab the nodes are new. Front end 1.35 takes a subgraph's widgets away when it is filled. */
  afterConfigureGraph() {
    for (const node of root()?._nodes ?? []) if (node.subgraph) give(node);
    for (const state of states.values()) show(state);
  },
});
