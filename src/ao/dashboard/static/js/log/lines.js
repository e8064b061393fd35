// The lines that a page keeps: the last ones, in blocks, so that dropping the oldest costs nothing and finding
// the line at a height is quick. A line takes `rows` rows of the picture.
const BLOCK = 512;
const MAX_LINES = 100_000;
const MAX_CHARACTERS = 48_000_000;

class Lines {
  #blocks = []; // {lines, rows, characters}
  #rowsOf;
  count = 0;
  rows = 0;
  characters = 0;

  // `rowsOf(line)`: how many rows a line takes now.
  constructor(rowsOf) {
    this.#rowsOf = rowsOf;
  }

  push(line) {
    let block = this.#blocks.at(-1);
    if (!block || block.lines.length >= BLOCK) this.#blocks.push((block = { lines: [], rows: 0, characters: 0 }));
    block.lines.push(line);
    this.#count(block, line, 1);
  }

  // Put lines before all others.
  prepend(lines) {
    for (let end = lines.length; end > 0; end -= BLOCK) {
      const block = { lines: lines.slice(Math.max(0, end - BLOCK), end), rows: 0, characters: 0 };
      for (const line of block.lines) this.#count(block, line, 1);
      this.#blocks.unshift(block);
    }
  }

  // Drop the oldest until the rest is within bounds; returns how many rows they took.
  trim() {
    let dropped = 0;
    while (this.#blocks.length > 1 && (this.count - this.#blocks[0].lines.length >= MAX_LINES || this.characters > MAX_CHARACTERS)) {
      const block = this.#blocks.shift();
      this.count -= block.lines.length;
      this.rows -= block.rows;
      this.characters -= block.characters;
      dropped += block.rows;
    }
    return dropped;
  }

  shift() {
    const block = this.#blocks[0];
    this.#count(block, block.lines[0], -1);
    block.lines.shift();
    if (block.lines.length === 0) this.#blocks.shift();
  }

  get first() {
    return this.#blocks[0]?.lines[0];
  }

  get last() {
    return this.#blocks.at(-1)?.lines.at(-1);
  }

  // [index of the line at a row, its first row].
  at(row) {
    let index = 0;
    let above = 0;
    for (const block of this.#blocks) {
      if (above + block.rows > row) {
        for (const line of block.lines) {
          if (above + line.rows > row) return [index, above];
          above += line.rows;
          index += 1;
        }
      }
      above += block.rows;
      index += block.lines.length;
    }
    return [Math.max(0, this.count - 1), Math.max(0, this.rows - (this.last?.rows ?? 0))];
  }

  *from(index) {
    for (const block of this.#blocks) {
      if (index >= block.lines.length) {
        index -= block.lines.length;
        continue;
      }
      for (; index < block.lines.length; index += 1) yield block.lines[index];
      index = 0;
    }
  }

  // [the first line for which `test` holds, its first row]; null when there is none.
  find(test) {
    let above = 0;
    for (const line of this.from(0)) {
      if (test(line)) return [line, above];
      above += line.rows;
    }
    return null;
  }

  // A line turned out to take another number of rows.
  resize(line, rows) {
    line.block.rows += rows - line.rows;
    this.rows += rows - line.rows;
    line.rows = rows;
  }

  // The width, or what a row holds, has changed.
  measure() {
    this.rows = 0;
    for (const block of this.#blocks) {
      block.rows = 0;
      for (const line of block.lines) block.rows += line.rows = this.#rowsOf(line);
      this.rows += block.rows;
    }
  }

  #count(block, line, sign) {
    if (sign > 0) {
      line.block = block;
      line.rows = this.#rowsOf(line);
    }
    const characters = sign * (line.text?.length ?? 0);
    block.rows += sign * line.rows;
    block.characters += characters;
    this.rows += sign * line.rows;
    this.characters += characters;
    this.count += sign;
  }
}
