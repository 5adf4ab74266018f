import Table from "cli-table3";
import pc from "picocolors";
import type { Table as ReportTable } from "../report/index.js";

/** What a command has found: as one JSON object on stdout, or as text for people. */
export function print(json: boolean | undefined, result: object, text: () => string): void {
  process.stdout.write(`${json === true ? JSON.stringify(result) : text()}\n`);
}

/** A line for people beside the result: on stderr, so that stdout holds the result alone. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

export type Cell = string | number;

/** A table whose columns are aligned to the right but for the `left` first ones. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], left = 1): string {
  const result = new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i < left ? "left" : "right")),
    style: { head: pc.isColorSupported ? ["bold"] : [], border: pc.isColorSupported ? ["gray"] : [], compact: true },
  });
  for (const row of rows) result.push([...row]);
  return result.toString();
}

/** A table of a report, drawn for a terminal. */
export function textTable({ columns, rows }: ReportTable): string {
  const left = columns.findIndex(({ align }) => align === "right");
  return table(
    // Narrow enough for a terminal.
    columns.map(({ title }) => title.replace(/(?<=,) | (?=\()/g, "\n")),
    rows,
    left < 0 ? columns.length : left,
  );
}

/** A time for people, in at most two units. */
export function duration(seconds: number): string {
  if (seconds < 99.5) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
