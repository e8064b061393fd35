// `<ao-run>`: a run's page while the run goes on. Log lines go to its `<ao-log>`; anything else that happens
// makes the parts of the page that show it load again.
class AoRun extends HTMLElement {
  #parts = new Parts(this.dataset.parts, () => this.#tick());

  connectedCallback() {
    this.#tick();
    if (!this.dataset.stream) return;
    new Following({
      name: `run=${this.dataset.run}`,
      after: Number(this.dataset.after),
      url: this.dataset.stream,
      worker: this.dataset.worker,
      receive: (message) => this.#receive(message),
    });
    setInterval(() => this.#tick(), 1000);
  }

  #receive(message) {
    if ("live" in message) this.dataset.live = message.live ? "on" : "off";
    const { event } = message;
    const log = this.querySelector("ao-log");
    if (event) log?.receive(event);
    if (message.ended) {
      delete this.dataset.live;
      log?.end();
    }
    if (message.ended || (event && event.kind !== "log")) this.#parts.refresh();
  }

  // What goes on grows: durations, and bars up to now.
  #tick() {
    const now = Date.now();
    for (const element of this.querySelectorAll("[data-since]")) {
      element.textContent = duration(now - Number(element.dataset.since));
    }
    for (const chart of this.querySelectorAll(".waterfall[data-end]")) stretch(chart, now);
  }
}

// The picture was drawn up to `data-end` and is `data-width` ms wide; later, all that has ended is narrower.
function stretch(chart, now) {
  const width = Number(chart.dataset.width);
  const scale = width / (width + Math.max(0, now - Number(chart.dataset.end)));
  for (const bar of chart.querySelectorAll("rect[data-x], line[data-x]")) {
    const x = Number(bar.dataset.x) * scale;
    const end = "open" in bar.dataset ? 100 : (Number(bar.dataset.x) + Number(bar.dataset.w)) * scale;
    if (bar.tagName === "line") {
      bar.setAttribute("x1", `${x}%`);
      bar.setAttribute("x2", `${x}%`);
    } else {
      bar.setAttribute("x", `${x}%`);
      bar.setAttribute("width", `${Math.max(end - x, 0.3)}%`);
    }
  }
  for (const tick of chart.querySelectorAll("text[data-x]")) tick.setAttribute("x", `${Number(tick.dataset.x) * scale}%`);
}

function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

customElements.define("ao-run", AoRun);
