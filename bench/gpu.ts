import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";

import { writeResults, type Figure, type Peaks, type Results } from "./gpu/figure.js";
import type { Effort } from "./gpu/measure.js";
import { tasks, tinyTasks } from "./gpu/rows.js";
import { Side } from "./gpu/side.js";

const usage = `Usage: node build/bench/gpu.js [options]

  --out DIR      where gpu.json and gpu.md go (default build/bench)
  --card NAME    the title of the figures
  --seconds N    no row begins after so many seconds (default 180); those that are left are listed
  --emulated     small rows alone, on a CUDA addon for the emulator (RDI_CUDA_ADDON) and PyTorch on the processor: it tests this program
  --help`;

/** Of a work on either side, in its rounds. */
const EFFORT: Effort = { rounds: 5, seconds: 0.2, most: 6 };
const TINY_EFFORT: Effort = { rounds: 1, seconds: 0, most: 60 };
/** Seconds that either side may take for an answer. */
const [LIMIT, EMULATED_LIMIT] = [60, 300];

interface Options {
  readonly out: string;
  readonly card: string;
  readonly seconds: number;
  readonly emulated: boolean;
}

/** Whether all that was begun could be measured, beside PyTorch where there is one. */
async function bench({ out, card, seconds, emulated }: Options): Promise<boolean> {
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1e3;
  await mkdir(out, { recursive: true });
  const limit = emulated ? EMULATED_LIMIT : LIMIT;
  const own = await Side.own(limit);
  const pytorch = await unlessItFails("Without PyTorch", () => Side.pytorch(emulated ? "cpu" : "cuda", limit));
  try {
    const peaks =
      pytorch && (await unlessItFails("Without peaks", async () => (await pytorch.ask({ ask: "peaks" })) as Peaks));
    const about = { card, own: own.description, pytorch: pytorch?.description ?? null, peaks: peaks ?? null };
    const figures: Figure[] = [];
    const failed: { row: string; reason: string }[] = [];
    const planned = emulated ? tinyTasks() : tasks();
    // After every row, so that a run that is cut off leaves them too.
    const write = (done: number): Promise<void> => {
      const skipped = planned.slice(done).map(({ title }) => title);
      const results: Results = { ...about, figures, failed, skipped };
      return writeResults(out, results);
    };
    let done = 0;
    await write(done);
    for (const { title, measure } of planned) {
      if (elapsed() > seconds) break;
      console.log(`${elapsed().toFixed(0)} s: ${title} ...`);
      try {
        figures.push(...(await measure({ own, pytorch, peaks }, emulated ? TINY_EFFORT : EFFORT)));
      } catch (error) {
        const reason = (error as Error).message;
        console.log(reason);
        failed.push({ row: title, reason });
      }
      await write(++done);
    }
    const alone = pytorch === undefined ? 0 : figures.filter(({ peerRate }) => peerRate === null).length;
    console.log(
      `${figures.length} figures, ${alone} of them without the peer's, ${failed.length} rows failed, ${planned.length - done} skipped`,
    );
    return failed.length === 0 && alone === 0;
  } finally {
    await pytorch?.end();
    await own.end();
  }
}

/** Undefined, and says why, if it fails. */
async function unlessItFails<T>(title: string, start: () => Promise<T>): Promise<T | undefined> {
  try {
    return await start();
  } catch (error) {
    console.log(`${title}: ${(error as Error).message}`);
    return undefined;
  }
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: "build/bench" },
      card: { type: "string", default: "a GPU" },
      seconds: { type: "string", default: "180" },
      emulated: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { help, seconds, ...options } = values;
  if (help) return undefined;
  if (!(Number(seconds) > 0)) throw new Error(`Expected a number over 0 for --seconds but received ${seconds}`);
  return { ...options, seconds: Number(seconds) };
}

try {
  const options = readOptions();
  if (options === undefined) console.log(usage);
  else if (!(await bench(options))) process.exitCode = 1;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
