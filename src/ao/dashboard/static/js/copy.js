// `<button data-copy="TEXT">` puts TEXT on the clipboard and says so for a moment.
(() => {
  "use strict";
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const label = button.dataset.label ?? button.textContent;
    button.dataset.label = label;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it and copy";
    }
    setTimeout(() => (button.textContent = label), 1500);
  });

  // Filters apply as they are chosen; without scripts there is a button.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-apply]");
    if (form && !event.target.matches("input[type=search], input[type=text]")) form.requestSubmit();
  });
})();
