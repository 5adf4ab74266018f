import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { NativeAbi, Pointer } from "../../src/backends/native/abi.js";
import { loadWasm } from "../../src/backends/native/wasm-module.js";
import { BackendError } from "../../src/util/errors.js";

import { adaptivePlan, carryPlan, forwardPlan, parameterPlan, trainingPlan } from "./plans.js";

/** Words of the header, and of a value, by docs/plan-format.md. */
const header = {
  words: 16,
  tile: 3,
  maxBatch: 4,
  buffers: 5,
  values: 6,
  arena: 10,
  shared: 11,
  segments: 12,
  queues: 13,
};
const value = { words: 10, storage: 0, index: 1, perImage: 4, dims: 6 };
/** Past this many floats in all, a plan that turned out valid is not run: it would only cost time. */
const maxFloats = 1 << 22;

const plans = [forwardPlan, carryPlan, trainingPlan, parameterPlan, adaptivePlan].map((make) => make(3, 8).words());

interface Corruption {
  readonly at: number;
  readonly change: (word: number) => number;
}

const corruption: fc.Arbitrary<Corruption> = fc.record({
  at: fc.nat(),
  change: fc.oneof(
    // Near misses pass more checks than noise does.
    fc.integer({ min: -3, max: 3 }).map((delta) => (word: number) => word + delta),
    fc.integer({ min: 0, max: 20 }).map((word) => () => word),
    fc.integer({ min: 0, max: 31 }).map((bit) => (word: number) => word ^ (1 << bit)),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((word) => () => word),
  ),
});

function corrupt(words: Int32Array, corruptions: readonly Corruption[]): Int32Array {
  const copy = words.slice();
  for (const { at, change } of corruptions) copy[at % copy.length] = change(copy[at % copy.length]!);
  return copy;
}

/** Bytes that each external buffer of a valid plan needs; null if it would be too much to run. */
function bufferBytes(words: Int32Array): number[] | null {
  const bytes = Array<number>(words[header.buffers]!).fill(4);
  let floats = words[header.arena]! + words[header.shared]! + words[header.queues]!;
  for (let i = 0; i < words[header.values]!; i++) {
    const v = words.subarray(header.words + i * value.words);
    if (v[value.storage] !== 0) continue;
    const images = v[value.perImage] === 1 ? words[header.maxBatch]! : 1;
    const elements = images * v.subarray(value.dims, value.dims + 4).reduce((total, dim) => total * dim, 1);
    floats += elements;
    bytes[v[value.index]!] = Math.max(bytes[v[value.index]!]!, 4 * elements);
  }
  return floats + bytes.length > maxFloats ? null : bytes;
}

function run(abi: NativeAbi, plan: Pointer, words: Int32Array, bytes: readonly number[]): void {
  const batch = Math.min(8, words[header.maxBatch]!);
  // An image's probabilities lie in the arena, so they are no more than its share of it.
  const probabilityBytes = 4 * batch * Math.ceil(words[header.arena]! / words[header.tile]!);
  const thresholdBytes = 4 * words[header.segments]!;
  const sizes =
    words[header.segments]! > 0 ? [probabilityBytes, 4 * batch, 4 * batch, thresholdBytes, ...bytes] : bytes;
  const buffers = sizes.map((size) => new Int32Array(size / 4));
  const pointers = buffers.map((data) => abi.alloc(data.byteLength));
  try {
    pointers.forEach((pointer, i) => {
      abi.write(pointer, buffers[i]!);
    });
    if (words[header.segments] === 0) {
      abi.planRun({ plan, batch, repeat: 2, buffers: pointers, version: 1 });
    } else {
      const [probabilities, entropy, exits, thresholds, ...external] = pointers as [Pointer, Pointer, Pointer, Pointer];
      const results = { probabilities, entropy, exits, thresholds };
      abi.adaptiveRun({ plan, batch, buffers: external, version: 1, ...results });
    }
  } finally {
    for (const pointer of pointers) abi.free(pointer);
  }
}

/** An engine must refuse a plan with a message, or run it: a trap would be a WebAssembly.RuntimeError. */
function refusesOrRuns(abi: NativeAbi, words: Int32Array): "refused" | "ran" | "made" {
  let plan: Pointer;
  try {
    plan = abi.planCreate(words, []);
  } catch (error) {
    expect(error).toBeInstanceOf(BackendError);
    expect((error as Error).message).toMatch(/Expected|Out of memory/);
    return "refused";
  }
  try {
    const bytes = bufferBytes(words);
    if (bytes === null) return "made";
    run(abi, plan, words, bytes);
    return "ran";
  } catch (error) {
    expect(error).toBeInstanceOf(BackendError);
    return "refused";
  } finally {
    abi.planDestroy(plan);
  }
}

describe.each([1, 2])("a corrupted plan, in the engine with %i thread(s)", (threads) => {
  let abi: NativeAbi;
  beforeAll(async () => {
    abi = await loadWasm({ threads });
  });
  afterAll(() => abi.dispose());

  it("is the plan it was if nothing is changed", () => {
    for (const words of plans) expect(refusesOrRuns(abi, words)).toBe("ran");
  });

  it("is refused or runs, never a trap, and leaves nothing behind", () => {
    const outcomes = { refused: 0, ran: 0, made: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...plans),
        fc.array(corruption, { minLength: 1, maxLength: 3 }),
        (words, corruptions) => {
          outcomes[refusesOrRuns(abi, corrupt(words, corruptions))]++;
          expect(abi.liveBytes()).toBe(0);
        },
      ),
      { numRuns: 3000 },
    );
    // The property would hold of an engine that refuses all, or none.
    expect(outcomes.refused).toBeGreaterThan(1000);
    expect(outcomes.ran).toBeGreaterThan(20);
  });

  it("is refused wherever it is cut off", () => {
    for (const words of plans) {
      for (let end = 0; end < words.length; end++) {
        // With the right number of words in the header, so that the reader goes as far as it can.
        const cut = words.slice(0, end);
        if (end > 2) cut[2] = end;
        expect(refusesOrRuns(abi, cut)).toBe("refused");
      }
    }
  });

  it("of noise is refused", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -4, max: 40 }), { maxLength: 200 }), (noise) => {
        const words = Int32Array.from([...plans[0]!.subarray(0, 16), ...noise]);
        words[2] = words.length;
        expect(refusesOrRuns(abi, words)).toBe("refused");
      }),
      { numRuns: 300 },
    );
  });
});
