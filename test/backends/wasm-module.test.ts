import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import type { NativeAbi } from "../../src/backends/native/abi.js";
import { loadWasm } from "../../src/backends/native/wasm-module.js";
import { ArgumentError, BackendError } from "../../src/util/errors.js";
import { Random } from "../../src/util/random.js";
import { makePlan } from "./engine-harness.js";
import { parameterPlan } from "./plans.js";

/** In WebAssembly what stands for a buffer is its address. */
describe.each([1, 2])("the memory of a WebAssembly module with %i thread(s)", (threads) => {
  let abi: NativeAbi;
  beforeAll(async () => {
    abi = await loadWasm({ threads });
  });
  afterAll(() => abi.dispose());

  it("is aligned to cache lines", () => {
    const memory = abi.alloc(1000);
    expect(memory % 64).toBe(0);
    abi.free(memory);
  });

  it("grows its memory, and reuses what was freed", async () => {
    const size = 48 * 2 ** 20;
    const first = abi.alloc(size);
    const stream = new Random(11);
    const data = Float32Array.from({ length: 1000 }, () => stream.uniform(-1, 1));
    abi.write(first + size - data.byteLength, data);
    const copy = new Float32Array(data.length);
    await abi.read(first + size - data.byteLength, copy);
    expect(copy).toEqual(data);
    abi.free(first);
    const pieces = Array.from({ length: 8 }, () => abi.alloc(size / 16));
    for (const piece of pieces) expect(piece).toBeLessThan(first + size);
    for (const piece of pieces.reverse()) abi.free(piece);
    expect(abi.alloc(size)).toBe(first);
    abi.free(first);
  });

  it("says how much memory was asked for when there is not enough", () => {
    expect(() => abi.alloc(2 ** 32 - 1)).toThrow(/Out of memory: 4294967295 bytes were asked for while \d+ are in use/);
    expect(() => abi.alloc(2 ** 32)).toThrow(ArgumentError);
  });

  it("is never reached through a null pointer", () => {
    const plan = makePlan(abi, parameterPlan(1, 1));
    expect(() => abi.planRun({ plan, batch: 1, repeat: 1, buffers: [64, 0, 64], version: 1 })).toThrow(
      "Expected an address, a multiple of 4, for buffer 1 but received 0",
    );
    abi.planDestroy(plan);
  });
});

describe("where WebAssembly has no relaxed SIMD", () => {
  beforeAll(() => void vi.spyOn(WebAssembly, "validate").mockReturnValue(false));
  afterAll(() => void vi.restoreAllMocks());

  it("the plain module is taken", async () => {
    using abi = await loadWasm({ threads: 1 });
    expect(abi.instructionSet).toBe("simd128");
  });

  it("the other is refused", async () => {
    await expect(loadWasm({ threads: 1, instructionSet: "relaxed-simd" })).rejects.toThrow(
      "Expected WebAssembly's relaxed SIMD for relaxed-simd but found none here",
    );
  });
});

it("a WebAssembly engine that was disposed of refuses work", async () => {
  const abi = await loadWasm({ threads: 2 });
  abi.dispose();
  expect(() => abi.alloc(4)).toThrow("Expected a WebAssembly engine in use");
  expect(() => abi.liveBytes()).toThrow(BackendError);
});
