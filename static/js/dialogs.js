// Dialogs. `<a href="/confirm" data-dialog="id">` opens `<dialog id>` when it is on the page and
// otherwise leads to the page that asks the same question. `data-dialog-close` closes; a dialog
// that arrives with `data-dialog-open` opens itself. An input with `data-must-equal` has to be
// given that very text. The server checks again.
(() => {
  "use strict";

  function open(dialog) {
    if (dialog && typeof dialog.showModal === "function" && !dialog.open) dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog && dialog.showModal) {
        event.preventDefault();
        open(dialog);
      }
      return;
    }
    if (event.target.closest("[data-dialog-close]")) {
      const dialog = event.target.closest("dialog");
      if (dialog) {
        event.preventDefault();
        dialog.close();
      }
    } else if (event.target.nodeName === "DIALOG") {
      event.target.close(); // a click beside the dialog lands on its backdrop
    }
  });

  document.addEventListener("input", (event) => {
    const wanted = event.target.dataset?.mustEqual;
    if (wanted === undefined) return;
    const same = event.target.value.trim() === wanted.trim();
    event.target.setCustomValidity(same ? "" : `Type “${wanted}” exactly as it is written.`);
  });

  const openArrived = (root) => {
    for (const dialog of root.querySelectorAll("dialog[data-dialog-open]")) open(dialog);
  };
  document.addEventListener("DOMContentLoaded", () => openArrived(document));
  document.addEventListener("htmx:afterSettle", () => openArrived(document));
})();
