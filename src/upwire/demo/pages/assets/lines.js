// Text shown line by line, where a line that matters carries a note.

/**
 * One line. parts: [class name, text] pairs; note: a string whose `back-quoted` words are code;
 * indent: in characters.
 */
export function line(parts, note, indent = 0) {
  const paragraph = document.createElement("p");
  const source = document.createElement("span");
  source.className = "source";
  source.append(...parts.map(([name, text]) => span(name, text)));
  paragraph.append(source);
  paragraph.style.setProperty("--indent", indent);
  if (note) {
    paragraph.className = "marked";
    paragraph.append(explain(note));
  }
  return paragraph;
}

export function span(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

function explain(note) {
  const place = span("note", "");
  note.split("`").forEach((piece, index) => {
    if (index % 2 === 0) {
      place.append(piece);
    } else {
      const code = document.createElement("code");
      code.textContent = piece;
      place.append(code);
    }
  });
  return place;
}
