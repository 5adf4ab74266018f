import type { Executable } from "../nn/executable.js";
import { imageSpec } from "../nn/exit-model.js";
import * as F from "../tensor/functional.js";
import { trace } from "../tensor/trace.js";
import { nextTurn } from "../util/next-turn.js";
import { Random } from "../util/random.js";
import { drawsMasks, exitLosses, maskSeed, meanLoss } from "./attack-loss.js";
import { BALLS } from "./ball.js";
import { attackMethod, type AttackMethod, type Found, type SearchContext } from "./method.js";

/** The fraction of the pixels in a square at the beginning; the authors' choice for MNIST and CIFAR-10. */
const FIRST_FRACTION = 0.8;

/** When the fraction is halved, in queries of a search of 10,000. */
const HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/** The side of the square of query t of `queries`, in images of this height and width. */
export function squareSide(t: number, queries: number, height: number, width: number): number {
  const scaled = Math.floor((t / queries) * 10_000);
  const fraction = FIRST_FRACTION / 2 ** HALVINGS.filter((at) => scaled > at).length;
  return Math.min(Math.max(Math.round(Math.sqrt(fraction * height * width)), 1), height, width);
}

export interface SquareOptions {
  readonly eps: number;
  /** Forward passes an image at most. */
  readonly queries: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * The Square attack in L∞ (Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack via random search", ECCV 2020): begins with
 * vertical stripes of ±ε, then tries squares of ±ε a channel at random places, and keeps those that raise the margin loss (see `functional.margin`),
 * averaged over the exits that the form is aimed at. It sees no gradient, and stops asking about an image that all these exits get wrong.
 *
 * @throws ArgumentError if eps < 0 or queries < 1
 */
export function square({ eps, queries, seed = 0 }: SquareOptions): AttackMethod {
  const settings = { name: "square", norm: "linf", eps, step: 0, steps: queries, randomStart: true, seed } as const;
  return attackMethod({ ...settings, loss: "margin", search });
}

/** What the network says of candidates. */
interface Judgement {
  /** The margin averaged over the exits. */
  readonly loss: Float32Array;
  /** The least margin of an exit: positive where all of them are wrong. */
  readonly least: Float32Array;
}

async function search(context: SearchContext): Promise<Found> {
  const { net, method, loss, batch } = context;
  const { size } = batch;
  const { eps, steps } = method;
  const [, height, width] = net.model.inputShape;
  const candidates = new Candidates(context);
  const images = batch.images.slice();
  const best = new Float32Array(size).fill(-Infinity);
  const queries = new Int32Array(size);
  const randoms = Array.from(batch.ids, (id) => new Random(method.seed, SQUARE_STREAM + loss.exit, id));
  let asking = Array.from(randoms.keys());
  for (let t = 0; t < steps && asking.length > 0; t++) {
    batch.signal?.throwIfAborted();
    const side = squareSide(t, steps, height, width);
    const tried = asking.map((n) => {
      const [clean, current] = [candidates.row(batch.images, n), candidates.row(images, n)];
      return t === 0
        ? stripes(clean, net.model.inputShape, eps, randoms[n]!)
        : withSquare(clean, current, net.model.inputShape, eps, side, randoms[n]!);
    });
    const { loss: losses, least } = await candidates.judge(asking, tried, t);
    asking.forEach((n, k) => {
      queries[n]!++;
      if (!(losses[k]! > best[n]! || least[k]! > 0)) return;
      best[n] = losses[k]!;
      candidates.row(images, n).set(tried[k]!);
    });
    asking = asking.filter((_, k) => !(least[k]! > 0));
    await nextTurn();
  }
  BALLS.linf.projectImages(images, batch.images, eps, size);
  return { images, queries };
}

/** Candidates for some of the images of a batch, and the compiled network that judges them. */
class Candidates {
  readonly #program: Executable;
  readonly #row: number;

  constructor(readonly context: SearchContext) {
    const { net, loss, batch } = context;
    const { capacity, mode, images, size } = batch;
    this.#row = images.length / size;
    this.#program = net.executable(`attack-margin:${loss.key}:${mode}`, capacity, () =>
      trace((tracer) => {
        const x = tracer.input("x", imageSpec(net.model));
        const margins = exitLosses(net.model, tracer, x, mode, "margin");
        tracer.output("loss", meanLoss(loss, margins));
        tracer.output("least", loss.exits.map((exit) => margins[exit - 1]!).reduce(F.minimum));
      }),
    );
  }

  row(images: Float32Array, n: number): Float32Array {
    return images.subarray(n * this.#row, (n + 1) * this.#row);
  }

  /** @param asking the images' places in the batch @param tried a candidate for each */
  async judge(asking: readonly number[], tried: readonly Float32Array[], t: number): Promise<Judgement> {
    const { method, loss, batch } = this.context;
    const x = new Float32Array(asking.length * this.#row);
    tried.forEach((candidate, k) => x.set(candidate, k * this.#row));
    const pick = (values: Int32Array): Int32Array => Int32Array.from(asking, (n) => values[n]!);
    const masks = drawsMasks(this.#program) ? { ids: pick(batch.ids), seed: maskSeed(method, loss, t) } : {};
    const outputs = await this.#program.run(asking.length, { x, labels: pick(batch.labels), ...masks });
    return { loss: outputs.get("loss") as Float32Array, least: outputs.get("least") as Float32Array };
  }
}

type ImageShape = readonly [number, number, number];

/** ±ε, the same down each column of each channel. */
function stripes(
  clean: Float32Array,
  [channels, height, width]: ImageShape,
  eps: number,
  random: Random,
): Float32Array {
  const image = new Float32Array(clean.length);
  for (let c = 0; c < channels; c++)
    for (let w = 0; w < width; w++) {
      const change = eps * randomSign(random);
      for (let h = 0; h < height; h++) {
        const i = (c * height + h) * width + w;
        image[i] = clip(clean[i]! + change);
      }
    }
  return image;
}

/** The current image but for a square at a random place, where it is the clean one ±ε, a sign a channel. */
function withSquare(
  clean: Float32Array,
  current: Float32Array,
  [channels, height, width]: ImageShape,
  eps: number,
  side: number,
  random: Random,
): Float32Array {
  const image = current.slice();
  const top = random.integer(height - side + 1);
  const left = random.integer(width - side + 1);
  for (let c = 0; c < channels; c++) {
    const change = eps * randomSign(random);
    for (let h = top; h < top + side; h++)
      for (let w = left; w < left + side; w++) {
        const i = (c * height + h) * width + w;
        image[i] = clip(clean[i]! + change);
      }
  }
  return image;
}

const randomSign = (random: Random): number => 2 * random.integer(2) - 1;
const clip = (value: number): number => Math.min(Math.max(value, 0), 1);

/** Keeps the draws of this attack apart from other uses of a seed. */
const SQUARE_STREAM = 0xa77ac2;
