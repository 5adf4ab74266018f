import { describe, expect, it } from "vitest";
import { evaluate } from "../../../src/backends/reference/evaluate.js";
import { onnxModel } from "../../../src/formats/onnx/onnx-model.js";
import { OPSETS } from "../../../src/formats/onnx/operators.js";
import type { Graph } from "../../../src/graph/types.js";
import type { NumberArray } from "../../../src/ops/op.js";
import { concreteShape, f32, i32 } from "../../../src/ops/spec.js";
import * as F from "../../../src/tensor/functional.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { trace, type Tracer } from "../../../src/tensor/trace.js";
import { optimize } from "../../../src/graph/passes/optimize.js";
import { ArgumentError } from "../../../src/util/errors.js";
import { sources } from "../../passes/networks.js";
import { OnnxSession, type OnnxValue } from "../../support/onnxruntime.js";

type Body = (x: Tensor, t: Tracer) => Tensor;

const perImage = (t: Tracer): Tensor => F.sumPerImage(t.input("rows", f32("N", 2)));
const bothShapes = (f: (a: Tensor, b: Tensor) => Tensor): Body => {
  return (x, t) => F.add(f(x, t.input("y", f32("N", 4, 6, 6))), f(x, perImage(t)));
};

/** Functions of x [N,4,6,6], and of other inputs and parameters. */
const cases: Record<string, Body> = {
  abs: F.abs,
  add: bothShapes(F.add),
  "add, a scalar of each image first": (x, t) => F.add(perImage(t), x),
  "add, a scalar": (x, t) => F.add(x, t.param("p", f32())),
  affine: (x) => F.affine(x, 2, -3),
  "affine, one of the two": (x) => F.add(F.mul(x, 3), 0.5),
  "affine, the identity": (x) => F.add(x, 0),
  argmax: (x) => F.argmax(F.flatten(x)),
  "avgPool2d, padding": (x) => F.avgPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
  "avgPool2d, all": (x) => F.avgPool2d(x, { kernel: 6 }),
  channelAffine: (x, t) => F.channelAffine(x, t.param("scale", f32(4)), t.param("shift", f32(4))),
  "channelAffine of features": (x, t) =>
    F.channelAffine(F.flatten(x), t.param("scale", f32(144)), t.param("shift", f32(144))),
  clamp: (x) => F.clamp(x, -0.5, 0.25),
  "conv2d, bias": (x, t) => F.conv2d(x, t.param("w", f32(5, 4, 3, 3)), { bias: t.param("b", f32(5)) }),
  "conv2d, stride, padding": (x, t) => F.conv2d(x, t.param("w", f32(5, 4, 3, 3)), { stride: 2, padding: 1 }),
  "conv2d, groups": (x, t) => F.conv2d(x, t.param("w", f32(6, 2, 3, 3)), { groups: 2, padding: 1 }),
  "conv2d, depthwise": (x, t) => F.conv2d(x, t.param("w", f32(4, 1, 5, 5)), { groups: 4, padding: 2, stride: 2 }),
  "conv2d, an oblong kernel": (x, t) => F.conv2d(x, t.param("w", f32(3, 4, 1, 3))),
  "conv2d with batch norm, residual sum and ReLU": (x, t) => {
    const y = F.conv2d(x, t.param("w", f32(4, 4, 3, 3)), { padding: 1, bias: t.param("b", f32(4)) });
    return F.relu(F.add(F.channelAffine(y, t.param("scale", f32(4)), t.param("shift", f32(4))), x));
  },
  "batch norm from running statistics": (x, t) => {
    const p = (name: string): Tensor => t.param(name, f32(4));
    const scale = F.div(p("bn.weight"), F.sqrt(F.add(F.abs(p("bn.running_var")), 1e-5)));
    return F.channelAffine(x, scale, F.sub(p("bn.bias"), F.mul(p("bn.running_mean"), scale)));
  },
  div: bothShapes((a, b) => F.div(a, F.add(F.abs(b), 1))),
  entropy: (x) => F.entropy(F.flatten(x)),
  "entropy beside softmax": (x) => F.mul(F.softmax(F.flatten(x)), F.entropy(F.flatten(x))),
  exp: F.exp,
  greater: bothShapes(F.greater),
  linear: (x, t) => F.linear(F.flatten(x), t.param("w", f32(5, 144))),
  "linear, bias, ReLU": (x, t) => F.relu(F.linear(F.flatten(x), t.param("w", f32(5, 144)), t.param("b", f32(5)))),
  log: (x) => F.log(F.add(F.abs(x), 0.1)),
  maxPool2d: (x) => F.maxPool2d(x, { kernel: 3, stride: 2, padding: 1 }),
  maximum: bothShapes(F.maximum),
  minimum: bothShapes(F.minimum),
  mul: bothShapes(F.mul),
  neg: F.neg,
  relu: F.relu,
  reshape: (x) => F.reshape(x, ["N", 12, 2, 6]),
  sign: F.sign,
  softmax: (x) => F.softmax(F.flatten(x)),
  sqrt: (x) => F.sqrt(F.abs(x)),
  sub: bothShapes(F.sub),
  sumPerImage: (x) => F.sumPerImage(x),
};

