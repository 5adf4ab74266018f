import { inferenceGraph, logitNames } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";

/** What every exit says of each image of a batch, by exit. */
export interface ExitOutputs {
  /** [n, classes]. */
  readonly logits: readonly Float32Array[];
  /** [n], in nats. */
  readonly entropies: readonly Float32Array[];
}

/** Runs every exit on images [n,C,H,W] in [0, 1], n ≤ `capacity`. */
export async function runAllExits(
  net: Network,
  images: Float32Array,
  count: number,
  capacity: number,
): Promise<ExitOutputs> {
  const program = net.executable("all-exits", capacity, () => inferenceGraph(net.model));
  const logits = logitNames(net.model);
  const entropies = logits.map((_, i) => `exit${i + 1}.entropy`);
  const outputs = await program.run(count, { images }, { outputs: [...logits, ...entropies] });
  const pick = (names: readonly string[]): Float32Array[] => names.map((name) => outputs.get(name) as Float32Array);
  return { logits: pick(logits), entropies: pick(entropies) };
}

/** The first class of the largest value of row `n`. */
export function argmaxOfRow(values: Float32Array, classes: number, n: number): number {
  const row = values.subarray(n * classes, (n + 1) * classes);
  return row.reduce((best, value, k) => (value > row[best]! ? k : best), 0);
}

/** Cross-entropy −log softmax(logits)[label] of row `n`, in nats. */
export function crossEntropyOfRow(logits: Float32Array, classes: number, n: number, label: number): number {
  const row = logits.subarray(n * classes, (n + 1) * classes);
  const max = row.reduce((a, b) => Math.max(a, b));
  const total = row.reduce((sum, value) => sum + Math.exp(value - max), 0);
  return max + Math.log(total) - row[label]!;
}
