// The layer picker on SEAL Layer Restriction: the U-Net's cross-attention sites as a map to click on. It writes the
// widgets `preset` and `layers`; without this script those are used as they are.
//
// Which sites there are comes from the core: of known models with the node's definition (`seal_site_maps`), of the
// wired one with the node's last run (`seal_site_map`). A map lists [part, side of the attention maps, sites].

import { app } from "../../scripts/app.js";
import { addPanel, element, onChange, setWidget, widgetOf } from "./panel_kit.js";
import { t } from "./texts.js";

const NODE = "LayerRestrictionSpec";
const WIRED = "wired model";
const HEIGHT = 268;
const STYLE = `
.seal-map { display: grid; grid-template-columns: 1fr 30px 1fr; gap: 3px 6px; flex: 1; align-content: start; overflow: auto; }
.seal-head { text-align: center; font-size: 11px; }
.seal-panel button.seal-head { padding: 1px 4px; border-color: transparent; }
.seal-sites { display: flex; flex-wrap: wrap; gap: 2px; align-content: flex-start; }
.seal-sites.seal-end { justify-content: flex-end; }
.seal-panel button.seal-site { width: var(--seal-side, 22px); height: var(--seal-side, 22px); padding: 0; border-radius: 4px; flex: none; }
.seal-panel button.seal-preset { flex: 1 1 auto; padding: 2px 5px; font-size: 11px; }
.seal-side { font-size: 11px; text-align: center; align-self: center; }
.seal-middle { grid-column: 1 / -1; justify-content: center; }
`;

let known = {}; // kind of model -> its map, from the node's definition

/** [{name, part, side}] of a map, in the order in which the model runs them. */
function sitesOf(map) {
  const counts = {};
  return (map ?? []).flatMap(([part, side, count]) =>
    Array.from({ length: count }, () => {
      counts[part] = (counts[part] ?? -1) + 1;
      return { part, side, name: `${part}.${counts[part]}` };
    }),
  );
}

/** The names that a preset or a layer expression selects, as seal_core/method/sites.py reads it; null: not readable. */
function selected(text, sites) {
  const up = sites.filter((s) => s.part === "up");
  if (text.trim() === "appearance") {
    const coarsest = Math.min(...up.map((s) => s.side));
    const fine = up.filter((s) => s.side > coarsest);
    return new Set((fine.length ? fine : up).map((s) => s.name));
  }
  const chosen = new Set();
  const terms = text.trim().toLowerCase().split(/[,\s]+/).filter(Boolean);
  for (const [i, term] of terms.entries()) {
    const match = /^(-?)(all|down|mid|up)(?:\.(\d+)(?:-(\d+))?)?$/.exec(term);
    if (!match) return null;
    const [, out, part, first, last] = match;
    const names = sites.filter((s) => part === "all" || s.part === part).map((s) => s.name);
    const meant = first === undefined ? names : names.slice(Number(first), Number(last ?? first) + 1);
    if (!meant.length || (first !== undefined && (part === "all" || Number(last ?? first) >= names.length))) return null;
    if (out && i === 0) for (const s of sites) chosen.add(s.name);
    for (const name of meant) out ? chosen.delete(name) : chosen.add(name);
  }
  return chosen.size ? chosen : null;
}

/** The shortest expression for a selection: whole parts by name, the others as ranges. */
function spelled(chosen, sites) {
  if (sites.every((s) => chosen.has(s.name))) return "all";
  const terms = [];
  for (const part of ["down", "mid", "up"]) {
    const own = sites.filter((s) => s.part === part);
    if (own.length && own.every((s) => chosen.has(s.name))) {
      terms.push(part);
      continue;
    }
    for (let i = 0; i < own.length; i++) {
      if (!chosen.has(own[i].name)) continue;
      const first = i;
      while (i + 1 < own.length && chosen.has(own[i + 1].name)) i++;
      terms.push(first === i ? `${part}.${i}` : `${part}.${first}-${i}`);
    }
  }
  return terms.join(", ");
}

/** Which model is wired, as far as the graph tells. */
function guess(node) {
  let here = node;
  for (let i = 0; here?.graph && i < 20; i++) {
    const slot = here.inputs?.findIndex((input) => input.type === "MODEL") ?? -1;
    const before = slot < 0 ? null : here.getInputNode?.(slot);
    if (!before) break;
    here = before;
  }
  if (here?.comfyClass === "SEALDemoModel") return "included";
  const files = (here === node ? [] : here?.widgets ?? []).map((w) => String(w.value)).join(" ");
  return /xl|pony|illustrious|noob/i.test(files) ? "SDXL" : Object.keys(known)[0];
}

