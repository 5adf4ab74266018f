import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { instructionSetOf } from "./network/own.js";
import { hasPytorch, python, pytorchProgram, withThreads } from "./network/pytorch.js";
import type { Options } from "./options.js";
import { compare, quantile, type Row } from "./row.js";

const run = promisify(execFile);
const own = fileURLToPath(new URL("training/own.js", import.meta.url));

const BATCH = 128;
/** How many times as much memory PyTorch is to need, at least. */
const MEMORY_AIM = 2;
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
 * loss) by the `cpu` and the `wasm` backend, and by PyTorch where there is one (channels-last), each in its own process, in turn. Of memory the ratio is the peer's to ours.
 */
export async function benchTraining({ quick }: Pick<Options, "quick">): Promise<Row[]> {
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
    for (const [backend, peer] of pairs.filter(([, peer]) => sides.includes(peer))) {
      const measured = rounds.map((round) => [round.get(backend)!, round.get(peer)!] as const);
      const row = {
        name: "rdi-resnet38",
        backend,
        peer,
        threads,
        batch: BATCH,
        stretch: null,
        floor: null,
        note: backend === "cpu" ? instructionSet : "",
      };
      rows.push({
        ...row,
        work: "adversarial training",
        ...compare(measured.map(([own, other]) => ({ rate: own.rate, peerRate: other.rate }))),
        aim: null,
        unit: "images/s",
      });
      if (peer !== "pytorch") continue;
      const memory = compare(measured.map(([own, other]) => ({ rate: other.peakMiB, peerRate: own.peakMiB })));
      rows.push({
        ...row,
        work: "its peak memory",
        ratio: memory.ratio,
        spread: memory.spread,
        rate: memory.peerRate,
        peerRate: memory.rate,
        aim: MEMORY_AIM,
        unit: "MiB",
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
