// Keys of the tables: arrows (or j and k) go from row to row, Enter opens the one in focus, n and p turn
// pages, `?` shows them all. And while rows are on their way, those shown say that they are old.
(() => {
  "use strict";
  const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
  const MOVES = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
  let kept = null; // the label of a menu that stays open over a swap

  const links = () => [...document.querySelectorAll("tr[data-href] > th a")];

  function step(by) {
    const rows = links();
    const here = rows.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = rows[here < 0 ? (by > 0 ? 0 : rows.length - 1) : here + by];
    if (!next) return false;
    next.focus();
    next.closest("tr").scrollIntoView({ block: "nearest" });
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.(TYPING);
    if (typing) {
      if (event.key === "ArrowDown" && typing.matches("[data-search]") && step(1)) event.preventDefault();
      else if (event.key === "Escape" && typing.matches("[data-search]") && !typing.value) typing.blur();
      return;
    }
    if (event.target.closest?.("details[open], [role=tab]")) return;
    const help = document.getElementById("table-help");
    if (event.key === "?" && help) help.showModal();
    else if (event.key in MOVES) {
      if (!step(MOVES[event.key])) return;
    } else if (event.key === "n" || event.key === "p") {
      const turn = document.querySelector(`.pager a[rel="${event.key === "n" ? "next" : "prev"}"]`);
      if (!turn) return;
      turn.click();
    } else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-keeps-menu]")) return;
    kept = event.target.closest("details.menu")?.querySelector("summary").textContent.trim() ?? null;
  });

  document.addEventListener("htmx:afterSettle", () => {
    if (kept === null) return;
    for (const summary of document.querySelectorAll("details.menu > summary")) {
      if (summary.textContent.trim() === kept) summary.parentElement.open = true;
    }
    kept = null;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target?.matches(".table-card > div")) event.detail.target.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", (event) => event.detail.target?.removeAttribute("aria-busy"));
})();
