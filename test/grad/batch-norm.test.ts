import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { f32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import { gradients, trace } from "../../src/tensor/trace.js";
import { Random } from "../../src/util/random.js";

const BATCH = 3;
const CHANNELS = 4;
const STEP = 1e-5;

/** Batch norm, a ReLU so that not all is linear, and a random weight for each element: Σ of the batch as the loss. */
const graph = trace((t) => {
  const x = t.input("x", f32("N", CHANNELS, 3, 3));
  const operands = [x, t.param("weight", f32(CHANNELS)), t.param("bias", f32(CHANNELS))] as const;
  const { y } = F.batchNorm(...operands, 1e-5);
  const loss = F.sumPerImage(F.mul(F.relu(y), t.input("weights", x.spec)));
  t.output("loss", F.sumBatch(loss));
  gradients(loss, operands).forEach((gradient, i) => t.output(`gradient of ${["x", "weight", "bias"][i]!}`, gradient));
});

describe("the gradient of batch norm goes through the moments of the batch too", () => {
  it.each(["x", "weight", "bias"])("that of %s agrees with central differences", (name) => {
    const random = new Random(5);
    const normals = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.normal());
    const values = new Map([
      ["x", normals(BATCH * CHANNELS * 9).map((v) => 3 + 2 * v)],
      ["weights", normals(BATCH * CHANNELS * 9)],
      ["weight", normals(CHANNELS)],
      ["bias", normals(CHANNELS)],
    ]);
    const lossWith = (i: number, by: number): number => {
      const nudged = values.get(name)!.slice();
      nudged[i]! += by;
      return evaluate(graph, BATCH, new Map([...values, [name, nudged]])).get("loss")![0]!;
    };
    const gradient = evaluate(graph, BATCH, values).get(`gradient of ${name}`)!;
    for (let i = 0; i < gradient.length; i++) {
      const slope = (lossWith(i, STEP) - lossWith(i, -STEP)) / (2 * STEP);
      expect(Math.abs(gradient[i]! - slope)).toBeLessThan(1e-6 * (1 + Math.abs(slope)));
    }
  });
});
