// Lines that programs wrote for terminals, as pieces of text with classes and colours.
// The same rules as `ao.domain.terminal`, which makes the lines that are in the page from the start.
const ESCAPE = new RegExp(
  "\\x1b\\[([0-9;:]*)m" + // colours and weights: the only group
    "|\\x1b\\[[0-?]*[ -/]*[@-~]" +
    "|\\x1b\\][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\|$)" +
    "|\\x1b[PX^_][^\\x1b]*(?:\\x1b\\\\|$)" +
    "|\\x1b[ -/]*[0-~]" +
    "|[\\x00-\\x08\\x0b-\\x1a\\x1c-\\x1f\\x7f]",
  "g",
);
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const CUBE = [0, 95, 135, 175, 215, 255];
const WEIGHTS = { 1: ["bold"], 2: ["dim"], 3: ["italic"], 4: ["underline"], 9: ["struck"] };
const NO_WEIGHTS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 29: ["struck"] };

function plain(text) {
  return CONTROL.test(text) ? shown(text).replace(ESCAPE, "") : text;
}

// What a terminal would show of a line that wrote over itself.
function shown(text) {
  return text.slice(text.lastIndexOf("\r") + 1);
}

// [{text, classes, foreground, background}]: colours only where they are not one of the sixteen.
function pieces(text) {
  if (!CONTROL.test(text)) return [{ text, classes: "" }];
  const line = shown(text);
  const found = [];
  let style = {};
  let start = 0;
  let piece = "";
  const flush = () => {
    if (piece) found.push({ text: piece, ...look(style) });
    piece = "";
  };
  for (const match of line.matchAll(ESCAPE)) {
    piece += line.slice(start, match.index);
    start = match.index + match[0].length;
    if (match[1] === undefined) continue;
    const next = changed(style, match[1]);
    if (JSON.stringify(next) !== JSON.stringify(style)) flush();
    style = next;
  }
  piece += line.slice(start);
  flush();
  return found;
}

function look({ foreground, background, ...weights }) {
  const classes = Object.keys(weights).filter((name) => weights[name]).map((name) => `ansi-${name}`);
  const result = {};
  if (foreground?.startsWith("#")) result.foreground = foreground;
  else if (foreground) classes.push(`ansi-${foreground}`);
  if (background?.startsWith("#")) result.background = background;
  else if (background) classes.push(`ansi-on-${background}`);
  return { ...result, classes: classes.join(" ") };
}

function changed(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = { ...style };
  while (codes.length) {
    const code = codes.shift();
    if (code === 0) next = {};
    else if (WEIGHTS[code]) for (const name of WEIGHTS[code]) next[name] = true;
    else if (NO_WEIGHTS[code]) for (const name of NO_WEIGHTS[code]) delete next[name];
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) next.foreground = named(code % 10, code >= 90);
    else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) next.background = named(code % 10, code >= 100);
    else if (code === 38) next.foreground = extended(codes);
    else if (code === 48) next.background = extended(codes);
    else if (code === 39) delete next.foreground;
    else if (code === 49) delete next.background;
  }
  return next;
}

function named(index, bright) {
  return bright ? `bright-${COLOURS[index]}` : COLOURS[index];
}

function hex(...parts) {
  return `#${parts.map((part) => Math.min(part, 255).toString(16).padStart(2, "0")).join("")}`;
}

function extended(codes) {
  const kind = codes.shift();
  if (kind === 5 && codes.length) {
    const index = codes.shift();
    if (index < 16) return named(index % 8, index >= 8);
    if (index >= 232) return hex(...Array(3).fill(8 + 10 * (index - 232)));
    const rest = index - 16;
    return hex(CUBE[Math.floor(rest / 36)], CUBE[Math.floor((rest % 36) / 6)], CUBE[rest % 6]);
  }
  if (kind === 2 && codes.length >= 3) return hex(...codes.splice(0, 3));
  codes.length = 0;
  return "";
}
