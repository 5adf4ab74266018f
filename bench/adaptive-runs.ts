import type { Backend, Slot } from "../src/backends/backend.js";
import type { Graph } from "../src/graph/types.js";
import { imageElements, isPerImage, rdi } from "./library.js";
import { images, weights, workload, type ModelName } from "./network/workload.js";
import { quantile } from "./row.js";
import { secondsOf } from "./timing.js";

/** A share of the images for each exit, from the first on, that is to leave there. */
export interface Shares {
  readonly name: string;
  readonly shares: readonly number[];
}

/** Work that is begun by `run`, which may return before it is done, and has ended when `done` settles. */
interface Run {
  readonly run: () => void;
  readonly done: () => Promise<void>;
}

interface AdaptiveRun extends Run {
  readonly name: string;
  /** Where each image left. */
  readonly exits: Int32Array;
}

interface AdaptiveRuns {
  /** Every exit. */
  readonly full: Run;
  readonly adaptive: readonly AdaptiveRun[];
  readonly dispose: () => void;
}

/** Full and adaptive inference on the same images, their buffers in place. */
async function prepareAdaptive(
  backend: Backend,
  name: ModelName,
  batch: number,
  policies: readonly Shares[],
): Promise<AdaptiveRuns> {
  const { model } = workload(name);
  const graph = rdi.inferenceGraph(model);
  const net = new rdi.Network(model, backend, weights(model));
  const slots = slotsOf(backend, graph, batch);
  const pixels = slots.get("images")!;
  backend.write(pixels, images(model, batch).x);

  const plan = backend.compile(graph, net.params, { maxBatch: batch });
  const full = { run: () => plan.run(batch, slots), done: () => plan.sync() };
  full.run();
  const numbers = Array.from({ length: model.exits }, (_, i) => i + 1);
  const entropies = await Promise.all(
    numbers.map((exit) => backend.read(slots.get(`exit${exit}.entropy`)!, "f32", batch)),
  );

  const results = {
    probabilities: backend.alloc(4 * batch * model.classes),
    entropy: backend.alloc(4 * batch),
    exits: backend.alloc(4 * batch),
  };
  const adaptivePlan = backend.compileAdaptive({ graph, exits: numbers }, net.params, { maxBatch: batch });
  const adaptive: AdaptiveRun[] = [];
  for (const { name, shares } of policies) {
    const thresholds = thresholdsFor(shares, entropies as Float32Array[], model.classes);
    const run = (): void => adaptivePlan.run(batch, new Map([["images", pixels]]), thresholds, results);
    run();
    const exits = (await backend.read(results.exits, "i32", batch)) as Int32Array;
    adaptive.push({ name, run, done: () => adaptivePlan.sync(), exits });
  }
  const dispose = (): void => {
    for (const slot of [...slots.values(), ...Object.values(results)]) backend.free(slot);
    plan.dispose();
    adaptivePlan.dispose();
    net.dispose();
  };
  return { full, adaptive, dispose };
}

/** What a policy does, and its rounds: images a second of adaptive inference, and what its multiply-accumulates promise. */
export interface AdaptiveMeasurement {
  readonly name: string;
  /** What share of the images left at each exit. */
  readonly left: string;
  readonly rounds: readonly { readonly rate: number; readonly peerRate: number }[];
}

/**
 * Adaptive inference against full inference, in turn: the peer's rate is what full inference (all exits) would reach if it took as much less time as adaptive
 * inference takes multiply-accumulates of the full ledger.
 */
export async function measureAdaptive(
  backend: Backend,
  model: ModelName,
  batch: number,
  policies: readonly Shares[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<AdaptiveMeasurement[]> {
  const { full, adaptive, dispose } = await prepareAdaptive(backend, model, batch, policies);
  try {
    const whole = meanMacs(model, Int32Array.of(rdi.modelByName(model).exits));
    const measured: AdaptiveMeasurement[] = [];
    for (const { exits, name, ...run } of adaptive) {
      // The first is for compilers to optimise what it runs.
      await rateOf(run, batch, seconds);
      const pairs = [];
      for (let round = 0; round < rounds; round++) {
        const peerRate = ((await rateOf(full, batch, seconds)) * whole) / meanMacs(model, exits);
        pairs.push({ rate: await rateOf(run, batch, seconds), peerRate });
      }
      measured.push({ name, left: describeExits(model, exits), rounds: pairs });
    }
    return measured;
  } finally {
    dispose();
  }
}

async function rateOf({ run, done }: Run, batch: number, atLeast: number): Promise<number> {
  const call = async (): Promise<void> => {
    run();
    await done();
  };
  return batch / (await secondsOf(call, atLeast));
}

/** Multiply-accumulates of an image, in millions, of those that left at these exits: the mean. */
function meanMacs(name: ModelName, exits: Int32Array): number {
  const costs = rdi.costOfExits(workload(name).model);
  return exits.reduce((sum, exit) => sum + costs[exit - 1]!.full, 0) / exits.length;
}

/** What share of the images left at each exit. */
function describeExits(name: ModelName, exits: Int32Array): string {
  const numbers = Array.from({ length: workload(name).model.exits }, (_, i) => i + 1);
  const share = (exit: number): string =>
    `${((100 * exits.filter((left) => left === exit).length) / exits.length).toFixed(0)}%`;
  return `left at exits ${numbers.join(", ")}: ${numbers.map(share).join(", ")}`;
}

/** A slot for every input and output of a graph. */
export function slotsOf(backend: Backend, graph: Graph, batch: number): Map<string, Slot> {
  return new Map(
    [...graph.inputs, ...graph.outputs].map(([name, value]) => {
      const spec = graph.specs[value]!;
      return [name, backend.alloc(4 * imageElements(spec) * (isPerImage(spec) ? batch : 1))];
    }),
  );
}

/** Thresholds with which these shares of the images leave at each exit: quantiles of the entropies of the images that are still inside. */
function thresholdsFor(shares: readonly number[], entropies: readonly Float32Array[], classes: number): number[] {
  const count = entropies[0]!.length;
  let inside = Array.from({ length: count }, (_, n) => n);
  return entropies.slice(0, -1).map((ofExit, i) => {
    const values = inside.map((n) => ofExit[n]!);
    const leaving = inside.length === 0 ? 0 : Math.min(1, ((shares[i] ?? 0) * count) / inside.length);
    // No entropy is under 0, and all are under that of a uniform distribution and a little.
    const threshold = leaving === 0 ? 0 : leaving === 1 ? Math.log(classes) + 1 : quantile(values, leaving);
    inside = inside.filter((n) => !(ofExit[n]! < threshold));
    return threshold;
  });
}
