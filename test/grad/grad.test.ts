import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { differentiate } from "../../src/graph/differentiate.js";
import type { Graph } from "../../src/graph/types.js";
import type { NumberArray } from "../../src/ops/op.js";
import { f32, isPerImage, sameSpec } from "../../src/ops/spec.js";
import { Random } from "../../src/util/random.js";
import { cases, type Case } from "../conformance/cases.js";
import { draw } from "../conformance/draw.js";

const BATCH = 2;
const STEP = 1e-5;
/** Elements of each input whose derivative is checked; more would only take longer. */
const PROBES = 12;

/** The row's operation, a random linear functional of its output as the loss, and the gradients of that with respect to every f32 input. */
function lossGraph(row: Case): Graph {
  const g = new GraphBuilder();
  const ins = row.inputs.map((input, i) => (input === null ? null : g.input(`in${i}`, input.spec)));
  const out = g.node(row.op, ins, row.attrs as never);
  const spec = g.spec(out);
  const weighted = g.node("mul", [out, g.input("weights", spec)], {});
  let loss = weighted;
  if (!isPerImage(spec)) loss = g.node("sumAll", [weighted], {});
  else if (!sameSpec(spec, f32("N"))) loss = g.node("sumPerImage", [weighted], {});
  g.output("loss", loss);
  const wrt = ins.filter((value) => value !== null && g.spec(value).dtype === "f32");
  differentiate(g, loss, wrt as NonNullable<(typeof wrt)[number]>[]).forEach((value, i) => {
    g.output(`gradient of in${ins.indexOf(wrt[i]!)}`, value);
  });
  return g.build();
}

describe("gradients agree with central differences in float64", () => {
  it.each(cases.filter(({ differentiable }) => differentiable))("$title", (row) => {
    const random = new Random(2, row.title.length);
    const graph = lossGraph(row);
    const values = new Map<string, NumberArray>();
    row.inputs.forEach((input, i) => {
      if (input !== null) {
        const data = draw(input, BATCH, random);
        values.set(`in${i}`, data instanceof Int32Array ? data : Float64Array.from(data));
      }
    });
    const weights = graph.specs[graph.inputs.get("weights")!]!;
    values.set("weights", Float64Array.from(draw({ spec: weights, draw: "normal" }, BATCH, random)));
    const loss = (): number => Array.from(evaluate(graph, BATCH, values).get("loss")!).reduce((sum, v) => sum + v, 0);
    const gradients = evaluate(graph, BATCH, values);

    row.inputs.forEach((input, i) => {
      const gradient = gradients.get(`gradient of in${i}`);
      if (input === null || gradient === undefined) return;
      const data = values.get(`in${i}`)!;
      for (let probe = 0; probe < Math.min(PROBES, data.length); probe++) {
        const at = data.length <= PROBES ? probe : random.integer(data.length);
        const here = data[at]!;
        data[at] = here + STEP;
        const above = loss();
        data[at] = here - STEP;
        const below = loss();
        data[at] = here;
        const numeric = (above - below) / (2 * STEP);
        expect(Math.abs(gradient[at]! - numeric), `element ${at} of input ${i}`).toBeLessThan(
          1e-6 * (1 + Math.abs(numeric)),
        );
      }
    });
  });
});
