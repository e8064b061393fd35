// `<ao-build>`: the log of a build, line by line while it builds; its end makes the rest of the page load again.
class AoBuild extends HTMLElement {
  #list;
  #incoming = [];
  #frame = null;

  connectedCallback() {
    if (this.#list || !this.dataset.stream) return;
    this.#list = this.querySelector("ol.lines");
    this.#list.scrollTop = this.#list.scrollHeight;
    const parts = new Parts(this.dataset.parts);
    new Following({
      name: `build=${this.dataset.build}`,
      after: Number(this.dataset.after),
      url: this.dataset.stream,
      worker: this.dataset.worker,
      receive: (message) => {
        if ("live" in message) this.dataset.live = message.live ? "on" : "off";
        if (message.event) this.#add(message.event);
        if (!message.ended) return;
        delete this.dataset.live;
        parts.refresh();
      },
    });
  }

  // All that comes between two pictures at once.
  #add(line) {
    this.#incoming.push(line);
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      const list = this.#list;
      const follows = list.scrollHeight - list.clientHeight - list.scrollTop < 24;
      list.append(...this.#incoming.splice(0).map(rowOf));
      list.hidden = false;
      this.querySelector(".log-none").hidden = true;
      const count = list.childElementCount;
      this.querySelector("[data-count]").textContent = `${count.toLocaleString("en")} ${count === 1 ? "line" : "lines"}`;
      if (follows) list.scrollTop = list.scrollHeight;
    });
  }
}

// As the template makes them.
function rowOf({ seq, at, text }) {
  const row = document.createElement("li");
  row.id = `L${seq}`;
  if (text.startsWith("failed:")) row.className = "is-bad";
  else if (/^(warning|hint):/.test(text)) row.className = "is-warn";
  const time = document.createElement("time");
  time.dateTime = at;
  time.textContent = new Date(at).toISOString().slice(11, 23);
  row.append(time, Object.assign(document.createElement("span"), { textContent: text }));
  return row;
}

customElements.define("ao-build", AoBuild);
