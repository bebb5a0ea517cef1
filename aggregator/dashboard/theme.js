// Light or dark: as the system has it, or as chosen here.

import { $ } from "./dom.js";

/** `changed` is called after every change. */
export function startTheme(changed) {
  const use = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  $("theme").value = localStorage.getItem("theme") ?? "system";
  use($("theme").value);
  $("theme").addEventListener("change", () => {
    localStorage.setItem("theme", $("theme").value);
    use($("theme").value);
    changed();
  });
}
