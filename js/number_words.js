// Writes a word over numbers that stand for something else: "preset" for -1. An input's option `seal_words` lists
// [number, word]. The value stays the number, and without this script the number shows.

import { app } from "../../scripts/app.js";
import { t } from "./texts.js";

const STYLE = `
[data-seal-word] { position: relative; }
[data-seal-word] input:not(:focus) { color: transparent !important; }
[data-seal-word]::after { content: attr(data-seal-word); position: absolute; inset: 0; display: flex; align-items: center;
  justify-content: center; pointer-events: none; font-size: 12px; color: var(--descrip-text, #999); z-index: 11; }
[data-seal-word]:focus-within::after { content: none; }
`;

const wordsOfNode = new Map(); // node type -> { input name: [[number, word], ...] }

function wordOf(words, value) {
  const word = words?.find(([number]) => number === Number(value))?.[1];
  return word && t(word);
}

/** Classic: the node is drawn on a canvas, and its widget says what is written. */
function nameNumbers(node, inputs) {
  for (const widget of node.widgets ?? []) {
    const words = inputs[widget?.name];
    if (!words) continue;
    let owner = widget, before;
    while (owner && !before) {
      before = Object.getOwnPropertyDescriptor(owner, "_displayValue");
      owner = Object.getPrototypeOf(owner);
    }
    if (!before?.get) continue; // another front end: the number shows
    Object.defineProperty(widget, "_displayValue", {
      configurable: true,
      get() {
        const shown = before.get.call(this);
        return shown === "" ? shown : wordOf(words, this.value) ?? shown;
      },
    });
  }
}

/** Nodes 2.0: the node is HTML; its number fields say their value in aria-valuenow. */
function nameFields() {
  for (const field of document.querySelectorAll("[data-node-id] [aria-valuenow]")) {
    const id = field.closest("[data-node-id]").dataset.nodeId;
    const node = app.canvas?.graph?.getNodeById?.(id) ?? app.canvas?.graph?.getNodeById?.(Number(id));
    const inputs = wordsOfNode.get(node?.comfyClass);
    const box = inputs && (field.matches("[aria-label]") ? field.parentElement : field.closest("[aria-label]"));
    if (!box) continue;
    const label = field.getAttribute("aria-label") ?? box.getAttribute("aria-label");
    const widget = node.widgets?.find((w) => label && (w?.name === label || w?.label === label)); // in another language
    const word = wordOf(inputs[widget?.name], field.getAttribute("aria-valuenow"));
    if (word) box.dataset.sealWord = word;
    else delete box.dataset.sealWord;
  }
}

let asked = false;
function nameFieldsSoon() {
  if (asked || !wordsOfNode.size) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    try {
      nameFields();
    } catch (error) {
      console.warn("[SEAL] numbers stay numbers:", error);
    }
  });
}

app.registerExtension({
  name: "SEAL.NumberWords",

  setup() {
    const style = document.head.appendChild(document.createElement("style"));
    style.textContent = STYLE;
    new MutationObserver((changes) => {
      const concerns = changes.some(
        (c) => c.type === "attributes" || [...c.addedNodes].some((n) => n.querySelector?.("[aria-valuenow]")),
      );
      if (concerns) nameFieldsSoon();
    }).observe(document.body, { childList: true, subtree: true, attributeFilter: ["aria-valuenow"] });
  },

  beforeRegisterNodeDef(nodeType, nodeData) {
    const all = { ...nodeData?.input?.required, ...nodeData?.input?.optional };
    const found = Object.entries(all).filter(([, spec]) => Array.isArray(spec?.[1]?.seal_words));
    if (found.length) wordsOfNode.set(nodeData.name, Object.fromEntries(found.map(([name, spec]) => [name, spec[1].seal_words])));
  },

  nodeCreated(node) {
    const inputs = wordsOfNode.get(node?.comfyClass ?? node?.constructor?.comfyClass);
    if (!inputs) return;
    try {
      nameNumbers(node, inputs);
    } catch (error) {
      console.warn("[SEAL] numbers stay numbers:", error);
    }
  },
});
