import Table from "cli-table3";
import pc from "picocolors";

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

/** A fraction as a percentage. */
export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)}%`;
}

/** A cost in millions of multiply-accumulates. */
export function mega(macs: number): string {
  return macs.toFixed(2);
}

export function seconds(value: number): string {
  return value < 100 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}
