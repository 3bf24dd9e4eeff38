// The pictures that our templates start with: put into ComfyUI's input folder when such a template opens.
//
// A workflow names them in `extra.seal_examples`. A file of that name that is there stays as it is. Without JavaScript
// the template opens too, and Load Image asks for a picture.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const FOLDER = new URL("./examples/", import.meta.url);
const PLAIN_NAME = /^seal-[a-z-]+\.(png|jpg|gif)$/;

const namedIn = (workflow) =>
  (Array.isArray(workflow?.extra?.seal_examples) ? workflow.extra.seal_examples : []).filter(
    (name) => typeof name === "string" && PLAIN_NAME.test(name),
  );

async function inputFiles() {
  const definition = (await (await api.fetchApi("/object_info/LoadImage")).json()).LoadImage;
  const [kind, options] = definition.input.required.image;
  return Array.isArray(kind) ? kind : (options?.options ?? []);
}

async function bring(name) {
  const picture = await fetch(new URL(name, FOLDER));
  if (!picture.ok) throw new Error(`${name}: ${picture.status}`);
  const body = new FormData();
  body.append("image", new File([await picture.blob()], name));
  await api.fetchApi("/upload/image", { method: "POST", body });
}

function offer(node, names) {
  const values = node.widgets?.find((widget) => widget?.name === "image")?.options?.values;
  if (!Array.isArray(values)) return;
  for (const name of names) if (!values.includes(name)) values.push(name);
}

app.registerExtension({
  name: "SEAL.Examples",

  async beforeConfigureGraph(workflow) {
    const names = namedIn(workflow);
    if (!names.length) return;
    try {
      const there = await inputFiles();
      await Promise.all(names.filter((name) => !there.includes(name)).map(bring));
    } catch (error) {
      console.warn("[SEAL] no example pictures:", error);
    }
  },

  afterConfigureGraph() {
    const names = namedIn({ extra: app.graph?.extra });
    for (const node of app.graph?._nodes ?? []) if (node.type === "LoadImage") offer(node, names);
  },
});
