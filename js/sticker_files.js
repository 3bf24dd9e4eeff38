// A "Choose files…" button on SEAL Load Stickers, and files dropped on the node: they go into ComfyUI's input folder,
// and their names into `files`. Without this script users put them there and write the names.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { classOf, setWidget, widgetOf } from "./panel_kit.js";
import { t } from "./texts.js";

const NODE = "SEALLoadStickers";
const KINDS = ".gif,.webp,.png,.apng,.jpg,.jpeg,.bmp";
const isPicture = (file) => file.type.startsWith("image/");

async function upload(file, subfolder) {
  const body = new FormData();
  body.append("image", file);
  body.append("subfolder", subfolder);
  const answer = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!answer.ok) throw new Error(`${file.name}: ${answer.status}`);
  return (await answer.json()).name; // another one if the name was taken
}

async function take(node, files) {
  const [root, ...below] = String(widgetOf(node, "folder")?.value ?? "input").split("/");
  if (root !== "input") setWidget(app, node, "folder", "input");
  try {
    const names = await Promise.all(files.map((file) => upload(file, root === "input" ? below.join("/") : "")));
    const lines = String(widgetOf(node, "files")?.value ?? "").split("\n").map((line) => line.trim());
    const kept = lines.filter((line) => line && !/[*?]/.test(line)); // names stay, patterns give way to names
    setWidget(app, node, "files", [...new Set([...kept, ...names])].join("\n"));
    node.setDirtyCanvas?.(true, true);
  } catch (error) {
    console.warn("[SEAL] not uploaded:", error);
    app.extensionManager?.toast?.add?.({ severity: "error", summary: t("Not uploaded"), detail: String(error.message) });
  }
}

function choose(node) {
  const input = Object.assign(document.createElement("input"), { type: "file", multiple: true, accept: KINDS });
  input.addEventListener("change", () => input.files.length && take(node, [...input.files]));
  input.click();
}

app.registerExtension({
  name: "SEAL.StickerFiles",

  nodeCreated(node) {
    if (classOf(node) !== NODE) return;
    try {
      const button = node.addWidget?.("button", t("Choose files…"), null, () => choose(node), { serialize: false });
      // Widget values are saved by position: the button is last, and saves none.
      if (button) button.serialize = false;
      node.onDragOver = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
      node.onDragDrop = (event) => {
        const files = [...(event.dataTransfer?.files ?? [])].filter(isPicture);
        if (files.length) take(node, files);
        return files.length > 0;
      };
    } catch (error) {
      console.warn("[SEAL] files go into ComfyUI's input folder by hand:", error);
    }
  },
});
