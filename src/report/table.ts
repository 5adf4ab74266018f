import { formName, LEDGERS, percent, significant } from "./format.js";
import type { ResultRow } from "./data.js";

/** A table as text: what the command line draws and the report shows. */
export interface Table {
  readonly columns: readonly TableColumn[];
  /** A cell for each column. */
  readonly rows: readonly (readonly string[])[];
}

export interface TableColumn {
  readonly title: string;
  readonly align: "left" | "right";
}

/** The results as a table: accuracy, then cost and saving, the full ledger before the paper's. */
export function resultTable(rows: readonly ResultRow[]): Table {
  return {
    columns: [
      { title: "Model", align: "left" },
      { title: "Attack", align: "left" },
      { title: "Form", align: "left" },
      { title: "Accuracy", align: "right" },
      ...LEDGERS.flatMap(({ name, unit }): TableColumn[] => [
        { title: `Cost, ${name} (${unit})`, align: "right" },
        { title: `Saved, ${name}`, align: "right" },
      ]),
    ],
    rows: rows.map((row) => [
      row.model,
      attackName(row),
      isClean(row) ? "–" : formName(row.form),
      percent(row.accuracy),
      ...LEDGERS.flatMap(({ key }) => [significant(row.macs[key]), percent(row.saved[key])]),
    ]),
  };
}

/** GitHub-flavoured Markdown, columns padded so that the plain text reads as a table too. */
export function markdownTable({ columns, rows }: Table): string {
  const titles = columns.map(({ title }) => markdownCell(title));
  const cells = rows.map((row) => row.map(markdownCell));
  const widths = titles.map((title, i) => Math.max(3, title.length, ...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (columns[i]!.align === "right" ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(" | ")} |`;
  const rule = columns.map(({ align }, i) =>
    align === "right" ? "-".repeat(widths[i]! - 1) + ":" : "-".repeat(widths[i]!),
  );
  return [titles, rule, ...cells].map(line).join("\n") + "\n";
}

/** Whether the images of a row were left as they are. */
export function isClean(row: Pick<ResultRow, "attack">): boolean {
  return row.attack === "none";
}

function attackName(row: ResultRow): string {
  return isClean(row) ? "none (clean)" : row.attack.toUpperCase();
}

function markdownCell(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\|]/g, "\\$&");
}
