import type { ExitPolicy } from "../inference/policy.js";
import { checkImages, checkLabels, type Network } from "../nn/network.js";
import { ArgumentError, expectCount } from "../util/errors.js";
import { nextTurn } from "../util/next-turn.js";
import { craftBatch, type Form } from "./crafting.js";
import { describeMethod, type AttackMethod, type AttackSettings, type CraftMode } from "./method.js";

export interface PerturbOptions {
  /** The image ids on which random draws depend; 0 … n − 1 if absent. */
  readonly ids?: ArrayLike<number>;
  /** Images that are attacked together; in mode "eval" the result does not depend on it. Default 256. */
  readonly batchSize?: number;
  /**
   * "train" keeps dropout active, with masks of its own in every step, and has batch norm use, and update, the statistics of the batch; default
   * "eval".
   */
  readonly mode?: CraftMode;
  /** Of an ensemble: how images leave, which tells what fools the network and what slows it. */
  readonly policy?: ExitPolicy;
  readonly onProgress?: (doneImages: number, totalImages: number) => void;
  /** Ends the attack, within one step where the backend computes on threads of its own, else between batches (and queries); its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Adversarial {
  /** Of the shape of the clean images, in [0, 1]. */
  readonly images: Float32Array;
  /** Of max-average: for each image the exit whose attack was kept. Of an ensemble: the place of the member, from 0. */
  readonly chosen?: Int32Array;
  /** Of black-box methods: for each image the forward passes that were made. */
  readonly queries?: Int32Array;
  /** The images that are to cost the most: of `slowdown`, and of an ensemble with a policy. */
  readonly slowest?: Float32Array;
}

/** A form with a method: which losses are raised, and how; or an ensemble of attacks. Immutable. */
export interface Attack {
  /** `single:2`, `main`, `average`, `max-average` or `slowdown`; of an ensemble `worst-case`. */
  readonly form: string;
  /** The exits that the attack is aimed at, numbered from 1; absent: all of the model's. Of `single` and `main`, the exit is in the form's name. */
  readonly exits?: readonly number[];
  readonly method: AttackSettings;
  /** Of an ensemble. */
  readonly members?: readonly Attack[];
  /**
   * The adversarial images alone; see `craft`.
   */
  perturb(net: Network, x: Float32Array, y: Int32Array, options?: PerturbOptions): Promise<Float32Array>;
  /**
   * Attacks images x [n,C,H,W] in [0, 1] with labels y [n]. The network is unchanged (in mode "train" but for its running statistics).
   *
   * @throws ArgumentError for NaN or pixels outside [0, 1], labels that are not the model's, or a form naming an exit that the model has not
   */
  craft(net: Network, x: Float32Array, y: Int32Array, options?: PerturbOptions): Promise<Adversarial>;
  toString(): string;
}

export const DEFAULT_BATCH = 256;

export function makeAttack(form: Form, method: AttackMethod): Attack {
  const craft: Attack["craft"] = async (net, x, y, options = {}) => {
    const { batchSize = DEFAULT_BATCH, mode = "eval", onProgress, signal } = options;
    const count = checkImages(net.model, x);
    checkLabels(net.model, y, count);
    expectCount(batchSize, "batchSize");
    const ids = checkIds(options.ids ?? { length: count }, count);
    const row = x.length / count;
    const images = new Float32Array(x.length);
    const chosen = new Int32Array(count);
    let queries: Int32Array | undefined;
    const capacity = capacityFor(count, batchSize);
    for (let start = 0; start < count; start += capacity) {
      signal?.throwIfAborted();
      const end = Math.min(start + capacity, count);
      const batch = {
        size: end - start,
        capacity,
        mode,
        images: x.subarray(start * row, end * row),
        labels: y.subarray(start, end),
        ids: ids.subarray(start, end),
        ...(signal && { signal }),
      };
      const result = await craftBatch(net, form, method, batch);
      images.set(result.images, start * row);
      chosen.set(result.chosen, start);
      if (result.queries !== undefined) (queries ??= new Int32Array(count)).set(result.queries, start);
      onProgress?.(end, count);
      await nextTurn();
    }
    return {
      images,
      ...(form.reportsChosen && { chosen }),
      ...(queries && { queries }),
      ...(form.slows && { slowest: images }),
    };
  };
  return Object.freeze({
    form: form.name,
    ...(form.exits && { exits: form.exits }),
    method,
    craft,
    perturb: async (...args: Parameters<Attack["perturb"]>) => (await craft(...args)).images,
    toString: () => `${nameOf(form)} × ${describeMethod(method)}`,
  });
}

function nameOf({ name, exits }: Form): string {
  return exits === undefined ? name : `${name} over exits ${exits.join(", ")}`;
}

/** The batch that programs are compiled for: few different ones, so that calls with other numbers of images find them compiled. */
function capacityFor(count: number, batchSize: number): number {
  return Math.min(batchSize, 2 ** Math.ceil(Math.log2(count)));
}

export function checkIds(ids: ArrayLike<number>, count: number): Int32Array {
  if (ids.length !== count) throw new ArgumentError(`Expected ${count} ids, one an image, but received ${ids.length}`);
  return Int32Array.from(ids, (id: number | undefined, i) => id ?? i);
}
