import type { Backend, Slot } from "../src/backends/backend.js";
import type { Graph } from "../src/graph/types.js";
import { imageElements, isPerImage, rdi } from "./library.js";
import { compare, quantile, type Row } from "./row.js";
import { fastest, settle } from "./timing.js";
import { weights, workload } from "./network/workload.js";

const { model } = workload("rdi-smallcnn");

/** The shares of the images that are to leave at exits 1, 2 and 3. */
const policies = [
  { name: "a third at each exit", shares: [1 / 3, 1 / 3, 1 / 3] },
  { name: "60, 20 and 20%", shares: [0.6, 0.2, 0.2] },
  { name: "all at exit 1", shares: [1, 0, 0] },
  { name: "all at the last exit", shares: [0, 0, 1] },
] as const;

const BATCH = 256;
/** Wall time may be this much longer than the multiply-accumulates say. */
const AIM = 1 / 1.15;

/**
 * How fast adaptive inference is, against what its multiply-accumulates of the full ledger promise: the rate of full inference, with every exit,
 * times the ratio of their costs.
 */
export async function benchAdaptive({ quick }: { readonly quick: boolean }): Promise<Row[]> {
  const costs = rdi.costOfExits(model).map(({ full }) => full);
  const tries = quick ? 2 : 3;
  const rows: Row[] = [];
  for (const threads of [1, 2]) {
    const backend = await rdi.createBackend({ backend: "wasm", threads });
    try {
      const runs = await prepare(backend);
      const rounds: Map<string, { rate: number; peerRate: number }>[] = [];
      // The first round is for compilers to optimise what it runs.
      for (let r = -1; r < (quick ? 4 : 15); r++) {
        const round = new Map<string, { rate: number; peerRate: number }>();
        let before = BATCH / fastest(tries, runs.full);
        for (const { name, run, exits } of runs.adaptive) {
          const rate = BATCH / fastest(tries, run);
          const after = BATCH / fastest(tries, runs.full);
          const macs = exits.reduce((sum, exit) => sum + costs[exit - 1]!, 0) / BATCH;
          round.set(name, { rate, peerRate: (((before + after) / 2) * costs.at(-1)!) / macs });
          before = after;
        }
        if (r >= 0) rounds.push(round);
        await settle();
      }
      for (const { name, exits } of runs.adaptive) {
        const share = (exit: number): string =>
          `${((100 * exits.filter((left) => left === exit).length) / BATCH).toFixed(0)}%`;
        rows.push({
          name,
          work: "adaptive",
          backend: "wasm",
          peer: "its MACs",
          threads,
          batch: BATCH,
          ...compare(rounds.map((round) => round.get(name)!)),
          aim: AIM,
          unit: "images/s",
          note: `left at exits 1, 2, 3: ${costs.map((_, i) => share(i + 1)).join(", ")}`,
        });
      }
    } finally {
      backend.dispose();
    }
  }
  return rows;
}

interface Runs {
  readonly full: () => void;
  /** `exits`: where each image left. */
  readonly adaptive: readonly { readonly name: string; readonly run: () => void; readonly exits: Int32Array }[];
}

/** Full and adaptive inference on the same digits, their buffers in place. What they hold goes with the backend. */
async function prepare(backend: Backend): Promise<Runs> {
  const graph = rdi.inferenceGraph(model);
  const { params } = new rdi.Network(model, backend, weights(model));
  const slots = slotsOf(backend, graph);
  const images = slots.get("images")!;
  backend.write(images, digits());

  const plan = backend.compile(graph, params, { maxBatch: BATCH });
  const full = (): void => plan.run(BATCH, slots);
  full();
  const entropies = await Promise.all(
    [1, 2, 3].map((exit) => backend.read(slots.get(`exit${exit}.entropy`)!, "f32", BATCH)),
  );

  const results = {
    probabilities: backend.alloc(4 * BATCH * model.classes),
    entropy: backend.alloc(4 * BATCH),
    exits: backend.alloc(4 * BATCH),
  };
  const adaptivePlan = backend.compileAdaptive({ graph, exits: [1, 2, 3] }, params, { maxBatch: BATCH });
  const adaptive = [];
  for (const { name, shares } of policies) {
    const thresholds = thresholdsFor(shares, entropies as Float32Array[]);
    const run = (): void => adaptivePlan.run(BATCH, new Map([["images", images]]), thresholds, results);
    run();
    adaptive.push({ name, run, exits: (await backend.read(results.exits, "i32", BATCH)) as Int32Array });
  }
  return { full, adaptive };
}

/** A slot for every input and output of a graph. */
function slotsOf(backend: Backend, graph: Graph): Map<string, Slot> {
  return new Map(
    [...graph.inputs, ...graph.outputs].map(([name, value]) => {
      const spec = graph.specs[value]!;
      return [name, backend.alloc(4 * imageElements(spec) * (isPerImage(spec) ? BATCH : 1))];
    }),
  );
}

function digits(): Float32Array {
  const data = rdi.digits({ split: "test", length: BATCH });
  const images = new Float32Array(BATCH * data.imageShape.reduce((product, size) => product * size, 1));
  data.read(
    Int32Array.from({ length: BATCH }, (_, n) => n),
    images,
    new Int32Array(BATCH),
  );
  return images;
}

/** Thresholds with which these shares of the images leave at each exit: quantiles of the entropies of the images that are still inside. */
function thresholdsFor(shares: readonly number[], entropies: readonly Float32Array[]): number[] {
  let inside = Array.from({ length: BATCH }, (_, n) => n);
  return shares.slice(0, -1).map((share, i) => {
    const values = inside.map((n) => entropies[i]![n]!);
    const leaving = Math.min(1, (share * BATCH) / inside.length);
    // No entropy is under 0, and all are under that of a uniform distribution and a little.
    const threshold = leaving === 0 ? 0 : leaving === 1 ? Math.log(model.classes) + 1 : quantile(values, leaving);
    inside = inside.filter((n) => !(entropies[i]![n]! < threshold));
    return threshold;
  });
}
