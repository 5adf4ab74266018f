import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { digits, formatTable, machine, type Column } from "../report.js";

/** Measured: operations a second of matrix products, by precision, and bytes a second of a copy. */
export interface Peaks {
  readonly operations: Readonly<Partial<Record<string, number>>>;
  readonly bytes: number;
}

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
  /** What the sides say of themselves. */
  readonly own: Readonly<Record<string, unknown>>;
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

const optional = (value: number | null, text: (value: number) => string): string => (value === null ? "" : text(value));
const percent = (value: number): string => `${(100 * value).toFixed(0)}%`;
const tera = (value: number): string => (value / 1e12).toPrecision(3);
/** In one line, and in one cell. */
const plain = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll("|", "¦");

const columns: readonly Column<Figure>[] = [
  { title: "network", cell: ({ model }) => model },
  { title: "work", cell: ({ work }) => work },
  { title: "precision", cell: ({ precision }) => precision },
  { title: "batch", cell: ({ batch }) => String(batch), right: true },
  { title: "images/s", cell: ({ rate }) => digits(rate), right: true },
  { title: "against", cell: ({ peer }) => peer },
  { title: "its rate", cell: ({ peerRate }) => optional(peerRate, digits), right: true },
  { title: "ratio", cell: ({ ratio }) => optional(ratio, (value) => value.toFixed(2)), right: true },
  { title: "spread", cell: ({ spread }) => optional(spread, percent), right: true },
  {
    title: "difference",
    cell: ({ difference }) => optional(difference, (value) => value.toExponential(1)),
    right: true,
  },
  { title: "of the peak", cell: ({ ofOperations }) => optional(ofOperations, percent), right: true },
  { title: "of the bandwidth", cell: ({ ofBytes }) => optional(ofBytes, percent), right: true },
  { title: "", cell: ({ note }) => plain(note) },
];

function page({ card, own, pytorch, peaks, figures, failed, skipped }: Results): string {
  const { node, date } = machine();
  const peer = pytorch === null ? "nothing: no PyTorch" : `PyTorch ${JSON.stringify(pytorch)}`;
  const parts = [
    `# ${card}`,
    `Measured on ${date} on ${String(own.device)}, Node.js ${node}, against ${peer}.`,
    ...(peaks === null ? [] : [describePeaks(peaks)]),
    formatTable(columns, figures),
    ...list(
      "Failed",
      failed.map(({ row, reason }) => `${row}: ${reason}`),
    ),
    ...list("Not measured when time was up", skipped),
  ];
  return `${parts.join("\n\n")}\n`;
}

function describePeaks({ operations, bytes }: Peaks): string {
  const peaks = Object.entries(operations).map(([name, value]) => `${name} ${tera(value!)}`);
  return `Measured peaks: ${peaks.join(", ")} · 10¹² operations a second; ${tera(bytes)} · 10¹² bytes a second.`;
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${title}:`, items.map((item) => `- ${plain(item)}`).join("\n")];
}
