// A window on `Lines`: only the rows that are seen are in the document, whatever is kept.
const OVERSCAN_ROWS = 12;
const END_PIXELS = 16; // free at the right of a line, as the style sheet has it
const FOLD_CHARACTERS = 2000; // of a longer line only the beginning is shown until somebody asks

class LogView {
  #space = document.createElement("div");
  #list = document.createElement("ol");
  #shown = new Map(); // line → its element
  #spare = [];
  #fill;
  #frame = null;
  #top = 0;
  #rowHeight = 20;
  #columns = 100;
  wrap = false;
  follow = false;
  marked = null; // {seq, index} of the line that was linked to
  lines = new Lines((line) => this.#rowsOf(line));

  // `fill(element, line)` puts a line into an element; `moved()` is called when `follow` changes.
  constructor(box, fill, moved) {
    this.box = box;
    this.#fill = fill;
    this.moved = moved;
    this.#space.className = "log-space";
    this.#list.className = "log-rows";
    this.#space.append(this.#list);
    box.replaceChildren(this.#space);
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(box);
    this.layout();
  }

  // Count rows anew: after a change of width, or of what `rowsOf` depends on.
  layout() {
    const anchor = this.#anchor();
    const probe = document.createElement("li");
    probe.className = "line";
    probe.append(span("at", "00:00:00.000"), span("source", ""), span("text", "0"));
    this.#list.append(probe);
    const text = probe.lastChild;
    const one = document.createRange();
    one.setStart(text.firstChild, 0);
    one.setEnd(text.firstChild, 1);
    const { left, width } = one.getBoundingClientRect();
    const inside = this.box.clientWidth - (left - this.#list.getBoundingClientRect().left) - END_PIXELS;
    this.#columns = Math.max(10, Math.floor(inside / (width || 8) + 0.01));
    this.#rowHeight = parseFloat(getComputedStyle(probe).lineHeight) || this.#rowHeight;
    probe.remove();
    this.lines.measure();
    this.#restore(anchor);
    this.redraw();
  }

  clear() {
    this.lines = new Lines((line) => this.#rowsOf(line));
    this.redraw();
  }

  // All elements are filled again.
  redraw() {
    for (const element of this.#shown.values()) this.#spare.push(element);
    this.#shown.clear();
    this.draw();
  }

  // At most once for each picture that the screen shows.
  draw() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  // Lines were dropped at the top or put there: what is seen stays where it is.
  shift(rows) {
    if (this.follow) return this.draw();
    this.#space.style.height = `${this.lines.rows * this.#rowHeight}px`;
    this.#top = this.box.scrollTop = Math.max(0, this.box.scrollTop + rows * this.#rowHeight);
    this.draw();
  }

  toEnd() {
    this.#setFollow(true);
    this.draw();
  }

  // Show a line in the middle; false when it is not kept.
  show(test) {
    const found = this.lines.find(test);
    if (!found) return false;
    this.#setFollow(false);
    this.#space.style.height = `${this.lines.rows * this.#rowHeight}px`;
    this.box.scrollTop = Math.max(0, found[1] * this.#rowHeight - this.box.clientHeight / 3);
    this.redraw();
    return true;
  }

  get atTop() {
    return this.box.scrollTop < 5 * this.#rowHeight;
  }

  #rowsOf(line) {
    const length = line.expanded ? line.text.length : Math.min(line.text?.length ?? 0, FOLD_CHARACTERS + 40);
    return this.wrap || line.expanded ? Math.max(1, Math.ceil(length / this.#columns)) : 1;
  }

  #anchor() {
    if (this.lines.count === 0) return null;
    const row = this.box.scrollTop / this.#rowHeight;
    const [index, first] = this.lines.at(Math.floor(row));
    return { index, within: row - first };
  }

  #restore(anchor) {
    this.#space.style.height = `${this.lines.rows * this.#rowHeight}px`;
    if (!anchor || this.follow) return;
    let above = 0;
    let index = 0;
    for (const line of this.lines.from(0)) {
      if (index++ === anchor.index) break;
      above += line.rows;
    }
    this.#top = this.box.scrollTop = (above + Math.max(0, anchor.within)) * this.#rowHeight;
  }

  #scrolled() {
    const end = this.box.scrollHeight - this.box.clientHeight - this.box.scrollTop < 1.5 * this.#rowHeight;
    if (end) this.#setFollow(true);
    else if (this.box.scrollTop < this.#top - 1) this.#setFollow(false);
    this.#top = this.box.scrollTop;
    this.draw();
  }

  #setFollow(follow) {
    if (this.follow === follow) return;
    this.follow = follow;
    this.moved();
  }

  #draw() {
    const height = this.#rowHeight;
    this.#space.style.height = `${this.lines.rows * height}px`;
    if (this.follow) this.#top = this.box.scrollTop = this.box.scrollHeight;
    const firstRow = Math.max(0, Math.floor(this.box.scrollTop / height) - OVERSCAN_ROWS);
    const lastRow = Math.ceil((this.box.scrollTop + this.box.clientHeight) / height) + OVERSCAN_ROWS;
    const [index, above] = this.lines.count ? this.lines.at(firstRow) : [0, 0];
    const wanted = [];
    let row = above;
    for (const line of this.lines.from(index)) {
      if (row > lastRow) break;
      wanted.push(line);
      row += line.rows;
    }
    this.#place(wanted);
    this.#list.style.transform = `translateY(${above * height}px)`;
    if (this.#corrected(wanted, height)) this.draw();
  }

  #place(wanted) {
    const keep = new Set(wanted);
    for (const [line, element] of this.#shown) {
      if (keep.has(line)) continue;
      this.#shown.delete(line);
      this.#spare.push(element);
    }
    let next = this.#list.firstChild;
    for (const line of wanted) {
      let element = this.#shown.get(line);
      if (!element) {
        element = this.#spare.pop() ?? document.createElement("li");
        this.#fill(element, line);
        this.#shown.set(line, element);
      }
      if (element === next) next = next.nextSibling;
      else this.#list.insertBefore(element, next);
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
    this.#spare.length = Math.min(this.#spare.length, 100);
  }

  // Rows were counted by characters; wide ones, tabs and folded lines may take another number.
  #corrected(wanted, height) {
    let changed = false;
    for (const line of wanted) {
      if (!this.wrap && !line.expanded && line.rows === 1) continue;
      const rows = Math.max(1, Math.round(this.#shown.get(line).offsetHeight / height));
      if (rows === line.rows) continue;
      this.lines.resize(line, rows);
      changed = true;
    }
    return changed;
  }
}
