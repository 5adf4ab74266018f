import { describe, expect, it } from "vitest";
import { lower } from "../../src/graph/plan/lower.js";
import { chooseTile, deviceLimits } from "../../src/graph/plan/tile.js";
import { inferenceGraph } from "../../src/nn/exit-model.js";
import { tinyModel } from "../support/tiny.js";

describe("the images that a worker takes together", () => {
  it("fill a processor's caches, 16 at most", () => {
    expect([1_000, 100_000, 10_000_000].map((floats) => chooseTile(floats, 1000))).toEqual([16, 10, 1]);
    expect(chooseTile(1_000, 4)).toBe(4);
  });

  it("are the batch on a GPU, as far as an eighth of its memory lasts", () => {
    const limits = deviceLimits(8 * 2 ** 30);
    expect([100, 1000].map((batch) => chooseTile(2 ** 20, batch, limits))).toEqual([100, 256]);
    expect(chooseTile(1, 10 ** 6, limits)).toBe(2 ** 16);
    // An arena is addressed by 32-bit words, whatever the memory.
    expect(chooseTile(2 ** 20, 1000, deviceLimits(2 ** 50))).toBe(512);
  });

  it("are those of the plan, unless the caller has a number of their own", () => {
    const graph = inferenceGraph(tinyModel);
    const limits = deviceLimits(2 ** 33);
    expect(lower(graph, { maxBatch: 1000 }).tile).toBeLessThanOrEqual(16);
    expect(lower(graph, { maxBatch: 1000, limits }).tile).toBe(1000);
    expect(lower(graph, { maxBatch: 1000, limits, tile: 3 }).tile).toBe(3);
  });
});
