// Where the window is narrow the sections are one row that scrolls: the present one is brought into view.
(() => {
  "use strict";
  document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
})();
