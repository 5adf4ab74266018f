import { argmaxOfRow, crossEntropyOfRow, runAllExits, type ExitOutputs } from "../inference/all-exits.js";
import { checkPolicy, exitIndex, type ExitPolicy } from "../inference/policy.js";
import { exitNumbers } from "../nn/exit-model.js";
import { checkImages, checkLabels, type Network } from "../nn/network.js";
import { ArgumentError, expectCount } from "../util/errors.js";
import { apgdCe, apgdDlr } from "./apgd.js";
import { checkIds, DEFAULT_BATCH, type Adversarial, type Attack, type PerturbOptions } from "./attack.js";
import type { Norm } from "./ball.js";
import { average, maxAverage, slowdown } from "./forms.js";
import { pgd } from "./pgd.js";
import { square } from "./square.js";

/**
 * Several attacks in one ball, of which each image gets the worst. With a policy in the options of `craft`, that is the first result that the network, leaving
 * by that policy, misclassifies, and later members do not attack the image again; where there is none, and without a policy, the one with the largest
 * cross-entropy summed over the exits (of the policy, if any). So it is at least as strong as each member, image by image. With a policy it also
 * reports the images that leave last, among the clean ones and all that were made: `slowdown` members attack every image.
 *
 * @throws ArgumentError if there is no member, or they have not one norm and ε
 */
export function ensemble(members: readonly Attack[]): Attack {
  const [first] = members;
  if (first === undefined) throw new ArgumentError("Expected attacks for the ensemble but received none");
  const { norm, eps } = first.method;
  for (const { method } of members) {
    if (method.norm === norm && method.eps === eps) continue;
    throw new ArgumentError(
      `Expected members of one norm and eps (${norm ?? "none"}, ${eps}) for the ensemble but received ${method.name} (${method.norm ?? "none"}, ${method.eps})`,
    );
  }
  const kept = Object.freeze([...members]);
  const craft: Attack["craft"] = (net, x, y, options = {}) => craftWorst(kept, net, x, y, options);
  const method = Object.freeze({
    name: "ensemble" as const,
    ...(norm && { norm }),
    eps,
    step: 0,
    steps: Math.max(...kept.map((member) => member.method.steps)),
    randomStart: kept.some((member) => member.method.randomStart),
    seed: first.method.seed,
  });
  return Object.freeze({
    form: "worst-case",
    ...(first.exits && { exits: first.exits }),
    method,
    members: kept,
    craft,
    perturb: async (...args: Parameters<Attack["perturb"]>) => (await craft(...args)).images,
    toString: () => `worst case of ${kept.map(String).join("; ")}`,
  });
}

export interface EnsembleSettings {
  /** The exits to aim at, by number. */
  readonly exits: readonly number[];
  readonly eps: number;
  /** Of PGD. */
  readonly step: number;
  /** Of the attacks by gradients. */
  readonly steps: number;
  /** Of Square. */
  readonly queries: number;
  /** Default "linf". In L2 there is no Square. */
  readonly norm?: Norm;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * APGD-CE, APGD-DLR and Square in the form `average`, PGD in `max-average`, and, where more than the last exit is in use, PGD in `slowdown`.
 *
 * @throws ArgumentError if a setting is out of range
 */
export function standardEnsemble(settings: EnsembleSettings): Attack {
  const { eps, step, steps, queries, norm = "linf", seed = 0, exits } = settings;
  const stepped = pgd({ eps, step, steps, norm, seed });
  return ensemble([
    average(apgdCe({ eps, steps, norm, seed }), { exits }),
    average(apgdDlr({ eps, steps, norm, seed }), { exits }),
    ...(norm === "linf" ? [average(square({ eps, queries, seed }), { exits })] : []),
    maxAverage(stepped, { exits }),
    ...(exits.length > 1 ? [slowdown(stepped, { exits })] : []),
  ]);
}

async function craftWorst(
  members: readonly Attack[],
  net: Network,
  x: Float32Array,
  y: Int32Array,
  { policy, onProgress, ...options }: PerturbOptions,
): Promise<Adversarial> {
  const count = checkImages(net.model, x);
  checkLabels(net.model, y, count);
  const ids = checkIds(options.ids ?? { length: count }, count);
  const { batchSize = DEFAULT_BATCH } = options;
  expectCount(batchSize, "batchSize");
  const all = Array.from(y.keys());
  const worst = new Worst(net, x, y, policy);
  if (policy !== undefined) worst.slow(all, x, await exitsOf(net, x, count, batchSize));
  for (const [m, member] of members.entries()) {
    options.signal?.throwIfAborted();
    const places = member.form === "slowdown" ? all : all.filter((n) => worst.fooled[n] === 0);
    if (places.length > 0) {
      const own = { ids: places.map((n) => ids[n]!), batchSize };
      const labels = Int32Array.from(places, (n) => y[n]!);
      const { images, queries } = await member.craft(net, rowsOf(x, count, places), labels, { ...options, ...own });
      const outputs = await exitsOf(net, images, places.length, batchSize);
      worst.keep(m, places, images, outputs);
      if (policy !== undefined) worst.slow(places, images, outputs);
      if (queries !== undefined) places.forEach((n, k) => (worst.queries[n]! += queries[k]!));
    }
    onProgress?.(Math.floor((count * (m + 1)) / members.length), count);
  }
  const { images, chosen, slowest, queries } = worst;
  return {
    images,
    chosen,
    ...(policy && { slowest }),
    ...(members.some(({ method }) => method.name === "square") && { queries }),
  };
}

/** The worst images so far. */
class Worst {
  readonly images: Float32Array;
  readonly slowest: Float32Array;
  readonly chosen: Int32Array;
  readonly queries: Int32Array;
  /** 1 where the network is wrong about `images`. */
  readonly fooled: Uint8Array;
  readonly #scores: Float64Array;
  readonly #leaving: Int32Array;
  readonly #row: number;
  /** Exits, by number, over which cross-entropies are summed. */
  readonly #scored: readonly number[];

