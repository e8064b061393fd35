// The parts of a page that change: those with `data-part` are loaded again, and put in place of the old ones.
const REFRESH_MS = 400;

class Parts {
  #url;
  #swapped;
  #refreshing = null;
  #again = false;

  // `swapped()` is called when there are new ones.
  constructor(url, swapped = () => {}) {
    this.#url = url;
    this.#swapped = swapped;
  }

  // One request at a time; what happens meanwhile makes one more.
  refresh() {
    this.#again = true;
    this.#refreshing ??= setTimeout(() => this.#load(), REFRESH_MS);
  }

  async #load() {
    this.#again = false;
    try {
      const answer = await fetch(this.#url, { headers: { "ao-part": "1" } });
      if (answer.ok) this.#swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      this.#again = true; // the server is away: try until it is back
    }
    this.#refreshing = this.#again ? setTimeout(() => this.#load(), 2 * REFRESH_MS) : null;
  }

  #swap(page) {
    for (const fresh of page.querySelectorAll("[data-part]")) {
      const old = document.querySelector(`[data-part="${fresh.dataset.part}"]`);
      if (!old || old.outerHTML === fresh.outerHTML || inUse(old)) continue;
      for (const open of old.querySelectorAll("details[id][open]")) {
        fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
      }
      const focused = focusedIn(old, fresh);
      old.replaceWith(document.adoptNode(fresh));
      focused?.focus({ preventScroll: true });
    }
    if (page.title) document.title = page.title;
    this.#swapped();
  }
}

// What in `fresh` stands for the element of `old` that has the focus: with the same id, or the same link or words.
function focusedIn(old, fresh) {
  const focused = document.activeElement;
  if (!old.contains(focused)) return null;
  if (focused.id) return fresh.querySelector(`#${CSS.escape(focused.id)}`);
  const what = (element) => element.getAttribute("href") ?? element.textContent;
  const alike = (part) => [...part.querySelectorAll(focused.tagName)].filter((each) => what(each) === what(focused));
  return alike(fresh)[alike(old).indexOf(focused)] ?? null;
}

function inUse(element) {
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed && element.contains(selection.anchorNode));
}
