import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { optimize } from "../../src/graph/passes/optimize.js";
import { sumOverDevices, sumsDevices } from "../../src/graph/passes/sum-over-devices.js";
import { lower } from "../../src/graph/plan/lower.js";
import { PhaseKind } from "../../src/graph/plan/program.js";
import type { Graph } from "../../src/graph/types.js";
import { inferenceGraph } from "../../src/nn/exit-model.js";
import { f32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import { gradients, trace } from "../../src/tensor/trace.js";
import { gradientGraph } from "../../src/training/step.js";
import { residualModel } from "../support/residual.js";
import { tinyModel } from "../support/tiny.js";
import { sources, trainingGraph } from "./networks.js";

const settings = { momentum: 0.9, weightDecay: 0, exitWeights: [1, 1, 1], dropout: true };

/** The operations of each phase's body that sum over devices or do not, in order, equal neighbours once. */
function phasesWithSums(graph: Graph): string[][] {
  const { phases } = lower(optimize(sumOverDevices(graph)), { maxBatch: 4 });
  return phases.flatMap(({ kind, body }) => {
    const kernels = body.map(({ kernel }) => (kernel === "allReduce" ? kernel : "other"));
    if (!kernels.includes("allReduce")) return [];
    expect(kind).toBe(PhaseKind.Whole);
    return [kernels.filter((kernel, i) => kernel !== kernels[i - 1])];
  });
}

describe("sums over devices", () => {
  it.each([tinyModel, residualModel])("are made in one go after the gradients of $name", (model) => {
    const [only, ...more] = phasesWithSums(gradientGraph(model, settings));
    expect(more).toEqual([]);
    // What comes before, if anything, needs no sum.
    expect(only!.filter((kernel) => kernel === "allReduce")).toHaveLength(1);
  });

  it("take turns where one needs the other", () => {
    const graph = trace((t) => {
      const x = t.input("x", f32("N"));
      const centred = F.sub(x, F.meanBatch(x));
      t.output("variance", F.meanBatch(F.mul(centred, centred)));
    });
    expect(phasesWithSums(graph)).toHaveLength(2);
  });

  it("are not in what keeps images apart: inference, and the gradient of the images", () => {
    const attack = trace((t) => {
      const x = t.input("x", f32("N", 3));
      const loss = F.meanBatch(F.uniformCrossEntropy(F.linear(x, t.param("w", f32(4, 3)), t.param("b", f32(4)))));
      t.output("dx", gradients(loss, [x])[0]!);
    });
    for (const graph of [attack, inferenceGraph(residualModel)]) expect(sumsDevices(sumOverDevices(graph))).toBe(false);
    expect(sumsDevices(sumOverDevices(trainingGraph()))).toBe(true);
  });

  it("change nothing on one device", () => {
    for (const graph of [trainingGraph(), gradientGraph(residualModel, settings)]) {
      const values = sources(graph, 3, 5);
      expect(evaluate(sumOverDevices(graph), 3, values)).toEqual(evaluate(graph, 3, values));
    }
  });

  it("leave batch norm the statistics of a device's own images, and give the others those of all", () => {
    const { nodes } = sumOverDevices(gradientGraph(residualModel, settings));
    const producer = new Map(nodes.map((node) => [node.out, node]));
    for (const { op, in: ins } of nodes) {
      const reads = ins.map((value) => (value === null ? undefined : producer.get(value)?.op));
      if (op === "batchNorm") expect(reads[1]).toBe("channelMoments");
      if (op === "batchNormInputGrad") expect([reads[2], reads[4]]).toEqual(["channelMoments", "batchNormGradSums"]);
      if (op === "row") expect(reads).toEqual(["allReduce"]);
    }
  });
});