  constructor(
    readonly net: Network,
    x: Float32Array,
    readonly labels: Int32Array,
    readonly policy: ExitPolicy | undefined,
  ) {
    if (policy !== undefined) checkPolicy(net.model, policy);
    const count = labels.length;
    this.images = x.slice();
    this.slowest = x.slice();
    this.chosen = new Int32Array(count);
    this.queries = new Int32Array(count);
    this.fooled = new Uint8Array(count);
    this.#scores = new Float64Array(count).fill(-Infinity);
    this.#leaving = new Int32Array(count).fill(-1);
    this.#row = x.length / count;
    this.#scored = policy?.exits ?? exitNumbers(net.model);
  }

  /** Takes candidates for the images at `places`, made by member `m`, where they are worse. */
  keep(m: number, places: readonly number[], candidates: Float32Array, { logits, entropies }: ExitOutputs): void {
    const { classes } = this.net.model;
    places.forEach((n, k) => {
      if (this.fooled[n] === 1) return;
      const label = this.labels[n]!;
      const exit = this.policy?.exits[exitIndex(this.policy, entropies, k)];
      const wrong = exit !== undefined && argmaxOfRow(logits[exit - 1]!, classes, k) !== label;
      const score = this.#scored.reduce((sum, e) => sum + crossEntropyOfRow(logits[e - 1]!, classes, k, label), 0);
      if (!wrong && !(score > this.#scores[n]!)) return;
      this.fooled[n] = Number(wrong);
      this.#scores[n] = score;
      this.chosen[n] = m;
      this.#copy(this.images, n, candidates, k);
    });
  }

  /** Takes those that leave later. */
  slow(places: readonly number[], candidates: Float32Array, { entropies }: ExitOutputs): void {
    places.forEach((n, k) => {
      const leaving = exitIndex(this.policy!, entropies, k);
      if (leaving <= this.#leaving[n]!) return;
      this.#leaving[n] = leaving;
      this.#copy(this.slowest, n, candidates, k);
    });
  }

  #copy(to: Float32Array, n: number, from: Float32Array, k: number): void {
    to.set(from.subarray(k * this.#row, (k + 1) * this.#row), n * this.#row);
  }
}

/** `runAllExits` in batches. */
async function exitsOf(net: Network, images: Float32Array, count: number, batchSize: number): Promise<ExitOutputs> {
  const { exits, classes } = net.model;
  const row = images.length / count;
  const logits = Array.from({ length: exits }, () => new Float32Array(count * classes));
  const entropies = Array.from({ length: exits }, () => new Float32Array(count));
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(start + batchSize, count);
    const own = await runAllExits(net, images.subarray(start * row, end * row), end - start, batchSize);
    own.logits.forEach((values, i) => logits[i]!.set(values, start * classes));
    own.entropies.forEach((values, i) => entropies[i]!.set(values, start));
  }
  return { logits, entropies };
}

function rowsOf(x: Float32Array, count: number, places: readonly number[]): Float32Array {
  const row = x.length / count;
  const rows = new Float32Array(places.length * row);
  places.forEach((n, k) => rows.set(x.subarray(n * row, (n + 1) * row), k * row));
  return rows;
}
