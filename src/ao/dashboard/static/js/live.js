// Parts of a page that change by themselves: an element with `data-live="SECONDS"` and htmx attributes is
// asked to load again while somebody looks. A hidden tab asks nothing, and what is in use is left alone.
(() => {
  "use strict";
  const last = new WeakMap();

  function inUse(element) {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && element.contains(selection.anchorNode)) return true;
    const focused = document.activeElement;
    if (element.contains(focused) && focused.matches("input, select, textarea")) return true;
    return [...element.querySelectorAll("input, select, textarea")].some(changed);
  }

  // Somebody has begun to fill in a form.
  function changed(field) {
    if (field.matches("input[type=radio], input[type=checkbox]")) return field.checked !== field.defaultChecked;
    if (field.matches("select")) return [...field.options].some((option) => option.selected && option.index > 0 && !option.defaultSelected);
    return field.type !== "hidden" && field.value !== field.defaultValue;
  }

  function look() {
    if (document.hidden) return;
    const now = performance.now();
    for (const element of document.querySelectorAll("[data-live]")) {
      const every = Number(element.dataset.live) * 1000;
      if (!(every > 0) || inUse(element)) continue;
      if (now - (last.get(element) ?? loaded) < every) continue;
      last.set(element, now);
      element.dispatchEvent(new CustomEvent("live"));
    }
  }

  const loaded = performance.now();
  setInterval(look, 500);
  document.addEventListener("visibilitychange", look);
  document.documentElement.classList.add("scripted");
})();
