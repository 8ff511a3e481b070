// Short messages in the corner. They come from the server, as flashed messages already in the
// page or as an HX-Trigger `{"toast": "text"}` or `{"toast": {"text": "...", "kind": "error"}}`,
// or from another script through `document.dispatchEvent(new CustomEvent("toast", {detail}))`.
(() => {
  "use strict";
  const READ_MS = 7000;
  const AWAY = "The server cannot be reached. What is shown may be old; try again in a moment.";
  const region = () => document.getElementById("toasts");

  function dismissable(toast) {
    let timer;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "toast__close";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "\u00d7";
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
    if (toast.classList.contains("toast--error")) return; // an error stays until it was read
    const start = () => { clearTimeout(timer); timer = setTimeout(() => toast.remove(), READ_MS); };
    const stop = () => clearTimeout(timer);
    for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, stop);
    for (const name of ["mouseleave", "focusout"]) toast.addEventListener(name, start);
    start();
  }

  function show(text, kind) {
    if (!text || !region()) return;
    for (const old of region().children) if (old.dataset.text === text) old.remove();
    const toast = document.createElement("div");
    const words = document.createElement("div");
    toast.className = kind === "error" ? "toast toast--error" : "toast";
    toast.dataset.text = text;
    words.className = "toast__text";
    words.textContent = text;
    toast.append(words);
    region().append(toast);
    dismissable(toast);
  }

  document.addEventListener("toast", (event) => {
    const said = event.detail || {};
    show(said.text || said.value, said.kind);
  });
  const away = () => [...(region()?.children || [])].find((toast) => toast.dataset.text === AWAY);
  document.addEventListener("htmx:sendError", () => {
    if (!away()) show(AWAY, "error"); // a part that asks every few seconds says it once
  });
  document.addEventListener("htmx:beforeOnLoad", () => away()?.remove()); // it has answered
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (event.detail.xhr.getResponseHeader("HX-Trigger")?.includes('"toast"')) return; // it says so itself
    if (status === 401) show("You have been signed out. Sign in again and repeat what you did.", "error");
    else if (status === 403) show("You may not do this. Nothing was changed.", "error");
    else if (status === 404) show("This is no longer here. Reload the page to see what is.", "error");
    else if (status === 429) show("That was too often. Wait a minute and try again.", "error");
    else show("Something went wrong and nothing was changed. Try again in a moment.", "error");
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const toast of region()?.children || []) dismissable(toast);
  });
})();
