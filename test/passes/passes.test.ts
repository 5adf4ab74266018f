import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { eliminateCommonSubexpressions } from "../../src/graph/passes/common-subexpressions.js";
import { eliminateDeadCode, sliceTo } from "../../src/graph/passes/dead-code.js";
import { foldBatchNorm } from "../../src/graph/passes/fold-batch-norm.js";
import { fuseEpilogues } from "../../src/graph/passes/fuse-epilogues.js";
import { packMasks } from "../../src/graph/passes/pack-masks.js";
import { optimize } from "../../src/graph/passes/optimize.js";
import { splitAtExits } from "../../src/graph/passes/split-at-exits.js";
import { graphMacs } from "../../src/graph/cost.js";
import type { Graph } from "../../src/graph/types.js";
import { f32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import { trace } from "../../src/tensor/trace.js";
import { residualNetwork, sources, trainingGraph } from "./networks.js";

const BATCH = 3;

const inference = (): Graph =>
  trace((t) => {
    residualNetwork(t).exits.forEach((exit, i) => {
      t.output(`exit${i + 1}`, exit);
    });
  });

function count(graph: Graph, op: string): number {
  return graph.nodes.filter((node) => node.op === op).length;
}

/** Both graphs give the same outputs, up to rounding in float64. */
function expectSameOutputs(before: Graph, after: Graph): void {
  const values = sources(before, BATCH, 11);
  const expected = evaluate(before, BATCH, values);
  const actual = evaluate(after, BATCH, values);
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, data] of expected) {
    data.forEach((v, i) => {
      expect(Math.abs(actual.get(name)![i]! - v), `${name}[${i}]`).toBeLessThan(1e-10 * (1 + Math.abs(v)));
    });
  }
}

describe("passes keep what a graph computes", () => {
  it.each([
    ["dead-code elimination", eliminateDeadCode],
    ["common-subexpression elimination", eliminateCommonSubexpressions],
    ["batch-norm folding", foldBatchNorm],
    ["epilogue fusion", fuseEpilogues],
    ["all of them", optimize],
  ])("%s", (_name, pass) => {
    for (const graph of [inference(), trainingGraph()]) expectSameOutputs(graph, eliminateDeadCode(pass(graph)));
  });
});

describe("dead-code elimination", () => {
  it("drops the weight gradients that nobody asks for, and the parameters of heads that do not run", () => {
    const attack = sliceTo(trainingGraph(), ["dx"]);
    expect(count(attack, "conv2dWeightGrad")).toBe(0);
    const first = sliceTo(inference(), ["exit1"]);
    expect(count(first, "conv2d")).toBe(1);
    expect([...first.params.keys()].some((name) => name.startsWith("exit2"))).toBe(false);
  });
});

describe("common-subexpression elimination", () => {
  it("computes equal nodes once", () => {
    const graph = trace((t) => {
      const x = t.input("x", f32("N", 4));
      t.output("y", F.add(F.exp(x), F.exp(x)));
    });
    expect(count(graph, "exp")).toBe(2);
    expect(count(eliminateDeadCode(eliminateCommonSubexpressions(graph)), "exp")).toBe(1);
  });
});

describe("batch-norm folding and epilogue fusion", () => {
  it("leave an inference graph with convolutions alone: no affine maps, sums or ReLUs of their own", () => {
    const graph = optimize(inference());
    expect(count(graph, "conv2d")).toBe(3);
    for (const op of ["channelAffine", "relu"]) expect(count(graph, op), op).toBe(0);
    // What is left of the sums is the whole-value arithmetic of the folded biases.
    expect(graph.nodes.filter(({ op, out }) => op === "add" && graph.specs[out]!.shape[0] === "N")).toEqual([]);
  });

  it("puts the masks and the skip gradient into the input gradients", () => {
    const graph = optimize(sliceTo(trainingGraph(), ["dx"]));
    expect(count(graph, "conv2dInputGrad")).toBe(3);
    expect(
      graph.nodes.filter(({ op, in: ins }) => op === "conv2dInputGrad" && (ins[3] ?? null) !== null).length,
    ).toBeGreaterThan(0);
  });

  it("does not fuse across a value that something else reads", () => {
    const graph = optimize(
      trace((t) => {
        const y = F.conv2d(t.input("x", f32("N", 1, 4, 4)), t.param("w", f32(2, 1, 3, 3)));
        t.output("before", y);
        t.output("after", F.relu(y));
      }),
    );
    expect(count(graph, "relu")).toBe(1);
  });
});

describe("packing of masks", () => {
  /** The gradient of exp(relu(x)); `late`: something reads the ReLU's output after its mask. */
  const graph = (late: boolean, channels = 16): Graph => {
    const g = new GraphBuilder();
    const y = g.node("relu", [g.input("x", f32("N", channels, 2, 4))], {});
    const gradient = g.node("reluGrad", [g.node("exp", [y], {}), y], {});
    g.output("dx", gradient);
    if (late) g.output("sum", g.node("add", [gradient, y], {}));
    return packMasks(g.build());
  };

  it("keeps the bits of what only a mask still reads", () => {
    const packed = graph(false);
    expect(packed.nodes.map(({ op }) => op)).toEqual(["relu", "positiveBits", "exp", "reluGrad"]);
    expect(packed.nodes[3]!.in[1]).toBe(packed.nodes[1]!.out);
  });

  it("leaves a value that is read later as it is, and one whose shape has no bits", () => {
    for (const unpacked of [graph(true), graph(false, 3)]) expect(count(unpacked, "positiveBits")).toBe(0);
  });
});

describe("splitAtExits", () => {
  const exits = [1, 2].map((exit) => ({ exit, outputs: [`exit${exit}`] }));

  it("partitions the nodes, and hands over what later segments need", () => {
    const graph = optimize(inference());
    const segments = splitAtExits(graph, exits);
    expect(segments.flatMap(({ nodes }) => nodes).length).toBe(graph.nodes.length);
    expect(segments[0]!.boundary).toEqual([]);
    const produced = new Set(segments[0]!.nodes.map(({ out }) => out));
    expect(segments[1]!.boundary.every((value) => produced.has(value))).toBe(true);
    expect(segments[1]!.boundary.length).toBe(1);
  });

  it("costs in all what the last exit costs in the full ledger", () => {
    const graph = optimize(inference());
    const segments = splitAtExits(graph, exits);
    const total = segments.reduce((sum, { nodes }) => sum + graphMacs({ ...graph, nodes }), 0);
    expect(total).toBe(graphMacs(graph));
  });
});
