// Parts that ask again and again (`data-live`) rest while nobody sees the page.
(() => {
  "use strict";
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.closest?.("[data-live]")) event.preventDefault();
  });
})();