function build(node) {
  const panel = addPanel(node, "seal_layers", HEIGHT);
  if (!panel) return;
  panel.prepend(element("style", "", STYLE));
  const maps = () => ({ ...known, ...(node.sealSites ? { [WIRED]: node.sealSites } : {}) });
  const kind = () => (node.properties?.seal_sites in maps() ? node.properties.seal_sites : node.sealSites ? WIRED : guess(node));
  const text = () => {
    const preset = widgetOf(node, "preset")?.value ?? "up";
    return String(preset === "custom" ? widgetOf(node, "layers")?.value ?? "" : preset);
  };

  function choose(preset, layers) {
    if (layers !== undefined) setWidget(app, node, "layers", layers);
    setWidget(app, node, "preset", preset);
    paint();
    node.setDirtyCanvas?.(true, true);
  }

  function flip(names) {
    const sites = sitesOf(maps()[kind()]);
    const chosen = new Set(selected(text(), sites) ?? []);
    const all = names.every((name) => chosen.has(name));
    for (const name of names) all ? chosen.delete(name) : chosen.add(name);
    if (chosen.size) choose("custom", spelled(chosen, sites)); // the last one stays: no layer at all would be an error
  }

  const model = element("select", "seal-grow");
  model.title = t("Whose layers are shown: the wired model's own once this node has run");
  model.addEventListener("change", () => {
    node.properties ??= {};
    node.properties.seal_sites = model.value;
    paint();
  });
  const presets = element("div", "seal-row");
  const map = element("div", "seal-map");
  const told = element("div", "seal-faint seal-cut");
  const top = element("div", "seal-row");
  top.append(element("span", "seal-faint", t("Layers of")), model);
  panel.append(top, presets, map, told);

  function button(parent, className, words, pressed, title, names) {
    const made = parent.appendChild(element("button", className, words));
    made.type = "button";
    made.title = title;
    if (pressed !== null) made.setAttribute("aria-pressed", String(pressed));
    made.addEventListener("click", () => flip(names));
    return made;
  }

  function row(sites, chosen, end) {
    const box = element("div", end ? "seal-sites seal-end" : "seal-sites");
    for (const site of sites) {
      const reads = chosen.has(site.name) ? t("{site}: reads the learned word", { site: site.name })
        : t("{site}: reads the class word", { site: site.name });
      const made = button(box, "seal-site", "", chosen.has(site.name), reads, [site.name]);
      made.setAttribute("aria-label", site.name);
    }
    return box;
  }

  function paint() {
    const sites = sitesOf(maps()[kind()]);
    const found = selected(text(), sites), chosen = found ?? new Set();
    const called = { included: t("the included model"), [WIRED]: t("the wired model") };
    model.replaceChildren(
      ...Object.keys(maps()).map((name) => Object.assign(element("option", "", called[name] ?? name), { value: name })),
    );
    model.value = kind();
    presets.replaceChildren();
    for (const preset of ["up", "appearance", "all", "custom"]) {
      const made = presets.appendChild(element("button", "seal-preset", preset));
      made.type = "button";
      made.title = preset === "custom" ? t("What you click together below") : t("The preset {preset}", { preset });
      made.setAttribute("aria-pressed", String(widgetOf(node, "preset")?.value === preset));
      made.addEventListener("click", () => choose(preset, preset === "custom" && found ? spelled(chosen, sites) : undefined));
    }
    map.replaceChildren();
    map.style.setProperty("--seal-side", sites.length > 30 ? "11px" : "20px");
    const names = (part, side) => sites.filter((s) => s.part === part && (side ? s.side === side : true));
    const heads = { down: t("down, in"), up: t("up, out") };
    button(map, "seal-head seal-faint", heads.down, null, t("All of the down part"), names("down").map((s) => s.name));
    map.append(element("span", "seal-head seal-faint", t("map")));
    button(map, "seal-head seal-faint", heads.up, null, t("All of the up part"), names("up").map((s) => s.name));
    for (const side of [...new Set(sites.filter((s) => s.part !== "mid").map((s) => s.side))].sort((a, b) => b - a)) {
      const size = element("span", "seal-side seal-faint", String(side));
      size.title = t("Attention maps of {side} x {side} cells", { side });
      map.append(row(names("down", side), chosen, true), size, row(names("up", side), chosen, false));
    }
    const mid = names("mid");
    if (mid.length) {
      const box = row(mid, chosen, false);
      box.classList.add("seal-middle");
      box.prepend(element("span", "seal-head seal-faint", t("mid {side}", mid[0])));
      map.append(box);
    }
    told.textContent = found
      ? t("{n} of {all} read the learned word", { n: chosen.size, all: sites.length })
      : t("`layers` names none of this model's layers");
  }

  onChange(node, "preset", paint);
  onChange(node, "layers", paint);
  const configured = node.onConfigure, executed = node.onExecuted, wired = node.onConnectionsChange;
  node.onConfigure = function () {
    const result = configured?.apply(this, arguments);
    paint();
    return result;
  };
  node.onConnectionsChange = function () {
    const result = wired?.apply(this, arguments);
    setTimeout(paint); // the link is made after this
    return result;
  };
  node.onExecuted = function (message) {
    const result = executed?.apply(this, arguments);
    const [walked] = message?.seal_site_map ?? [];
    if (Array.isArray(walked)) {
      this.sealSites = walked;
      if (this.properties?.seal_sites) delete this.properties.seal_sites;
      paint();
    }
    return result;
  };
  paint();
}

app.registerExtension({
  name: "SEAL.LayerPicker",

  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData?.name !== NODE) return;
    const spec = { ...nodeData.input?.required, ...nodeData.input?.optional }.layers;
    known = spec?.[1]?.seal_site_maps ?? {};
  },

  nodeCreated(node) {
    if ((node?.comfyClass ?? node?.constructor?.comfyClass) !== NODE || !Object.keys(known).length) return;
    try {
      build(node);
    } catch (error) {
      console.warn("[SEAL] no layer picker:", error);
    }
  },
});
