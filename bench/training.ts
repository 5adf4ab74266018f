import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { root } from "./library.js";
import { python, pytorchFolder, withoutPytorch } from "./network/pytorch.js";
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
  const reason = await withoutPytorch();
  if (reason !== undefined) {
    console.error(`Not measured: training beside PyTorch, since ${reason}`);
    return [];
  }
  const rows: Row[] = [];
  for (const threads of [1, 2]) {
    const rounds: Record<Side, Measured>[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      rounds.push({
        cpu: await iterate(process.execPath, [path("build/bench/training/own.js"), "cpu"], threads),
        wasm: await iterate(process.execPath, [path("build/bench/training/own.js"), "wasm"], threads),
        pytorch: await iterate(python, [`${pytorchFolder}training.py`], threads),
      });
    }
    const median = (side: Side): string =>
      quantile(
        rounds.map((round) => round[side].peakMiB),
        0.5,
      ).toFixed(0);
    for (const backend of ["cpu", "wasm"] as const) {
      rows.push({
        name: "rdi-resnet38",
        work: "adversarial training",
        backend,
        peer: "pytorch",
        threads,
        batch: BATCH,
        ...compare(rounds.map((round) => ({ rate: round[backend].rate, peerRate: round.pytorch.rate }))),
        aim: null,
        unit: "images/s",
        note: `peak memory ${median(backend)} MiB, PyTorch ${median("pytorch")} MiB`,
      });
    }
  }
  return rows;
}

type Side = "cpu" | "wasm" | "pytorch";

interface Measured {
  readonly rate: number;
  readonly peakMiB: number;
}

function path(file: string): string {
  return fileURLToPath(new URL(file, root));
}

async function iterate(program: string, args: readonly string[], threads: number): Promise<Measured> {
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
