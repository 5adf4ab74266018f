import type { AdaptivePlan, AdaptiveResults, Slot } from "../backends/backend.js";
import { allocFor } from "../backends/binding.js";
import type { Macs } from "../graph/cost.js";
import { outputsOf } from "../nn/executable.js";
import { imageSpec, inferenceGraph } from "../nn/exit-model.js";
import { checkImages, type Network } from "../nn/network.js";
import { f32, i32 } from "../ops/spec.js";
import type { Disposable } from "../util/disposable.js";
import { expectCount } from "../util/errors.js";
import { argmaxOfRow } from "./all-exits.js";
import { checkPolicy, policyMacs, type ExitPolicy } from "./policy.js";

export interface Classification {
  /** The most probable class. */
  readonly label: number;
  /** The exit at which the image left, from 1 on. */
  readonly exit: number;
  /** [classes], summing to 1. */
  readonly probabilities: Float32Array;
  /** Of the probabilities, in nats. */
  readonly entropy: number;
  /** What the image cost. */
  readonly macs: Macs;
}

export interface ClassifyOptions {
  /** Images that run together. Default 256. */
  readonly batchSize?: number;
  /** Ends the work; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/**
 * Classifies images [n,C,H,W] in [0, 1] adaptively: an image that has left computes nothing more.
 *
 * @throws ArgumentError for NaN or pixels outside [0, 1], or a policy that does not fit the model
 */
export async function classify(
  net: Network,
  policy: ExitPolicy,
  images: Float32Array,
  { batchSize = 256, signal }: ClassifyOptions = {},
): Promise<Classification[]> {
  checkPolicy(net.model, policy);
  expectCount(batchSize, "batchSize");
  const count = checkImages(net.model, images);
  const row = images.length / count;
  const capacity = Math.min(batchSize, 2 ** Math.ceil(Math.log2(count)));
  const key = `adaptive:${policy.exits.join()}@${capacity}`;
  const program = net.program(key, () => new AdaptiveProgram(net, policy.exits, capacity));
  const results: Classification[] = [];
  for (let start = 0; start < count; start += capacity) {
    const end = Math.min(start + capacity, count);
    const part = images.subarray(start * row, end * row);
    results.push(...(await program.run(part, end - start, policy.thresholds, signal)));
  }
  return results;
}

/** An adaptive plan with slots of its own. */
class AdaptiveProgram implements Disposable {
  readonly #net: Network;
  readonly #plan: AdaptivePlan;
  readonly #images: Slot;
  readonly #results: AdaptiveResults;
  readonly #macs: readonly Macs[];

  constructor(net: Network, exits: readonly number[], capacity: number) {
    const { model, backend, params } = net;
    this.#net = net;
    this.#macs = policyMacs(model, { exits, thresholds: [] });
    this.#plan = backend.compileAdaptive({ graph: inferenceGraph(model), exits }, params, { maxBatch: capacity });
    this.#images = allocFor(backend, imageSpec(model), capacity);
    this.#results = {
      probabilities: allocFor(backend, f32("N", model.classes), capacity),
      entropy: allocFor(backend, f32("N"), capacity),
      exits: allocFor(backend, i32("N"), capacity),
    };
  }

  async run(
    images: Float32Array,
    count: number,
    thresholds: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Classification[]> {
    const { backend, model } = this.#net;
    backend.write(this.#images, images);
    this.#plan.run(count, new Map([["images", this.#images]]), thresholds, this.#results, { signal });
    const results = await outputsOf(this.#plan, [
      backend.read(this.#results.probabilities, "f32", count * model.classes),
      backend.read(this.#results.entropy, "f32", count),
      backend.read(this.#results.exits, "i32", count),
    ]);
    const [probabilities, entropies, exits] = results as [Float32Array, Float32Array, Int32Array];
    return Array.from({ length: count }, (_, n) => ({
      label: argmaxOfRow(probabilities, model.classes, n),
      exit: exits[n]!,
      probabilities: probabilities.slice(n * model.classes, (n + 1) * model.classes),
      entropy: entropies[n]!,
      macs: this.#macs[exits[n]! - 1]!,
    }));
  }

  dispose(): void {
    this.#plan.dispose();
    for (const slot of [this.#images, ...(Object.values(this.#results) as Slot[])]) this.#net.backend.free(slot);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
