import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { instructionSetOf } from "./network/own.js";
import { hasPytorch, python, pytorchProgram, withThreads } from "./network/pytorch.js";
import { compare, quantile, type Row } from "./row.js";

const run = promisify(execFile);
const own = fileURLToPath(new URL("training/own.js", import.meta.url));

const BATCH = 128;
/** The first of a process compiles, and is not counted. */
const ITERATIONS = 3;

interface Iteration {
  readonly seconds: number;
  readonly peakMiB: number;
}

type Side = "cpu" | "wasm" | "pytorch";

/** Ours, and the peer. */
const pairs: readonly (readonly ["cpu" | "wasm", Side])[] = [
  ["cpu", "wasm"],
  ["cpu", "pytorch"],
  ["wasm", "pytorch"],
];

/**
 * An iteration of adversarial training of RDI-ResNet38 (the paper's recipe: batch 128, average form, 10 steps in train mode, clean and adversarial halves of the
 * loss) by the `cpu` and the `wasm` backend, and by PyTorch where there is one (channels-last), each in its own process, in turn.
 */
export async function benchTraining({ quick }: { readonly quick: boolean }): Promise<Row[]> {
  const instructionSet = await instructionSetOf("cpu");
  const sides: readonly Side[] = (await hasPytorch()) ? ["cpu", "wasm", "pytorch"] : ["cpu", "wasm"];
  const rows: Row[] = [];
  for (const threads of [1, 2]) {
    const rounds: Map<Side, Measured>[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      const measured = new Map<Side, Measured>();
      for (const side of sides) measured.set(side, await iterate(side, threads));
      rounds.push(measured);
    }
    const peak = (side: Side): string => {
      const peaks = rounds.map((round) => round.get(side)!.peakMiB);
      return `${side} ${quantile(peaks, 0.5).toFixed(0)} MiB`;
    };
    for (const [backend, peer] of pairs.filter(([, peer]) => sides.includes(peer))) {
      const rates = rounds.map((round) => ({ rate: round.get(backend)!.rate, peerRate: round.get(peer)!.rate }));
      rows.push({
        name: "rdi-resnet38",
        work: "adversarial training",
        backend,
        peer,
        threads,
        batch: BATCH,
        ...compare(rates),
        aim: null,
        unit: "images/s",
        note: `${backend === "cpu" ? `${instructionSet}; ` : ""}peak memory: ${peak(backend)}, ${peak(peer)}`,
      });
    }
  }
  return rows;
}

interface Measured {
  readonly rate: number;
  readonly peakMiB: number;
}

async function iterate(side: Side, threads: number): Promise<Measured> {
  const counts = [threads, ITERATIONS].map(String);
  const { stdout } =
    side === "pytorch"
      ? await run(python, [pytorchProgram("training"), ...counts], { env: withThreads(threads) })
      : await run(process.execPath, [own, side, ...counts]);
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