function graphOf(body: Body): Graph {
  return optimize(trace((t) => t.output("out", body(t.input("x", f32("N", 4, 6, 6)), t))));
}

const BATCH = 3;

/** The output by ONNX Runtime, and by the reference. */
async function runBoth(graph: Graph, opset?: number): Promise<{ actual: OnnxValue; expected: NumberArray }> {
  const values = sources(graph, BATCH, 7);
  const floats = (names: Iterable<string>): Map<string, Float32Array> =>
    new Map([...names].map((name) => [name, Float32Array.from(values.get(name)!)]));
  const model = onnxModel(graph, floats(graph.params.keys()), opset === undefined ? {} : { opset });
  await using session = await OnnxSession.open(model);
  const feeds = [...floats(graph.inputs.keys())].map(([name, data]): [string, OnnxValue] => {
    return [name, { data, shape: concreteShape(graph.specs[graph.inputs.get(name)!]!, BATCH) }];
  });
  const actual = (await session.run(new Map(feeds))).get("out")!;
  return { actual, expected: evaluate(graph, BATCH, values).get("out")! };
}

// The default lies between: the whole networks of export.test.ts are written in it.
describe.each([OPSETS.first, OPSETS.last])("in opset %i", (opset) => {
  it.each(Object.entries(cases))("ONNX Runtime computes %s as the reference does", async (_name, body) => {
    const graph = graphOf(body);
    const { actual, expected } = await runBoth(graph, opset);
    expect(actual.shape).toEqual(concreteShape(graph.specs[graph.outputs.get("out")!]!, BATCH));
    const scale = Math.max(...Array.from(expected, Math.abs));
    expect(scale).toBeGreaterThan(0);
    for (const [i, value] of expected.entries()) expect(Math.abs(actual.data[i]! - value)).toBeLessThan(1e-5 * scale);
  });
});

it("an output that is an input, a parameter, or another output has its own name", async () => {
  const graph = trace((t) => {
    const x = t.input("x", f32("N", 2));
    const y = F.relu(x);
    for (const name of ["y1", "y2", "y3"]) t.output(name, y);
    t.output("x1", x);
    t.output("p1", t.param("p", f32(2)));
  });
  await using session = await OnnxSession.open(onnxModel(graph, new Map([["p", Float32Array.of(5, 6)]])));
  const results = await session.run(new Map([["x", { shape: [1, 2], data: Float32Array.of(-1, 2) }]]));
  expect(Object.fromEntries([...results].map(([name, { data }]) => [name, [...data]]))).toEqual({
    y1: [0, 2],
    y2: [0, 2],
    y3: [0, 2],
    x1: [-1, 2],
    p1: [5, 6],
  });
});

describe("is refused", () => {
  const relu = graphOf(F.relu);
  it.each([12, 23, 17.5, NaN])("opset %d", (opset) => {
    expect(() => onnxModel(relu, new Map(), { opset })).toThrow(ArgumentError);
    expect(() => onnxModel(relu, new Map(), { opset })).toThrow(
      `Expected an integer in 13 … 22 for the opset but received ${opset}`,
    );
  });

  it("an operation of training, by its name", () => {
    const graph = trace((t) => t.output("loss", F.crossEntropy(t.input("x", f32("N", 4)), t.input("y", i32("N")))));
    expect(() => onnxModel(graph, new Map())).toThrow("for ONNX but received crossEntropy");
  });
});
