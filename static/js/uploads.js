// A form with `data-upload` says how much of its files has gone up. Without this file it is sent as
// any other form, and the browser itself shows how far it is.
(() => {
  "use strict";
  const MIB = 1024 * 1024;

  function shown(form, part, whole) {
    const box = form.querySelector("[data-upload-progress]");
    box.hidden = false;
    const bar = box.querySelector("progress");
    bar.max = whole;
    bar.value = part;
    const done = Math.floor((part / whole) * 100);
    box.querySelector("[data-upload-figures]").textContent =
      `${Math.floor(part / MIB).toLocaleString("en")} of ${Math.ceil(whole / MIB).toLocaleString("en")} MiB · ${done} %`;
  }

  document.addEventListener("htmx:xhr:progress", (event) => {
    const form = event.target.closest("form[data-upload]");
    if (form && event.detail.lengthComputable) shown(form, event.detail.loaded, event.detail.total);
  });

  document.addEventListener("htmx:sendError", (event) => {
    const form = event.target.closest("form[data-upload]");
    if (form) form.querySelector("[data-upload-broken]").hidden = false;
  });
})();
