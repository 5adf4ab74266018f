import { mkdir, readFile, writeFile } from "node:fs/promises";

import { root } from "./library.js";
import { plotSweep } from "./plot.js";
import { formatRows, formatTable, replaceFigures, type Column, type Machine } from "./report.js";
import type { Row } from "./row.js";
import type { Sweep } from "./sweeps.js";

/** What a part of the benchmark found, on which machine and when. */
export interface PartFigures extends Machine {
  readonly quick: boolean;
  readonly rows?: readonly Row[];
  readonly sweeps?: readonly Sweep[];
  /** What could not be measured, and why. */
  readonly failed?: readonly string[];
}

/** By the name of the part. */
export type Figures = Readonly<Partial<Record<string, PartFigures>>>;

const FILE = new URL("docs/performance.json", root);
const PLOTS = new URL("docs/performance/", root);

/** Puts the figures of these parts into docs/performance.json, and makes the page and its plots anew from all that is there. */
export async function writeFigures(titles: ReadonlyMap<string, string>, measured: Figures): Promise<void> {
  const all: Figures = { ...(JSON.parse(await readFile(FILE, "utf8")) as Figures), ...measured };
  await writeFile(FILE, `${JSON.stringify(all, rounded, 1)}\n`);
  const sections = [...titles].flatMap(([part, title]) => {
    const figures = all[part];
    return figures === undefined ? [] : [`### ${title}\n\n${section(part, figures)}`];
  });
  await mkdir(PLOTS, { recursive: true });
  for (const [part, figures] of Object.entries(all))
    for (const [i, sweep] of (figures!.sweeps ?? []).entries()) await writeFile(plotFile(part, i), plotSweep(sweep));
  await replaceFigures("docs/performance.md", sections.join("\n\n"));
}

function plotFile(part: string, i: number): URL {
  return new URL(`${part}-${i + 1}.svg`, PLOTS);
}

/** More digits than these say nothing. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}

function section(part: string, { cpu, cores, node, date, quick, rows, sweeps, failed = [] }: PartFigures): string {
  const about = `Measured on ${date}, ${cpu}, ${cores} cores, Node.js ${node}${quick ? ", few rounds (`--quick`)" : ""}.`;
  const plots = (sweeps ?? []).map((sweep, i) => {
    const alt = `${sweep.title}: milliseconds an image against ${sweep.x}`;
    return `**${sweep.title}**, milliseconds an image:\n\n![${alt}](performance/${part}-${i + 1}.svg)\n\n${sweepTable(sweep)}`;
  });
  const failures = failed.map((reason) => `Failed: ${reason}`);
  return [about, ...(rows === undefined ? [] : [formatRows(rows)]), ...plots, ...failures].join("\n\n");
}

function sweepTable({ x, series }: Sweep): string {
  const columns: Column<number>[] = [
    { title: x, cell: (i) => String(series[0]!.points[i]!.x), right: true },
    ...series.map(({ name, points }) => ({
      title: name,
      cell: (i: number) => points[i]!.ms.toPrecision(3),
      right: true,
    })),
  ];
  return formatTable(columns, [...series[0]!.points.keys()]);
}
