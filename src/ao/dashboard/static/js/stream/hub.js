// The events of many runs and builds over one connection. A browser opens six at most to a host, so one hub, in a worker
// that all pages of the browser share, serves them all; where there are no such workers each page has its own.
const RETRY_MS = [250, 500, 1000, 2000, 5000];
const SILENCE_MS = 40_000; // the server beats every ten seconds

class Hub {
  #url;
  #ports = new Map(); // port → name (`run=ID`, `build=ID`) → seq of the last event that the port has
  #source = null;
  #position = new Map(); // name → seq that the open connection has come to
  #reopening = null;
  #failures = 0;
  #silence = null;
  #live = false;

  constructor(url) {
    this.#url = url;
  }

  // `port(message)` gets {name, event}, {name, ended}, {name, gone} and {live}.
  follow(port, name, after) {
    let wanted = this.#ports.get(port);
    if (!wanted) this.#ports.set(port, (wanted = new Map()));
    if (wanted.has(name)) return;
    wanted.set(name, after);
    port({ live: this.#live });
    const position = this.#position.get(name);
    if (position === undefined || position > after) this.#reopenIn(10);
  }

  leave(port, name) {
    const wanted = this.#ports.get(port);
    if (!wanted?.delete(name)) return;
    if (wanted.size === 0) this.#ports.delete(port);
    this.#reopenIn(this.#ports.size === 0 ? 0 : 500);
  }

  drop(port) {
    for (const name of [...(this.#ports.get(port)?.keys() ?? [])]) this.leave(port, name);
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
    for (const wanted of this.#ports.values()) {
      for (const [name, after] of wanted) {
        this.#position.set(name, Math.min(after, this.#position.get(name) ?? after));
      }
    }
    if (this.#position.size === 0) return this.#tell(false);
    const query = [...this.#position].map(([name, after]) => `${name}.${after}`).join("&");
    const source = (this.#source = new EventSource(`${this.#url}?${query}`));
    source.onopen = () => {
      this.#failures = 0;
      this.#heard();
      this.#tell(true);
    };
    source.onerror = () => this.#lost();
    source.addEventListener("beat", () => this.#heard());
    for (const kind of ["run", "line"]) source.addEventListener(kind, (message) => this.#event(message));
    source.addEventListener("end", (message) => this.#over(message.data, "ended"));
    source.addEventListener("gone", (message) => this.#over(message.data, "gone"));
    this.#heard();
  }

  #event(message) {
    this.#heard();
    const dot = message.lastEventId.indexOf(".");
    const name = message.lastEventId.slice(0, dot);
    const seq = Number(message.lastEventId.slice(dot + 1));
    this.#position.set(name, seq);
    let event = null;
    for (const [port, wanted] of this.#ports) {
      if (!(wanted.get(name) < seq)) continue; // another page was behind: this one has it
      wanted.set(name, seq);
      port({ name, event: (event ??= JSON.parse(message.data)) });
    }
  }

  #over(name, how) {
    this.#position.delete(name);
    for (const [port, wanted] of [...this.#ports]) {
      if (!wanted.delete(name)) continue;
      if (wanted.size === 0) this.#ports.delete(port);
      port({ name, [how]: true });
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
