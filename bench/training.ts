import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { root } from "./library.js";
import { compare, quantile, type Row } from "./row.js";

const run = promisify(execFile);

const BATCH = 128;
/** The first of a process compiles, and is not counted. */
const ITERATIONS = 3;

interface Iteration {
  readonly seconds: number;
  readonly peakMiB: number;
}

/**
 * An iteration of adversarial training of RDI-ResNet38 (the paper's recipe: batch 128, average form, 10 steps in train mode, clean and adversarial halves of the
 * loss), beside PyTorch's (`RDI_PYTHON`, default python3, with torch; channels-last), each in its own process, in turn.
 */
export async function benchTraining({ quick }: { readonly quick: boolean }): Promise<Row[]> {
  const python = process.env.RDI_PYTHON ?? "python3";
  try {
    await run(python, ["-c", "import torch"]);
  } catch (error) {
    console.error(
      `Not measured: training beside PyTorch, since ${python} has no torch (${(error as Error).message.split("\n")[0]})`,
    );
    return [];
  }
  const rows: Row[] = [];
  for (const threads of [1, 2]) {
    const rounds: { rate: number; peerRate: number }[] = [];
    const peaks: { own: number; peer: number }[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      const own = await iterate(process.execPath, [path("build/bench/training/own.js")], threads);
      const peer = await iterate(python, [path("bench/training/pytorch.py")], threads);
      rounds.push({ rate: own.rate, peerRate: peer.rate });
      peaks.push({ own: own.peakMiB, peer: peer.peakMiB });
    }
    const median = (values: readonly number[]): string => quantile(values, 0.5).toFixed(0);
    rows.push({
      name: "rdi-resnet38",
      work: "adversarial training",
      backend: "wasm",
      peer: "PyTorch",
      threads,
      batch: BATCH,
      ...compare(rounds),
      aim: null,
      unit: "images/s",
      note: `peak memory ${median(peaks.map(({ own }) => own))} MiB, PyTorch ${median(peaks.map(({ peer }) => peer))} MiB`,
    });
  }
  return rows;
}

function path(file: string): string {
  return fileURLToPath(new URL(file, root));
}

async function iterate(
  program: string,
  args: readonly string[],
  threads: number,
): Promise<{ rate: number; peakMiB: number }> {
  const { stdout } = await run(program, [...args, String(threads), String(ITERATIONS)]);
  const iterations = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Iteration);
  const seconds = quantile(
    iterations.slice(1).map((iteration) => iteration.seconds),
    0.5,
  );
  return { rate: BATCH / seconds, peakMiB: Math.max(...iterations.map(({ peakMiB }) => peakMiB)) };
}
