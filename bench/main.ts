import { parseArgs } from "node:util";

import { benchAdaptive } from "./adaptive.js";
import { benchKernels } from "./kernels.js";
import { benchCpu, benchNetwork } from "./network.js";
import type { Row } from "./row.js";
import { benchQuantized } from "./quantized.js";
import { benchTraining } from "./training.js";
import { formatRows, machine, writeFigures } from "./report.js";

const parts = {
  kernels: benchKernels,
  network: benchNetwork,
  cpu: benchCpu,
  adaptive: benchAdaptive,
  training: benchTraining,
  int8: benchQuantized,
};
type Part = keyof typeof parts;

const usage = `Usage: npm run bench [-- options]

  --quick            few rounds: a minute or two instead of ten, and figures that are less sure
  --only PART        one of ${Object.keys(parts).join(", ")}
  --json             one JSON object on stdout (with npm run --silent, nothing else)
  --write            put the figures into docs/performance.md
  --help`;

class UsageError extends Error {}

function readOptions(): { quick: boolean; json: boolean; write: boolean; help: boolean; only: Part[] } {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        only: { type: "string" },
      },
    });
    const { only, ...flags } = values;
    if (only !== undefined && !Object.hasOwn(parts, only))
      throw new UsageError(`Expected --only ${Object.keys(parts).join(", ")} but received ${only}`);
    if (only !== undefined && flags.write)
      throw new UsageError(
        "Expected all parts for --write but received --only, which would leave the others' figures out",
      );
    return { ...flags, only: only === undefined ? (Object.keys(parts) as Part[]) : [only as Part] };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) {
    console.log(usage);
    return;
  }
  const rows: Row[] = [];
  for (const part of options.only) {
    console.error(`Measuring: ${part} ...`);
    rows.push(...(await parts[part](options)));
  }
  console.log(options.json ? JSON.stringify({ ...machine(), rows }) : formatRows(rows));
  if (options.write) await writeFigures(rows);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? `error: ${error.message}\n\n${usage}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
