import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { machine } from "../report.js";
import type { Peaks } from "./pytorch.js";

/** A row of the table. Null: not measured, or of no meaning. */
export interface Figure {
  readonly model: string;
  readonly work: string;
  readonly precision: string;
  readonly batch: number;
  /** Images a second of ours, the median over the rounds. */
  readonly rate: number;
  /** Against what, and its rate. */
  readonly peer: string;
  readonly peerRate: number | null;
  /** Ours to the peer's; the median over the rounds. */
  readonly ratio: number | null;
  /** Half of the rounds lie within this range of ratios around the median, in units of the median. */
  readonly spread: number | null;
  /** Between our outputs and the peer's, relative: what kind of difference `note` may say. */
  readonly difference: number | null;
  /** Our share of what the measured peak of matrix products, and of a copy, would allow (bench/gpu/work.ts). */
  readonly ofOperations: number | null;
  readonly ofBytes: number | null;
  readonly note: string;
}

/** What a run of the benchmark found, up to now. */
export interface Results {
  readonly card: string;
  readonly device: string | undefined;
  readonly instructionSet: string | undefined;
  readonly pytorch: Readonly<Record<string, unknown>> | null;
  readonly peaks: Peaks | null;
  readonly figures: readonly Figure[];
  /** Rows that failed, with the reason, and those that there was no time for. */
  readonly failed: readonly { readonly row: string; readonly reason: string }[];
  readonly skipped: readonly string[];
}

/** Writes gpu.json and gpu.md into a folder. */
export async function writeResults(folder: string, results: Results): Promise<void> {
  const commit = process.env.RDI_COMMIT;
  const json = { ...machine(), ...(commit !== undefined && { commit }), ...results };
  await writeFile(join(folder, "gpu.json"), `${JSON.stringify(json, null, 1)}\n`);
  await writeFile(join(folder, "gpu.md"), page(results));
}

const columns = [
  "network",
  "work",
  "precision",
  "batch",
  "images/s",
  "against",
  "its rate",
  "ratio",
  "spread",
  "difference",
  "of the peak",
  "of the bandwidth",
  "",
] as const;
const LEFT = new Set<string>(["network", "work", "precision", "against", ""]);

function page({ card, device, pytorch, peaks, figures, failed, skipped }: Results): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const { node, date } = machine();
  const giga = (value: number): string => `${(value / 1e12).toPrecision(3)}`;
  const peak = Object.entries(peaks?.operations ?? {}).map(([name, value]) => `${name} ${giga(value!)}`);
  return [
    `# ${card}`,
    "",
    `Measured on ${date} on ${device ?? "no device"}, Node.js ${node}, against ${pytorch === null ? "nothing: no PyTorch" : `PyTorch ${JSON.stringify(pytorch)}`}.`,
    ...(peaks === null
      ? []
      : [`Peaks: 10¹² operations a second: ${peak.join(", ")}; 10¹² bytes a second: ${giga(peaks.bytes)}.`]),
    "",
    line(columns),
    line(columns.map((title) => (LEFT.has(title) ? "---" : "--:"))),
    ...figures.map((figure) => line(cellsOf(figure))),
    ...list(
      "Failed",
      failed.map(({ row, reason }) => `${row}: ${reason}`),
    ),
    ...list("Skipped, as time was up", skipped),
    "",
  ].join("\n");
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : ["", `${title}:`, "", ...items.map((item) => `- ${item.replaceAll("\n", " ")}`)];
}

function cellsOf(figure: Figure): string[] {
  const optional = (value: number | null, text: (value: number) => string): string =>
    value === null ? "" : text(value);
  const percent = (value: number): string => `${(100 * value).toFixed(0)}%`;
  const rate = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  return [
    figure.model,
    figure.work,
    figure.precision,
    String(figure.batch),
    rate(figure.rate),
    figure.peer,
    optional(figure.peerRate, rate),
    optional(figure.ratio, (value) => value.toFixed(2)),
    optional(figure.spread, percent),
    optional(figure.difference, (value) => value.toExponential(1)),
    optional(figure.ofOperations, percent),
    optional(figure.ofBytes, percent),
    figure.note,
  ];
}
