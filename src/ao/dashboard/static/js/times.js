// Ages go on while a page is open, and titles name the local time beside UTC.
(() => {
  "use strict";
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function age(seconds) {
    const distance = Math.abs(seconds);
    for (const [name, size] of units) {
      if (distance >= size) {
        const text = `${Math.floor(distance / size)} ${name}`;
        return seconds < 0 ? `in ${text}` : `${text} ago`;
      }
    }
    return "now";
  }

  function show() {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("time[datetime]")) {
      const moment = new Date(element.dateTime);
      if (!element.dataset.local) {
        element.dataset.local = "1";
        element.title = `${element.title} · ${moment.toLocaleString(undefined, { timeZoneName: "short" })}`;
      }
      if ("age" in element.dataset) {
        const text = age((Date.now() - moment) / 1000);
        if (element.textContent !== text) element.textContent = text;
      }
    }
  }

  show();
  setInterval(show, 1000);
  document.addEventListener("visibilitychange", show);
  document.addEventListener("htmx:after:swap", show);
})();
