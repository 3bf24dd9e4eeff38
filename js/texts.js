// The words of the pack's own panels and buttons in ComfyUI's language: texts/LANGUAGE.json holds English -> translation.
// English, and what is missing there, stays as it is. ComfyUI imports every file in this folder; this one registers nothing.

import { app } from "../../scripts/app.js";

let translations = {};
try {
  const language = app.ui?.settings?.getSettingValue?.("Comfy.Locale") ?? "en";
  if (/^(zh|ja|ko)$/.test(language)) {
    const answer = await fetch(new URL(`./texts/${language}.json`, import.meta.url));
    if (answer.ok) translations = await answer.json();
  }
} catch (error) {
  console.warn("[SEAL] English texts:", error);
}

/** A text in ComfyUI's language; `values` stand where it says {name}. */
export function t(text, values = {}) {
  return (translations[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
