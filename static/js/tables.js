// Comforts of tables. `/` goes to the search; a row with `data-href` opens like the link in it; a
// select with `data-submits` sends its form; a menu closes when one clicks beside it or presses
// Escape. Without this file the links, the Apply button and the menus' own summaries do the same.
(() => {
  "use strict";
  const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";

  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-search]");
      if (!search || event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape") {
      const menu = event.target.closest?.("details.menu[open], details.topbar__menu[open]");
      if (!menu) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, summary, label, input, select")) return;
    if (String(window.getSelection())) return; // somebody is selecting text, not opening the row
    if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
    else window.location.assign(row.dataset.href);
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form?.requestSubmit();
  });
})();
