// `<ao-log>`: the lines of a run. Those in the page at the start are there without scripts; with them the log
// goes on live, backwards, and to any line that has a link.
const EARLIER_LINES = 4000; // more than ever come together
const TIMES = ["clock", "since"];

class AoLog extends HTMLElement {
  #view;
  #found = null;
  #box;
  #results;
  #search;
  #incoming = [];
  #frame = null;
  #loading = null;
  #causes = new Map(); // attempt → why there is one
  #unseen = 0;
  #times;

  connectedCallback() {
    if (this.#view) return;
    this.#times = remembered("ao-log-times", TIMES, "clock");
    for (const [attempt, cause] of Object.entries(JSON.parse(this.dataset.attempts))) this.#causes.set(Number(attempt), cause);
    const lines = [...this.querySelectorAll("li.line[id^=L]")].map(lineOf);
    this.#box = this.querySelector(".log-last");
    this.#view = new LogView(this.#box, (element, line) => fillRow(element, line, this.#look(this.#view)), () => this.#moved());
    const narrow = matchMedia("(max-width: 800px)").matches;
    this.#view.wrap = remembered("ao-log-wrap", ["on", "off"], narrow ? "on" : "off") === "on";
    this.#add(lines);
    this.#search = new LogSearch(this.dataset.search, (found) => this.#matches(found));
    this.#tools();
    this.classList.add("ready");
    this.#view.follow = "live" in this.dataset || !location.hash.startsWith("#L");
    this.#view.layout();
    this.#moved();
    addEventListener("hashchange", () => this.#toHash());
    if ("unread" in this.dataset) this.#earlier(); // the page has what a search without scripts found
    this.#toHash();
    this.#box.addEventListener("scroll", () => this.#view.atTop && !this.#view.follow && this.#earlier(), { passive: true });
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  // An event of the run.
  receive({ seq, kind, data }) {
    if (kind === "attempt_finished" && data.error) this.#causes.set(data.attempt + 1, data.error.message);
    if (kind === "attempt_started") this.#incoming.push({ attempt: data.attempt });
    if (kind === "log") {
      data.lines.forEach(([at, text, mark], index) =>
        this.#incoming.push({ seq, index, at: at / 1000, attempt: data.attempt, stream: data.stream, text, mark }),
      );
    }
    this.#frame ??= requestAnimationFrame(() => this.#flush());
  }

  // The lines that are kept, oldest first.
  get kept() {
    return [...this.#view.lines.from(0)].filter((line) => !line.kind);
  }

  end() {
    delete this.dataset.live;
    this.#moved();
  }

  // Everything that came since the last picture, at once.
  #flush() {
    this.#frame = null;
    const incoming = this.#incoming;
    this.#incoming = [];
    this.#add(incoming);
    const dropped = this.#view.lines.trim();
    if (dropped) this.#view.shift(-dropped);
    if (!this.#view.follow) this.#unseen += incoming.length;
    this.#view.draw();
    this.#moved();
    this.#search.more();
  }

  #add(lines) {
    for (const line of lines) this.#append(line);
    this.querySelector(".log-none")?.toggleAttribute("hidden", this.#view.lines.count > 0);
  }

  #append(line) {
    const before = this.#view.lines.last?.attempt ?? 1;
    if (line.attempt > before) this.#view.lines.push(this.#rule(line.attempt));
    if (line.text !== undefined) this.#view.lines.push(line);
  }

  #rule(attempt) {
    const cause = this.#causes.get(attempt);
    return { kind: "attempt", attempt, text: `Attempt ${attempt}${cause ? ` · after ${cause}` : ""}` };
  }

  // --- earlier lines and links ---------------------------------------------------------------------

  async #earlier() {
    if (this.#found || this.#loading) return this.#loading;
    this.#loading = this.#load();
    const more = await this.#loading;
    this.#loading = null;
    return more;
  }

  // True when lines came.
  async #load() {
    const { lines } = this.#view;
    const first = lines.first?.kind ? [...lines.from(1)][0] : lines.first;
    const unread = first ? undefined : this.dataset.unread;
    if (unread === undefined && (!first || first.seq <= 1 || lines.count + EARLIER_LINES > MAX_LINES)) return false;
    delete this.dataset.unread;
    // The page may have begun in the midst of the lines that came together with its first one.
    const before = first ? (first.index > 0 ? first.seq + 1 : first.seq) : Number(unread) + 1;
    const answer = await fetch(`${this.dataset.lines}?${new URLSearchParams({ before, count: EARLIER_LINES })}`);
    if (!answer.ok) return false;
    const earlier = (line) => !first || line.seq < first.seq || line.index < first.index;
    const found = (await answer.json()).map(parsed).filter(earlier);
    if (found.length === 0) return false;
    if (lines.first?.kind) lines.shift();
    const all = [];
    let attempt = 1;
    for (const line of [...found, { attempt: first?.attempt ?? 1 }]) {
      if (line.attempt > attempt) all.push(this.#rule((attempt = line.attempt)));
      if (line.text !== undefined) all.push(line);
    }
    const rows = lines.rows;
    lines.prepend(all);
    this.#view.shift(lines.rows - rows);
    return true;
  }

  async #toHash() {
    const match = /^#L(\d+)\.(\d+)$/.exec(location.hash);
    if (!match) return;
    const [seq, index] = match.slice(1).map(Number);
    this.#leaveSearch();
    this.#view.follow = false;
    this.#view.marked = { seq, index };
    const there = (line) => line.seq === seq && line.index === index;
    while (!this.#view.show(there)) {
      const first = this.#view.lines.find((line) => line.seq !== undefined)?.[0];
      if (!first || first.seq < seq || !(await this.#earlier())) {
        this.#say("That line is too far back to be shown here: search for it, or download the log.");
        break;
      }
    }
    this.#moved();
  }

  // --- tools -----------------------------------------------------------------------------------------

  #look(view) {
    return {
      time: this.#times === "clock" ? clock : (at) => since(at - Number(this.dataset.start)),
      marked: view?.marked ?? null,
      expand: (line) => {
        line.expanded = true;
        view.layout();
      },
    };
  }

  #tools() {
    const form = this.querySelector("form");
    const find = () => {
      const { q, stream, since, until } = Object.fromEntries(new FormData(form));
      const regex = form.elements.regex.checked;
      if (!q && !stream && !since && !until) return this.#leaveSearch();
      const range = { ...(since && { since: toUtc(since) }), ...(until && { until: toUtc(until) }) };
      this.#enterSearch({ q, ...(stream && { stream }), ...(regex && { regex: "true" }), ...range });
    };
    for (const field of form.querySelectorAll("input[type=datetime-local]")) {
      if (field.value && field.value === field.defaultValue) field.value = toLocal(field.value);
    }
    let typing;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      find();
    });
    form.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(find, 250);
    });
    this.#press("wrap", () => {
      for (const view of this.#views) view.wrap = !view.wrap;
      remember("ao-log-wrap", this.#view.wrap ? "on" : "off");
      this.#relayout();
    });
    this.#press("times", () => {
      this.#times = TIMES[(TIMES.indexOf(this.#times) + 1) % TIMES.length];
      remember("ao-log-times", this.#times);
      this.#relayout();
    });
    this.#press("end", () => {
      if (this.#found) this.#clear();
      this.#view.toEnd();
      this.#box.focus({ preventScroll: true });
    });
    this.#relayout();
    if (["q", "stream", "since", "until"].some((name) => form.elements[name].value)) find();
  }

  get #views() {
    return this.#found ? [this.#view, this.#found] : [this.#view];
  }

  #relayout() {
    this.classList.toggle("wraps", this.#view.wrap);
    this.#tool("wrap").setAttribute("aria-pressed", String(this.#view.wrap));
    this.#tool("times").setAttribute("aria-pressed", String(this.#times === "since"));
    for (const view of this.#views) view.layout();
  }

  #tool(name) {
    return this.querySelector(`[data-tool="${name}"]`);
  }

  #press(name, action) {
    this.#tool(name).addEventListener("click", action);
  }

  #moved() {
    if (!this.#view) return;
    if (this.#view.follow) this.#unseen = 0;
    const end = this.#tool("end");
    end.hidden = this.#view.follow || Boolean(this.#found);
    end.querySelector(".count").textContent = this.#unseen ? ` · ${this.#unseen.toLocaleString("en")} new` : "";
  }

  #key(event) {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && this.#found) {
      this.#clear();
      this.#box.focus();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const tool = { w: "wrap", t: "times", G: "end", End: "end" }[event.key];
    if (tool) this.#tool(tool).click();
    else if (event.key === "/") this.querySelector("input[name=q]").focus();
    else if (event.key === "Home" || event.key === "g") {
      this.#view.follow = false;
      this.#box.scrollTop = 0;
      this.#moved();
    } else return;
    event.preventDefault();
  }

  // --- search ----------------------------------------------------------------------------------------

  #enterSearch(query) {
    if (!this.#found) {
      this.#results = this.querySelector(".log-results");
      this.#results.hidden = false;
      this.#box.hidden = true;
      this.#found = new LogView(this.#results, (element, line) => fillRow(element, line, this.#look(this.#found)), () => {});
      this.#found.wrap = this.#view.wrap;
      this.#results.addEventListener("click", (event) => this.#open(event));
    }
    this.#found.clear();
    this.#say("Searching …");
    this.#moved();
    this.#search.start(query);
  }

  #open(event) {
    if (!event.target.closest("a.at")) return;
    const hash = event.target.closest("a.at").hash;
    event.preventDefault();
    this.#clear();
    if (location.hash === hash) this.#toHash();
    else location.hash = hash;
  }

  #matches({ items, done, error, capped }) {
    if (!this.#found) return;
    for (const item of items) this.#found.lines.push({ ...parsed(item), spans: item.spans });
    this.#found.draw();
    const { count } = this.#search;
    const lines = `${count.toLocaleString("en")} ${count === 1 ? "line" : "lines"}`;
    if (error) this.#say(error);
    else if (capped) this.#say(`The first ${lines} that match: search for more to see fewer.`);
    else this.#say(done ? (count ? `${lines} ${count === 1 ? "matches" : "match"}.` : "No line matches.") : `${lines} so far …`);
  }

  #clear() {
    this.querySelector("form").reset();
    for (const field of this.querySelectorAll("form input:not([type=checkbox]), form select")) field.value = "";
    this.querySelector("form").elements.regex.checked = false;
    this.#leaveSearch();
  }

  #leaveSearch() {
    this.#search.stop();
    this.#say("");
    if (!this.#found) return;
    this.#found = null;
    this.#results.replaceWith((this.#results = this.#results.cloneNode(false)));
    this.#results.hidden = true;
    this.#box.hidden = false;
    this.#view.layout();
    this.#moved();
  }

  #say(text) {
    this.querySelector(".log-said").textContent = text;
  }
}

