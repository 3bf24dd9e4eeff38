// Notes of our templates in letters that can be read when the whole workflow is in view: a note says how large, in
// pixels of the graph, in its property `seal_text`. Without this script they have ComfyUI's size.

import { app } from "../../scripts/app.js";

const style = document.createElement("style");

const sizeOf = (node) => (node?.type === "MarkdownNote" ? Math.min(40, Math.max(0, Number(node.properties?.seal_text) || 0)) : 0);

// h1 is the title; the other headings are steps, as large as the text.
const rule = (at, size) => `
${at} { font-size: ${size}px !important; line-height: 1.35 !important; }
${at} h1 { font-size: 1.3em !important; margin: 0 0 0.4em !important; }
${at} :is(h2, h3) { font-size: 1em !important; margin: 0 0 0.45em !important; }
${at} :is(p, ul) { margin: 0 0 0.45em !important; }
${at} code { font-size: 1em !important; }`;

function write() {
  const notes = (app.graph?._nodes ?? []).filter(sizeOf);
  for (const node of notes) node.widgets?.[0]?.element?.setAttribute("data-seal-text", sizeOf(node)); // classic
  const sizes = new Set(notes.map(sizeOf));
  style.textContent = [
    ...[...sizes].map((size) => rule(`[data-seal-text="${size}"] .tiptap`, size)),
    ...notes.map((node) => rule(`[data-node-id="${node.id}"] .comfy-markdown-content`, sizeOf(node))), // Nodes 2.0
  ].join("");
}

app.registerExtension({
  name: "SEAL.TemplateNotes",

  setup() {
    document.head.append(style);
  },

  afterConfigureGraph() {
    try {
      write();
    } catch (error) {
      console.warn("[SEAL] notes keep ComfyUI's size:", error);
    }
  },
});
