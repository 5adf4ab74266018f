import { parseArgs } from "node:util";

import { benchAdaptive } from "./adaptive.js";
import { benchKernels } from "./kernels.js";
import { benchCpu, benchWasm } from "./network.js";
import type { Options } from "./options.js";
import { writeFigures, type PartFigures } from "./performance.js";
import { formatRows, machine } from "./report.js";
import type { Row } from "./row.js";
import { benchQuantized } from "./quantized.js";
import { benchSweeps, type Sweep } from "./sweeps.js";
import { benchTraining } from "./training.js";

interface Part {
  /** The heading of its figures. */
  readonly title: string;
  readonly rows?: (options: Options) => Promise<Row[]>;
  readonly sweeps?: (options: Options) => Promise<Sweep[]>;
}

const parts = new Map<string, Part>([
  ["cpu", { title: "The native backend", rows: benchCpu }],
  ["wasm", { title: "WebAssembly", rows: benchWasm }],
  ["training", { title: "Adversarial training, and its memory", rows: benchTraining }],
  ["adaptive", { title: "Adaptive inference", rows: benchAdaptive }],
  ["sweeps", { title: "How the time of an image grows", sweeps: benchSweeps }],
  ["int8", { title: "Integers of 8 bits against floats", rows: benchQuantized }],
  ["kernels", { title: "The kernels of WebAssembly", rows: benchKernels }],
]);
const names = [...parts.keys()];

const usage = `Usage: npm run bench [-- options]

  --quick            few rounds: a quarter of the time, and figures that are less sure
  --only PARTS       some of ${names.join(", ")}, separated by commas
  --match TEXT       of cpu and wasm only the works with this text in their title, such as "rdi-resnet38 forward 128"
  --json             one JSON object on stdout (with npm run --silent, nothing else)
  --write            put the figures into docs/performance.json, and make docs/performance.md and its plots of it
  --help`;

class UsageError extends Error {}

interface Arguments extends Omit<Options, "failed"> {
  readonly json: boolean;
  readonly write: boolean;
  readonly help: boolean;
  readonly only: readonly string[];
}

function readArguments(): Arguments {
  const { only, ...flags } = parsed();
  const wanted = only?.split(",") ?? names;
  const unknown = wanted.filter((name) => !parts.has(name));
  if (unknown.length > 0)
    throw new UsageError(`Expected some of ${names.join(", ")} for --only but received ${unknown.join(", ")}`);
  if (flags.write && flags.match !== "")
    throw new UsageError("Expected whole parts for --write but received --match, which would leave figures out");
  return { ...flags, only: wanted };
}

function parsed() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        only: { type: "string" },
        match: { type: "string", default: "" },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(): Promise<void> {
  const { json, write, help, only, ...options } = readArguments();
  if (help) {
    console.log(usage);
    return;
  }
  const titles = new Map([...parts].map(([name, { title }]) => [name, title]));
  const measured = new Map<string, PartFigures>();
  for (const name of only) {
    console.error(`Measuring: ${name} ...`);
    const { rows, sweeps } = parts.get(name)!;
    const reasons: string[] = [];
    const failed = (reason: string): void => {
      console.error(`  failed: ${reason}`);
      reasons.push(reason);
      process.exitCode = 1;
    };
    const figures: PartFigures = {
      ...machine(),
      quick: options.quick,
      ...(rows && { rows: await rows({ ...options, failed }) }),
      ...(sweeps && { sweeps: await sweeps({ ...options, failed }) }),
      ...(reasons.length > 0 && { failed: reasons }),
    };
    measured.set(name, figures);
    // After every part, so that an interrupted run leaves what it had.
    if (write) await writeFigures(titles, { [name]: figures });
    if (!json) console.log(`\n${titles.get(name)}\n\n${describe(figures)}`);
  }
  if (json) {
    const all = [...measured.values()];
    const rows = all.flatMap((figures) => figures.rows ?? []);
    const sweeps = all.flatMap((figures) => figures.sweeps ?? []);
    console.log(JSON.stringify({ ...machine(), rows, sweeps }));
  }
}

function describe({ rows = [], sweeps = [] }: PartFigures): string {
  const series = sweeps.flatMap(({ title, x, series }) => [
    `${title}: milliseconds an image, by ${x}`,
    ...series.map(
      ({ name, points }) => `  ${name}: ${points.map(({ x, ms }) => `${x}: ${ms.toPrecision(3)}`).join(", ")}`,
    ),
  ]);
  return [...(rows.length > 0 ? [formatRows(rows)] : []), ...series].join("\n");
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? `error: ${error.message}\n\n${usage}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
