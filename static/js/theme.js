// Light, dark or as the system has it. This file is loaded in the head and at once, so that a
// dark page never flashes white; it also tells the stylesheet that scripts run here (`html.js`).
(() => {
  "use strict";
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  root.classList.add("js");

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage can be forbidden; the system's theme is a fine answer
    }
  }

  function current() {
    return root.dataset.theme || "system";
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const name of document.querySelectorAll("[data-theme-name]")) name.textContent = current();
  }

  apply(stored());
  document.addEventListener("DOMContentLoaded", () => apply(current()));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = themes[(themes.indexOf(current()) + 1) % themes.length];
    apply(next);
    try {
      localStorage.setItem("theme", next);
    } catch {
      // it holds for this page then
    }
  });
})();
