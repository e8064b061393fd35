// How one line looks. Elements are used again, so each is filled completely.
const MARKS = {
  partial: ["no line end", "The program ended without finishing this line."],
  cut: ["cut", "The line was longer than is kept."],
  dropped: ["dropped", "The program printed more than is kept; these lines are lost."],
};

function fillRow(element, line, look) {
  element.className = `line ${line.stream ?? ""} ${line.kind ?? ""}`;
  element.removeAttribute("id");
  if (line.kind === "attempt") {
    element.replaceChildren(span("rule", line.text));
    return;
  }
  const link = document.createElement("a");
  link.className = "at";
  link.href = `#L${line.seq}.${line.index}`;
  link.textContent = look.time(line.at);
  link.title = `${new Date(line.at).toISOString()} · attempt ${line.attempt} · link to this line`;
  link.tabIndex = -1;
  const parts = [link, span("source", line.stream === "stderr" ? "err" : "")];
  const text = span("text", "");
  fillText(text, line, look);
  if (line.mark) {
    const [word, title] = MARKS[line.mark] ?? [line.mark, ""];
    const badge = span("mark", word);
    badge.title = title;
    text.append(" ", badge);
    element.classList.add(`is-${line.mark}`);
  }
  element.classList.toggle("expanded", Boolean(line.expanded));
  element.classList.toggle("target", look.marked?.seq === line.seq && look.marked.index === line.index);
  element.replaceChildren(...parts, text);
}

function fillText(text, line, look) {
  const folded = !line.expanded && line.text.length > FOLD_CHARACTERS;
  if (line.spans) {
    highlight(text, folded ? line.text.slice(0, FOLD_CHARACTERS) : line.text, line.spans);
  } else {
    for (const piece of pieces(folded ? line.text.slice(0, FOLD_CHARACTERS) : line.text)) text.append(styledPiece(piece));
  }
  if (!folded) return;
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  more.textContent = `… ${(line.text.length - FOLD_CHARACTERS).toLocaleString("en")} more characters`;
  more.addEventListener("click", () => look.expand(line));
  text.append(more);
}

function styledPiece({ text, classes, foreground, background }) {
  if (!classes && !foreground && !background) return document.createTextNode(text);
  const element = span(classes, text);
  if (foreground) element.style.color = foreground; // set by script: the policy forbids it in the page only
  if (background) element.style.backgroundColor = background;
  return element;
}

// The server counts characters, scripts count UTF-16 units: the same until an emoji comes.
function highlight(element, text, spans) {
  const wide = /[\ud800-\udfff]/.test(text);
  const letters = wide ? Array.from(text) : text;
  const part = (start, end) => (wide ? letters.slice(start, end).join("") : letters.slice(start, end));
  let done = 0;
  for (const [start, end] of spans) {
    if (start >= letters.length) break;
    element.append(part(done, start));
    element.append(Object.assign(document.createElement("mark"), { textContent: part(start, end) }));
    done = end;
  }
  element.append(part(done, letters.length));
}

function span(className, text) {
  return Object.assign(document.createElement("span"), { className, textContent: text });
}
