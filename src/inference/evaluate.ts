import type { Attack, Norm } from "../attacks/index.js";
import { batches, type Batch, type Dataset } from "../data/dataset.js";
import type { Macs } from "../graph/cost.js";
import { savingsOf } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import { expectCount } from "../util/errors.js";
import { mean } from "../util/mean.js";
import { nextTurn } from "../util/next-turn.js";
import { argmaxOfRow, crossEntropyOfRow, runAllExits, type ExitOutputs } from "./all-exits.js";
import { checkDataset } from "./calibrate.js";
import { checkPolicy, exitIndex, policyMacs, type ExitPolicy } from "./policy.js";

/** The settings of an attack, as they are reported. */
export interface AttackReport {
  readonly method: string;
  readonly form: string;
  /** The exits that it was aimed at; absent: all of the model's. */
  readonly exits?: readonly number[];
  /** What ε bounds; absent where there is no ball. */
  readonly norm?: Norm;
  readonly eps: number;
  readonly step: number;
  readonly steps: number;
  readonly randomStart: boolean;
  readonly seed: number;
  /** Of black-box methods: forward passes an image that were made. */
  readonly queries?: { readonly mean: number; readonly most: number };
  /** Of an ensemble. */
  readonly members?: readonly AttackReport[];
}

export interface ExitEvaluation {
  readonly exit: number;
  /** Fraction of all images that this exit classifies right, wherever they leave. */
  readonly accuracy: number;
  /** Mean cross-entropy over all images, in nats. */
  readonly loss: number;
  /** Fraction of the images that leave here. */
  readonly share: number;
  /** Of an image that leaves here. */
  readonly macs: Macs;
}

export interface Evaluation {
  readonly model: string;
  readonly images: number;
  readonly backend: string;
  readonly threads: number;
  readonly attack: AttackReport | null;
  readonly exits: readonly ExitEvaluation[];
  readonly adaptive: {
    /** Fraction of the images that the exit at which they leave classifies right. */
    readonly accuracy: number;
    /** Mean over the images. */
    readonly macs: Macs;
    /** 1 − macs ÷ the plain backbone's, in each ledger. */
    readonly saved: Macs;
    readonly thresholds: readonly number[];
    /** Under an attack that also slows the network (`slowdown`, or an ensemble): its worst case by accuracy, and its worst case by cost. */
    readonly worst?: WorstCase;
  };
  readonly seconds: number;
}

export interface WorstCase {
  readonly accuracy: number;
  /** Mean over the images that were made to cost the most. */
  readonly macs: Macs;
  readonly saved: Macs;
  /** Fraction of these that take the whole network. */
  readonly lastExit: number;
}

/** What each exit makes of each image; by exit, each [images]. */
export interface ExitDetails {
  /** In nats. */
  readonly entropies: readonly Float32Array[];
  /** 1 where the exit is right. */
  readonly correct: readonly Uint8Array[];
}

/** One evaluated image. The arrays are views that later batches do not touch. */
export interface EvaluationSample {
  /** Its position in the dataset. */
  readonly index: number;
  readonly label: number;
  readonly clean: Float32Array;
  /** What was classified: the adversarial image, or the clean one without an attack. */
  readonly image: Float32Array;
  /** The exit at which it left, and what that exit says. */
  readonly exit: number;
  readonly prediction: number;
  readonly entropy: number;
  /** Of max-average: the exit whose attack was kept; of an ensemble: the place of the member. */
  readonly chosen?: number;
}

export interface EvaluateOptions {
  readonly policy: ExitPolicy;
  /** None: clean images. Random starts depend on an image's position in the dataset. */
  readonly attack?: Attack;
  /** The network that is attacked: one of floats where the one evaluated computes in integers and has no gradients, say. Default: the one evaluated. */
  readonly attacked?: Network;
  /** Default 256. */
  readonly batchSize?: number;
  readonly onProgress?: (doneImages: number, totalImages: number) => void;
  readonly signal?: AbortSignal;
  /** Called for every image, in order. */
  readonly keep?: (sample: EvaluationSample) => void;
}

/**
 * Accuracy and cost of every exit and of the adaptive network, on clean or attacked images. Every exit of every image is run, so that all can be
 * reported; the adaptive result is what early exit gives.
 *
 * @throws ArgumentError if dataset, policy or attack do not fit the model
 */
