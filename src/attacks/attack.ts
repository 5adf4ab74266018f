import { checkImages, checkLabels, type Network } from "../nn/network.js";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { nextTurn } from "../util/next-turn.js";
import { craftBatch, type CraftMode, type Form } from "./crafting.js";
import { describeMethod, type AttackMethod } from "./method.js";

export interface PerturbOptions {
  /** The image ids on which random starts depend; 0 … n − 1 if absent. */
  readonly ids?: ArrayLike<number>;
  /** Images that are attacked together; in mode "eval" the result does not depend on it. Default 256. */
  readonly batchSize?: number;
  /**
   * "train" keeps dropout active, with masks of its own in every step, and has batch norm use, and update, the statistics of the batch; default
   * "eval".
   */
  readonly mode?: CraftMode;
  readonly onProgress?: (doneImages: number, totalImages: number) => void;
  /** Looked at between batches; its reason is thrown. */
  readonly signal?: AbortSignal;
}

export interface Adversarial {
  /** Of the shape of the clean images, in [0, 1]. */
  readonly images: Float32Array;
  /** Of max-average: for each image the exit whose attack was kept. */
  readonly chosen?: Int32Array;
}

/** A form with a method: which losses are raised, and how. Immutable. */
export interface Attack {
  /** `single:2`, `main`, `average` or `max-average`. */
  readonly form: string;
  /** The exits that the attack is aimed at, numbered from 1; absent: all of the model's. Of `single` and `main`, the exit is in the form's name. */
  readonly exits?: readonly number[];
  readonly method: AttackMethod;
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

const DEFAULT_BATCH = 256;

export function makeAttack(form: Form, method: AttackMethod): Attack {
  const craft: Attack["craft"] = async (net, x, y, options = {}) => {
    const { batchSize = DEFAULT_BATCH, mode = "eval", onProgress, signal } = options;
    const count = checkImages(net.model, x);
    checkLabels(net.model, y, count);
    expectArgument(
      Number.isSafeInteger(batchSize) && batchSize >= 1,
      "batchSize",
      "an integer of 1 or more",
      batchSize,
    );
    const ids = checkIds(options.ids ?? { length: count }, count);
    const row = x.length / count;
    const images = new Float32Array(x.length);
    const chosen = new Int32Array(count);
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
      };
      const result = await craftBatch(net, form, method, batch);
      images.set(result.images, start * row);
      chosen.set(result.chosen, start);
      onProgress?.(end, count);
      await nextTurn();
    }
    return form.reportsChosen ? { images, chosen } : { images };
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

function checkIds(ids: ArrayLike<number>, count: number): Int32Array {
  if (ids.length !== count) throw new ArgumentError(`Expected ${count} ids, one an image, but received ${ids.length}`);
  return Int32Array.from(ids, (id: number | undefined, i) => id ?? i);
}
