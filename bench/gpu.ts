import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";

import { writeResults, type Figure, type Results } from "./gpu/figure.js";
import type { Effort, Sides } from "./gpu/measure.js";
import { Own } from "./gpu/own.js";
import { Pytorch } from "./gpu/pytorch.js";
import { tasks, tinyTasks } from "./gpu/rows.js";

const usage = `Usage: node build/bench/gpu.js [options]

  --out DIR      where gpu.json and gpu.md go (default build/bench)
  --card NAME    the title of the figures
  --seconds N    no row begins after so many seconds (default 150); those that are left are listed
  --emulated     small rows alone, on a CUDA addon for the emulator (RDI_CUDA_ADDON) and PyTorch on the processor: it tests this program
  --help`;

/** Of a work on either side, in its rounds. */
const EFFORT: Effort = { rounds: 5, seconds: 0.25, most: 8 };
const TINY_EFFORT: Effort = { rounds: 2, seconds: 0, most: 0 };

interface Options {
  readonly out: string;
  readonly card: string;
  readonly seconds: number;
  readonly emulated: boolean;
}

async function bench({ out, card, seconds, emulated }: Options): Promise<boolean> {
  const began = performance.now();
  await mkdir(out, { recursive: true });
  const own = new Own();
  const pytorch = await startPytorch(emulated);
  try {
    const { device, instructionSet } = await own.backend("tf32");
    const peaks = await pytorch?.peaks();
    const sides: Sides = { own, pytorch, peaks };
    const figures: Figure[] = [];
    const failed: { row: string; reason: string }[] = [];
    const planned = emulated ? tinyTasks() : tasks();
    const results = (skipped: readonly string[]): Results => {
      const about = { card, device, instructionSet, pytorch: pytorch?.description ?? null, peaks: peaks ?? null };
      return { ...about, figures, failed, skipped };
    };
    let at = 0;
    for (; at < planned.length && performance.now() - began < 1e3 * seconds; at++) {
      const { title, measure } = planned[at]!;
      console.log(`${((performance.now() - began) / 1e3).toFixed(0)} s: ${title} ...`);
      try {
        figures.push(...(await measure(sides, emulated ? TINY_EFFORT : EFFORT)));
      } catch (error) {
        console.log(String(error));
        failed.push({ row: title, reason: (error as Error).message });
      }
      // After every row, so that a run that is cut off leaves them too.
      await writeResults(out, results(planned.slice(at + 1).map((task) => task.title)));
    }
    const without = figures.filter(
      ({ difference, peer, note }) => peer.startsWith("PyTorch") && (difference === null || note !== ""),
    );
    console.log(
      `${figures.length} figures, ${without.length} of them without the peer they should have, ${failed.length} failed, ${planned.length - at} skipped`,
    );
    return failed.length === 0 && (pytorch === undefined || without.length === 0);
  } finally {
    await pytorch?.end();
    own.dispose();
  }
}

/** Undefined, and says why, if it cannot be had. */
async function startPytorch(emulated: boolean): Promise<Pytorch | undefined> {
  try {
    return await Pytorch.start(emulated ? "cpu" : "cuda");
  } catch (error) {
    console.log(`Without PyTorch: ${(error as Error).message}`);
    return undefined;
  }
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: "build/bench" },
      card: { type: "string", default: "a GPU" },
      seconds: { type: "string", default: "150" },
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
