// Keeps "23m ago" true while a page stands open, and puts the reader's own time zone into the
// title. What the server wrote is right at the moment it was written and names UTC.
(() => {
  "use strict";
  const EVERY_MS = 10000;
  const STEPS = [["second", 1], ["minute", 60], ["hour", 3600], ["day", 86400], ["week", 604800], ["month", 2629800], ["year", 31557600]];
  const relative = new Intl.RelativeTimeFormat("en", { style: "narrow" });
  const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

  function ago(seconds) {
    const size = Math.abs(seconds);
    if (size < 3) return "just now";
    let unit = STEPS[0];
    for (const step of STEPS) if (size >= step[1]) unit = step;
    return relative.format(Math.trunc(seconds / unit[1]), unit[0]);
  }

  function refresh() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      const text = ago((at - Date.now()) / 1000);
      if (time.textContent !== text) time.textContent = text;
      time.title = exact.format(at);
    }
  }

  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("htmx:afterSettle", refresh);
  setInterval(refresh, EVERY_MS);
})();
