/** Tables for a terminal: aligned columns, and a sentence on each below. */

export interface Column<Row> {
  readonly title: string;
  /** What the column tells, for people. */
  readonly sentence: string;
  readonly cell: (row: Row) => string;
}

/** Numbers to the right, words to the left. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly string[] {
  const body = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const lines = [columns.map(({ title }) => title), ...body];
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => cells[index]?.length ?? 0)));
  const isNumeric = columns.map((_, index) => body.every((cells) => /^[\d.,]*$/.test(cells[index] ?? "")));
  return lines.map((cells) =>
    cells
      .map((text, index) => {
        const width = widths[index] ?? 0;
        return isNumeric[index] === true ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}

/** One line per column. */
export function legendOf<Row>(columns: readonly Column<Row>[]): readonly string[] {
  const width = Math.max(...columns.map(({ title }) => title.length));
  return columns.map(({ title, sentence }) => `${title.padEnd(width)}  ${sentence}`);
}

const grouped = (digits: number) =>
  new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const formats = [grouped(0), grouped(1), grouped(2)];

/** With commas between thousands; undefined gives an empty cell. */
export const numberText = (value: number | undefined, digits: 0 | 1 | 2 = 0): string =>
  value === undefined ? "" : (formats[digits]?.format(value) ?? "");