export async function evaluate(
  net: Network,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation & { readonly details: ExitDetails }> {
  const { policy, attack, attacked: target = net, batchSize = 256, onProgress, signal, keep } = options;
  const { model, backend } = net;
  checkPolicy(model, policy);
  checkDataset(model, dataset);
  expectCount(batchSize, "batchSize");
  const started = performance.now();
  const tally = new Tally(net, policy, dataset.length);
  const slowed = new Tally(net, policy, dataset.length);
  const queries: number[] = [];
  for (const batch of batches(dataset, { batchSize })) {
    signal?.throwIfAborted();
    const ids = batch.indices;
    const attacked = await attack?.craft(target, batch.images, batch.labels, {
      ids,
      batchSize,
      policy,
      ...(signal && { signal }),
    });
    const images = attacked?.images ?? batch.images;
    const run = (own: Float32Array): Promise<ExitOutputs> =>
      runAllExits(net, own, batch.size, Math.min(batchSize, dataset.length));
    const outputs = await run(images);
    tally.add(batch, outputs);
    const slowest = attacked?.slowest;
    if (slowest !== undefined) slowed.add(batch, slowest === images ? outputs : await run(slowest));
    if (attacked?.queries !== undefined) queries.push(...attacked.queries);
    if (keep !== undefined)
      for (const sample of samples(policy, batch, images, outputs, attacked?.chosen)) keep(sample);
    onProgress?.(tally.count, dataset.length);
    await nextTurn();
  }
  const { exits, adaptive } = tally.result();
  return {
    model: model.name,
    images: dataset.length,
    backend: backend.name,
    threads: backend.threads,
    attack: attack === undefined ? null : reportAttack(attack, queries),
    exits,
    adaptive: { ...adaptive, ...(slowed.count > 0 && { worst: worstCase(adaptive.accuracy, slowed) }) },
    seconds: (performance.now() - started) / 1000,
    details: tally.details,
  };
}

/** @param queries of black-box methods, by image */
export function reportAttack({ form, exits, method, members }: Attack, queries: ArrayLike<number> = []): AttackReport {
  const { name, norm, eps, step, steps, randomStart, seed } = method;
  const counts = Array.from(queries);
  return {
    method: name,
    form,
    ...(exits && { exits }),
    ...(norm && { norm }),
    eps,
    step,
    steps,
    randomStart,
    seed,
    ...(counts.length > 0 && { queries: { mean: mean(counts), most: counts.reduce((a, b) => Math.max(a, b)) } }),
    ...(members && { members: members.map((member) => reportAttack(member)) }),
  };
}

function worstCase(accuracy: number, slowed: Tally): WorstCase {
  const { exits, adaptive } = slowed.result();
  return { accuracy, macs: adaptive.macs, saved: adaptive.saved, lastExit: exits.at(-1)!.share };
}

/** Counts what the exits make of the images. */
class Tally {
  readonly details: { readonly entropies: Float32Array[]; readonly correct: Uint8Array[] };
  count = 0;
  readonly #losses: Float64Array;

  constructor(
    readonly net: Network,
    readonly policy: ExitPolicy,
    images: number,
  ) {
    const { exits } = net.model;
    this.#losses = new Float64Array(exits);
    this.details = {
      entropies: Array.from({ length: exits }, () => new Float32Array(images)),
      correct: Array.from({ length: exits }, () => new Uint8Array(images)),
    };
  }

  add({ labels, size }: Batch, { logits, entropies }: ExitOutputs): void {
    const { classes, exits } = this.net.model;
    for (let i = 0; i < exits; i++) {
      this.details.entropies[i]!.set(entropies[i]!, this.count);
      for (let n = 0; n < size; n++) {
        const label = labels[n]!;
        this.details.correct[i]![this.count + n] = Number(argmaxOfRow(logits[i]!, classes, n) === label);
        this.#losses[i]! += crossEntropyOfRow(logits[i]!, classes, n, label);
      }
    }
    this.count += size;
  }

  result(): Pick<Evaluation, "exits" | "adaptive"> {
    const { model } = this.net;
    const macs = policyMacs(model, this.policy);
    const adaptive = selectExits(this.details, macs, this.policy);
    const exits = macs.map((cost, i) => ({
      exit: i + 1,
      accuracy: mean(this.details.correct[i]!),
      loss: this.#losses[i]! / this.count,
      share: adaptive.shares[i]!,
      macs: cost,
    }));
    return {
      exits,
      adaptive: {
        accuracy: adaptive.accuracy,
        macs: adaptive.macs,
        saved: savingsOf(model, adaptive.macs),
        thresholds: this.policy.thresholds,
      },
    };
  }
}

/** What a policy makes of images whose exits have all been run. */
export interface PolicyOutcome {
  readonly accuracy: number;
  /** Mean over the images. */
  readonly macs: Macs;
  /** Fraction of the images that leave at each exit 1 … N. */
  readonly shares: readonly number[];
}

/** @param macs the cost of leaving at each exit 1 … N under the policy */
export function selectExits(
  { entropies, correct }: ExitDetails,
  macs: readonly Macs[],
  policy: ExitPolicy,
): PolicyOutcome {
  const count = entropies[0]!.length;
  const leaving = new Float64Array(entropies.length);
  let right = 0;
  for (let n = 0; n < count; n++) {
    const exit = policy.exits[exitIndex(policy, entropies, n)]!;
    leaving[exit - 1]!++;
    right += correct[exit - 1]![n]!;
  }
  const shares = [...leaving].map((images) => images / count);
  const meanOf = (ledger: keyof Macs): number => shares.reduce((sum, share, i) => sum + share * macs[i]![ledger], 0);
  return { accuracy: right / count, macs: { paper: meanOf("paper"), full: meanOf("full") }, shares };
}

function* samples(
  policy: ExitPolicy,
  { images: clean, labels, indices, size }: Batch,
  images: Float32Array,
  { logits, entropies }: ExitOutputs,
  chosen: Int32Array | undefined,
): Iterable<EvaluationSample> {
  const row = images.length / size;
  for (let n = 0; n < size; n++) {
    const exit = policy.exits[exitIndex(policy, entropies, n)]!;
    yield {
      index: indices[n]!,
      label: labels[n]!,
      clean: clean.subarray(n * row, (n + 1) * row),
      image: images.subarray(n * row, (n + 1) * row),
      exit,
      prediction: argmaxOfRow(logits[exit - 1]!, logits[exit - 1]!.length / size, n),
      entropy: entropies[exit - 1]![n]!,
      ...(chosen && { chosen: chosen[n]! }),
    };
  }
}
