/**
 * Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 *
 * A draw is a pure function of (key, counter), so that results do not depend on the order or the thread that draws them:
 * the native kernels implement the same function, and both agree bit for bit.
 */

/** A 64-bit seed as its two unsigned 32-bit halves. */
export interface Seed {
  readonly lo: number;
  readonly hi: number;
}

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middleLow = (middle % 0x10000) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(middleLow / 0x10000)) >>> 0;
}

/** One Philox block: four unsigned 32-bit words into `out[0..3]`. */
export function philox4x32(counter: readonly [number, number, number, number], seed: Seed, out: Uint32Array): void {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  let k0 = seed.lo >>> 0;
  let k1 = seed.hi >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = mulHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The float32 in [0, 1) that 24 bits of a random word stand for; exact, so it agrees across languages. */
export function unitFloat(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** A seed from any non-negative safe integer. */
export function seedOf(n: number): Seed {
  return { lo: n >>> 0, hi: Math.floor(n / 2 ** 32) >>> 0 };
}

/** A sequential stream over Philox blocks: for data generation, shuffling and initial weights. */
export class Random {
  readonly #seed: Seed;
  readonly #stream: readonly [number, number, number];
  readonly #block = new Uint32Array(4);
  #counter = 0;
  #left = 0;
  #spareNormal: number | undefined;

  /**
   * @param seed a non-negative safe integer
   * @param stream up to three integers that name an independent sequence under the same seed
   */
  constructor(seed: number, ...stream: number[]) {
    this.#seed = seedOf(seed);
    this.#stream = [stream[0] ?? 0, stream[1] ?? 0, stream[2] ?? 0];
  }

  /** The next unsigned 32-bit word. */
  word(): number {
    if (this.#left === 0) {
      philox4x32([this.#counter++, ...this.#stream], this.#seed, this.#block);
      this.#left = 4;
    }
    return this.#block[4 - this.#left--] as number;
  }

  /** Uniform in [lo, hi). */
  uniform(lo = 0, hi = 1): number {
    return lo + (hi - lo) * unitFloat(this.word());
  }

  /** A uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor((this.word() / 2 ** 32) * n);
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - unitFloat(this.word())));
    const angle = 2 * Math.PI * unitFloat(this.word());
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A random permutation of 0 … n−1 (Fisher and Yates). */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i] as number;
      order[i] = order[j] as number;
      order[j] = held;
    }
    return order;
  }
}
