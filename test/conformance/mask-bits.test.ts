import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/types.js";
import { Executable } from "../../src/nn/executable.js";
import { f32, type Spec } from "../../src/ops/spec.js";
import { Random } from "../../src/util/random.js";
import { fastBackends, titleOf } from "../support/backends.js";
import { draw } from "./draw.js";

/** Not a multiple of the tile, so that the last tile is partial. */
const BATCH = 5;
const TILE = 3;

/** Input gradients that each method computes: channels in and out, size, kernel, stride, padding. */
type Shape = readonly [number, number, number, number, number, number];
const SHAPES: readonly Shape[] = [
  [16, 32, 8, 3, 1, 1],
  [32, 16, 10, 3, 1, 0],
  [48, 8, 6, 1, 1, 0],
  [16, 20, 8, 3, 2, 1],
  [16, 64, 8, 5, 1, 2],
  [16, 64, 8, 5, 2, 2],
];

/** The gradients of a ReLU's input through a convolution and alone, by the bits of the ReLU's output. */
function masked([c, o, size, k, stride, padding]: Shape): Graph {
  const g = new GraphBuilder();
  const out = Math.floor((size + 2 * padding - k) / stride) + 1;
  const attrs = { stride, padding, groups: 1, methods: "any", size: [size, size] } as const;
  const dy = g.input("dy", f32("N", o, out, out));
  const residual = g.input("residual", f32("N", c, size, size));
  const bits = g.node("positiveBits", [g.input("y", f32("N", c, size, size))], {});
  g.output("alone", g.node("reluGrad", [residual, bits], {}));
  g.output("through", g.node("conv2dInputGrad", [dy, g.input("w", f32(o, c, k, k)), residual, bits], attrs));
  return g.build();
}

for (const under of fastBackends) {
  describe.skipIf(under.unavailable !== undefined)(`masks of one bit an element on ${titleOf(under)}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await under.open();
    });
    afterAll(() => {
      backend.dispose();
    });

    it.each(SHAPES)("%i ← %i channels, size %i, kernel %i, stride %i, padding %i", async (...shape) => {
      const graph = masked(shape);
      const random = new Random(3, shape[1]);
      const spec = (name: string): Spec => graph.specs[graph.inputs.get(name)!]!;
      const values = Object.fromEntries(
        [...graph.inputs.keys()].map((name) => [name, draw({ spec: spec(name), draw: "normal" }, BATCH, random)]),
      );
      const expected = evaluate(graph, BATCH, new Map(Object.entries(values)));
      using params = backend.bindParams(new Map());
      using executable = new Executable(backend, graph, params, { maxBatch: BATCH, tile: TILE });
      const actual = await executable.run(BATCH, values);
      expect(Array.from(actual.get("alone")!)).toEqual(Array.from(expected.get("alone")!));
      const through = Array.from(expected.get("through")!);
      const largest = Math.max(...through.map(Math.abs));
      const worst = Math.max(...through.map((value, i) => Math.abs(value - actual.get("through")![i]!)));
      expect(worst).toBeLessThan(2e-5 * largest);
      // Where the ReLU was off, nothing passes.
      values.y!.forEach((y, i) => {
        if (!(y > 0)) expect(actual.get("through")![i]).toBe(0);
      });
    });
  });
}
