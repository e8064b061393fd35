// The events of one run or build on a page: from the shared worker where there is one, while somebody looks.
const ALIVE_MS = 20_000;

class Following {
  #name;
  #send;
  #receive;
  #alive = null;
  #over = false;
  last;

  // `name` is `run=ID` or `build=ID`; `receive` gets what the hub sends; events come in order, each once, whatever happens to connections.
  constructor({ name, after, url, worker, receive }) {
    this.#name = name;
    this.#receive = receive;
    this.last = after;
    this.#send = this.#shared(worker, url) ?? this.#alone(url);
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("pagehide", () => this.#stop());
    addEventListener("pageshow", () => this.#look());
    this.#look();
  }

  #shared(worker, url) {
    if (typeof SharedWorker === "undefined") return null;
    try {
      const { port } = new SharedWorker(worker, { name: url });
      port.onmessage = ({ data }) => this.#take(data);
      return (message) => port.postMessage(message);
    } catch {
      return null; // not allowed here: the page has a connection of its own
    }
  }

  #alone(url) {
    const hub = new Hub(url);
    const port = (message) => this.#take(message);
    return ({ follow, after, leave }) => (leave ? hub.leave(port, leave) : hub.follow(port, follow, after));
  }

  #look() {
    if (document.visibilityState === "hidden") return this.#stop();
    if (this.#over || this.#alive !== null) return;
    const follow = () => this.#send({ follow: this.#name, after: this.last });
    this.#alive = setInterval(follow, ALIVE_MS);
    follow();
  }

  // A hidden tab holds no stream; what it misses comes when it is looked at again.
  #stop() {
    if (this.#alive === null) return;
    clearInterval(this.#alive);
    this.#alive = null;
    this.#send({ leave: this.#name });
  }

  #take(message) {
    if (message.event) {
      if (message.event.seq <= this.last) return;
      this.last = message.event.seq;
    }
    if (message.ended || message.gone) {
      this.#over = true;
      clearInterval(this.#alive);
      this.#alive = null;
    }
    this.#receive(message);
  }
}
