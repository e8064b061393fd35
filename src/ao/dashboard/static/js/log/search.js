// Searching a run's log on the server: all of it, not only what the page keeps.
const MOST_MATCHES = 5000;
const AGAIN_MS = 800;

class LogSearch {
  #url;
  #show;
  #controller = null;
  #timer = null;
  #query = null;
  #after = 0;
  count = 0;

  // `show({items, first, done, error, capped})` gets matches as they come.
  constructor(url, show) {
    this.#url = url;
    this.#show = show;
  }

  get active() {
    return this.#query !== null;
  }

  start(query) {
    this.stop();
    this.#query = query;
    this.#after = 0;
    this.count = 0;
    this.#go(true);
  }

  stop() {
    this.#controller?.abort();
    this.#controller = null;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#query = null;
  }

  // More was printed: look through it too, a moment later.
  more() {
    if (!this.active || this.#controller || this.count >= MOST_MATCHES) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.active) this.#go(false);
    }, AGAIN_MS);
  }

  async #go(first) {
    const controller = (this.#controller = new AbortController());
    try {
      for (let done = false; !done; first = false) {
        const query = new URLSearchParams({ ...this.#query, after: this.#after });
        const answer = await fetch(`${this.#url}?${query}`, { signal: controller.signal });
        const found = await answer.json();
        if (!answer.ok) return this.#show({ items: [], first, done: true, error: found.error });
        this.#after = found.last_seq;
        this.count += found.items.length;
        const capped = this.count >= MOST_MATCHES && !found.complete;
        done = found.complete || capped;
        this.#show({ items: found.items, first, done, capped });
      }
    } catch (error) {
      if (error.name !== "AbortError") this.#show({ items: [], first, done: true, error: "The server does not answer." });
    } finally {
      if (this.#controller === controller) this.#controller = null;
    }
  }
}
