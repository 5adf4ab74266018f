import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";

import { root } from "./library.js";
import type { Row } from "./row.js";

/** What figures were measured on, and when. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly date: string;
}

/** This machine, today. */
export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** A column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly cell: (row: T) => string;
  readonly right?: boolean;
}

const columns: readonly Column<Row>[] = [
  { title: "what", cell: (row) => row.name },
  { title: "work", cell: (row) => row.work },
  { title: "backend", cell: (row) => row.backend },
  { title: "threads", cell: (row) => String(row.threads), right: true },
  { title: "batch", cell: (row) => String(row.batch), right: true },
  { title: "rate", cell: (row) => `${digits(row.rate)} ${row.unit}`, right: true },
  { title: "against", cell: (row) => row.peer },
  { title: "its rate", cell: (row) => digits(row.peerRate), right: true },
  { title: "ratio", cell: (row) => row.ratio.toFixed(2), right: true },
  { title: "spread", cell: (row) => `${(100 * row.spread).toFixed(0)}%`, right: true },
  { title: "aim", cell: aimCell, right: true },
  { title: "× floor", cell: ({ floor }) => (floor === null ? "" : floor.toFixed(2)), right: true },
  { title: "", cell: (row) => row.note },
];

/** What we aim at, what we would like, and whether it is reached. */
function aimCell({ ratio, aim, stretch }: Row): string {
  if (aim === null) return "";
  const like = stretch === null ? "" : ` (${stretch})`;
  return `${ratio >= aim ? "✓" : "✗"} ${Number(aim.toFixed(2))}${like}`;
}

/** A rate. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function formatRows(rows: readonly Row[]): string {
  return formatTable(columns, rows);
}

/** A Markdown table whose columns also line up as plain text. */
export function formatTable<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ title }, c) => Math.max(3, title.length, ...cells.map((line) => line[c]!.length)));
  const line = (values: readonly string[]): string =>
    `| ${values.map((value, c) => (columns[c]!.right ? value.padStart(widths[c]!) : value.padEnd(widths[c]!))).join(" | ")} |`;
  const rule = columns.map(({ right }, c) => (right ? `${"-".repeat(widths[c]! - 1)}:` : "-".repeat(widths[c]!)));
  return [line(columns.map(({ title }) => title)), line(rule), ...cells.map(line)].join("\n");
}

const BEGIN = /<!-- figures: .*? -->\n/;
const END = "<!-- end of figures -->";

/** Puts new figures between the marks of a page. @throws Error if the page has lost the marks */
export async function replaceFigures(path: string, figures: string): Promise<void> {
  const file = new URL(path, root);
  const text = await readFile(file, "utf8");
  const [begin, tail] = [BEGIN.exec(text), text.indexOf(END)];
  if (begin === null || tail < begin.index)
    throw new Error(`Expected <!-- figures: … --> and then ${END} in ${file.pathname} but found them not`);
  const head = text.slice(0, begin.index + begin[0].length);
  await writeFile(file, `${head}\n${figures}\n\n${text.slice(tail)}`);
}
