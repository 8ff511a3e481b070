// Ticking rows: the box in the head ticks the page, Shift a range, `x` the row in focus. Without this file
// each box is ticked by itself, and the one in the head stands for the page all the same.
(() => {
  "use strict";
  let last = null; // the box that was ticked before, where a range begins

  const boxes = () => [...document.querySelectorAll("[data-pick]")];

  function refresh() {
    const all = boxes();
    const head = document.querySelector("[data-picks-all]");
    const said = document.querySelector("[data-picked]");
    if (!head || !said) return;
    const number = all.filter((box) => box.checked).length;
    head.checked = number === all.length;
    head.indeterminate = number > 0 && !head.checked;
    said.textContent = document.querySelector("[data-picks-view]")?.checked ? "All selected" : `${number} selected`;
    for (const box of all) box.closest("tr").classList.toggle("is-picked", box.checked);
  }

  function tickRange(to) {
    const all = boxes();
    const [first, end] = [all.indexOf(last), all.indexOf(to)].sort((a, b) => a - b);
    if (first >= 0) for (const box of all.slice(first, end + 1)) box.checked = to.checked;
  }

  document.addEventListener("click", (event) => {
    const box = event.target.closest("[data-pick]");
    if (!box) return;
    if (event.shiftKey) tickRange(box);
    last = box;
    refresh();
  });

  document.addEventListener("change", (event) => {
    const { target } = event;
    if (target.matches("[data-picks-all]")) for (const box of boxes()) box.checked = target.checked;
    if (target.matches("[data-picks-all], [data-pick], [data-picks-view]")) refresh();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = event.target.closest?.("tr[data-href]")?.querySelector("[data-pick]");
    if (box && !event.target.matches("input:not([type=checkbox])")) box.click();
  });

  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("htmx:afterSettle", refresh);
})();
