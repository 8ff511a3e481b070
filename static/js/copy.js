// Copy buttons: `<button data-copy="id-of-the-input">`. Without this file the input can still be
// selected by hand. Where the clipboard is closed to pages (plain http), the old command is used.
(() => {
  "use strict";
  const SAID_MS = 2500;

  async function write(input) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(input.value);
    input.focus();
    input.select();
    if (!document.execCommand("copy")) throw new Error("copying is not allowed here");
  }

  function say(button, text, copied) {
    const label = button.querySelector("[data-copy-label]");
    const status = button.parentElement.querySelector("[data-copy-status]");
    label.textContent = text;
    if (status) status.textContent = text;
    button.toggleAttribute("data-copied", copied);
    clearTimeout(button.timer);
    button.timer = setTimeout(() => {
      label.textContent = "Copy";
      if (status) status.textContent = "";
      button.removeAttribute("data-copied");
    }, SAID_MS);
  }

  // A text beside its own small button, such as an id in a table.
  async function copyText(button) {
    const input = document.createElement("textarea");
    input.value = button.dataset.copyText;
    input.className = "visually-hidden";
    document.body.append(input);
    try {
      await write(input);
      toast("Copied");
    } catch {
      toast("Copying is not allowed here. Select the text, and press Ctrl+C.");
    }
    input.remove();
    button.focus();
  }

  const toast = (text) => document.dispatchEvent(new CustomEvent("toast", { detail: { text } }));

  document.addEventListener("click", async (event) => {
    const small = event.target.closest("[data-copy-text]");
    if (small) return copyText(small);
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const input = document.getElementById(button.dataset.copy);
    try {
      await write(input);
      button.focus();
      say(button, "Copied", true);
    } catch {
      input.focus();
      input.select();
      say(button, "Press Ctrl+C", false);
    }
  });
})();
