/** A terminal as far as our scripts use one: what stands on it in the end. Lines never scroll away. */

// eslint-disable-next-line no-control-regex -- control characters are what a terminal is told by
const control = /\u001b(?:\[([?\d;]*)([A-Za-z])|([78]))|[\r\n\b]|[^\u001b\r\n\b]+/gu;

interface Cursor {
  readonly row: number;
  readonly column: number;
}

/** The lines that are left after all that was written, without blanks at their ends. */
export function screenAfter(written: string): readonly string[] {
  const lines: string[] = [];
  let at: Cursor = { row: 0, column: 0 };
  let saved = at;
  const put = (text: string) => {
    const line = (lines[at.row] ?? "").padEnd(at.column);
    lines[at.row] = line.slice(0, at.column) + text + line.slice(at.column + text.length);
    at = { ...at, column: at.column + text.length };
  };
  for (const [text, parameter = "", letter, saving] of written.matchAll(control)) {
    const count = Math.max(1, Number.parseInt(parameter, 10) || 1);
    if (text === "\r") at = { ...at, column: 0 };
    else if (text === "\n") at = { ...at, row: at.row + 1 };
    else if (text === "\b") at = { ...at, column: Math.max(0, at.column - 1) };
    else if (saving === "7") saved = at;
    else if (saving === "8") at = saved;
    else if (letter === undefined) put(text);
    else if (letter === "A") at = { ...at, row: Math.max(0, at.row - count) };
    else if (letter === "B") at = { ...at, row: at.row + count };
    else if (letter === "G") at = { ...at, column: count - 1 };
    else if (letter === "J") lines.splice(at.row);
    else if (letter === "K")
      lines[at.row] = parameter === "2" ? "" : (lines[at.row] ?? "").slice(0, at.column);
  }
  return Array.from(lines, (line: string | undefined) => (line ?? "").trimEnd());
}
