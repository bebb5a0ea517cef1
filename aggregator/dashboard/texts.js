// The page's words. English and Korean are in files beside this one; no other file holds any.

const LANGUAGES = ["en", "ko"];
const attributes = { label: "aria-label", title: "title" };
const listeners = [];
let words = {};

export let language = "en";

/** The text of a key, with {name} replaced by the parameters. */
export function text(key, parameters = {}) {
  const found = words[key] ?? key;
  return found.replace(/\{(\w+)\}/g, (_, name) => parameters[name] ?? "");
}

/** Calls back now and whenever the language changes. */
export function whenSpoken(speak) {
  listeners.push(speak);
  speak();
}

export function preferredLanguage() {
  const chosen = localStorage.getItem("language");
  if (LANGUAGES.includes(chosen)) return chosen;
  return navigator.languages.some((name) => name.startsWith("ko")) ? "ko" : "en";
}

export async function speak(name) {
  const answer = await fetch(new URL(`./texts/${name}.json`, import.meta.url));
  words = await answer.json();
  language = name;
  document.documentElement.lang = name;
  translate(document);
  for (const listener of listeners) listener();
}

function translate(root) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
  for (const [name, attribute] of Object.entries(attributes)) {
    for (const node of root.querySelectorAll(`[data-${name}]`)) node.setAttribute(attribute, text(node.dataset[name]));
  }
}