// A line that is in the page from the start.
function lineOf(element) {
  const [seq, index] = element.id.slice(1).split(".").map(Number);
  const { at, attempt, mark } = element.dataset;
  const stream = element.classList.contains("stderr") ? "stderr" : "stdout";
  return { seq, index, at: Number(at), attempt: Number(attempt), stream, mark, text: element.dataset.raw ?? element.querySelector(".text").textContent };
}

// A line as the server tells it.
function parsed({ seq, index, at, attempt, stream, text, mark }) {
  return { seq, index, at: Date.parse(at), attempt, stream, text, mark };
}

function clock(at) {
  const date = new Date(at);
  const part = (number, size = 2) => String(number).padStart(size, "0");
  return `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`;
}

// Fields of the form hold local times, as the lines do; without scripts both are UTC.
function toUtc(local) {
  return new Date(local).toISOString();
}

function toLocal(utc) {
  const moment = new Date(`${utc}Z`);
  return new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function since(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `+${seconds.toFixed(3)} s`;
  const minutes = Math.floor(seconds / 60);
  return `+${minutes}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
}

function remembered(name, values, otherwise) {
  try {
    const value = localStorage.getItem(name);
    return values.includes(value) ? value : otherwise;
  } catch {
    return otherwise; // storage is forbidden
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Forbidden: the choice lasts as long as the page.
  }
}

customElements.define("ao-log", AoLog);
