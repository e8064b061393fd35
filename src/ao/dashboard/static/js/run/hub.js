// The events of many runs over one connection. A browser opens six at most to a host, so one hub, in a worker
// that all pages of the browser share, serves them all; where there are no such workers each page has its own.
const RETRY_MS = [250, 500, 1000, 2000, 5000];
const SILENCE_MS = 40_000; // the server beats every ten seconds

class Hub {
  #url;
  #ports = new Map(); // port → run → seq of the last event that the port has
  #source = null;
  #position = new Map(); // run → seq that the open connection has come to
  #reopening = null;
  #failures = 0;
  #silence = null;
  #live = false;

  constructor(url) {
    this.#url = url;
  }

  // `port(message)` gets {run, event}, {run, ended}, {run, gone} and {live}.
  follow(port, run, after) {
    let runs = this.#ports.get(port);
    if (!runs) this.#ports.set(port, (runs = new Map()));
    if (runs.has(run)) return;
    runs.set(run, after);
    port({ live: this.#live });
    const position = this.#position.get(run);
    if (position === undefined || position > after) this.#reopenIn(10);
  }

  leave(port, run) {
    const runs = this.#ports.get(port);
    if (!runs?.delete(run)) return;
    if (runs.size === 0) this.#ports.delete(port);
    this.#reopenIn(this.#ports.size === 0 ? 0 : 500);
  }

  drop(port) {
    for (const run of [...(this.#ports.get(port)?.keys() ?? [])]) this.leave(port, run);
  }

  #reopenIn(ms) {
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => this.#open(), ms);
  }

  #close() {
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = null;
    this.#position.clear();
  }

  #open() {
    this.#close();
    for (const runs of this.#ports.values()) {
      for (const [run, after] of runs) {
        this.#position.set(run, Math.min(after, this.#position.get(run) ?? after));
      }
    }
    if (this.#position.size === 0) return this.#tell(false);
    const query = [...this.#position].map(([run, after]) => `run=${run}.${after}`).join("&");
    const source = (this.#source = new EventSource(`${this.#url}?${query}`));
    source.onopen = () => {
      this.#failures = 0;
      this.#heard();
      this.#tell(true);
    };
    source.onerror = () => this.#lost();
    source.addEventListener("beat", () => this.#heard());
    source.addEventListener("run", (message) => this.#event(message));
    source.addEventListener("end", (message) => this.#over(message.data, "ended"));
    source.addEventListener("gone", (message) => this.#over(message.data, "gone"));
    this.#heard();
  }

  #event(message) {
    this.#heard();
    const dot = message.lastEventId.indexOf(".");
    const run = message.lastEventId.slice(0, dot);
    const seq = Number(message.lastEventId.slice(dot + 1));
    this.#position.set(run, seq);
    let event = null;
    for (const [port, runs] of this.#ports) {
      if (!(runs.get(run) < seq)) continue; // another page was behind: this one has it
      runs.set(run, seq);
      port({ run, event: (event ??= JSON.parse(message.data)) });
    }
  }

  #over(run, how) {
    this.#position.delete(run);
    for (const [port, runs] of [...this.#ports]) {
      if (!runs.delete(run)) continue;
      if (runs.size === 0) this.#ports.delete(port);
      port({ run, [how]: true });
    }
    if (this.#ports.size === 0) this.#close();
  }

  #heard() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), SILENCE_MS);
  }

  #lost() {
    this.#close();
    this.#tell(false);
    const wait = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)];
    this.#reopenIn(wait * (0.5 + Math.random()));
  }

  #tell(live) {
    this.#live = live;
    for (const port of this.#ports.keys()) port({ live });
  }
}
