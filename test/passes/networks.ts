import type { Graph } from "../../src/graph/types.js";
import { f32, i32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import { gradients, trace, type Tracer } from "../../src/tensor/trace.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import type { NumberArray } from "../../src/ops/op.js";
import { concreteShape, product } from "../../src/ops/spec.js";
import { Random } from "../../src/util/random.js";

/** A small residual network with two exits and batch norm, which has something for every pass. */
export function residualNetwork(t: Tracer): { x: Tensor; exits: Tensor[] } {
  const x = t.input("x", f32("N", 3, 8, 8));
  const convolution = (name: string, value: Tensor, inputs: number, outputs: number): Tensor =>
    F.channelAffine(
      F.conv2d(value, t.param(`${name}.weight`, f32(outputs, inputs, 3, 3)), { padding: 1 }),
      t.param(`${name}.scale`, f32(outputs)),
      t.param(`${name}.shift`, f32(outputs)),
    );
  const stem = F.relu(convolution("stem", x, 3, 8));
  const block = F.relu(F.add(convolution("b", F.relu(convolution("a", stem, 8, 8)), 8, 8), stem));
  const head = (name: string, value: Tensor): Tensor =>
    F.linear(
      F.flatten(F.avgPool2d(value, { kernel: 8 })),
      t.param(`${name}.weight`, f32(4, 8)),
      t.param(`${name}.bias`, f32(4)),
    );
  return { x, exits: [head("exit1", stem), head("exit2", block)] };
}

/** Its loss over both exits, with the gradient of the input and of a weight. */
export function trainingGraph(): Graph {
  return trace((t) => {
    const { x, exits } = residualNetwork(t);
    const labels = t.input("labels", i32("N"));
    const loss = F.meanBatch(F.add(F.crossEntropy(exits[0]!, labels), F.crossEntropy(exits[1]!, labels)));
    const weight = t.param("a.weight", f32(8, 8, 3, 3));
    const [dx, dw] = gradients(loss, [x, weight]);
    t.output("loss", loss);
    t.output("dx", dx!);
    t.output("dw", dw!);
  });
}

/** Numbers for every input and parameter of a graph. */
export function sources(graph: Graph, batch: number, seed: number): Map<string, NumberArray> {
  const random = new Random(seed);
  return new Map(
    [...graph.inputs, ...graph.params].map(([name, value]): [string, NumberArray] => {
      const spec = graph.specs[value]!;
      const count = product(concreteShape(spec, batch));
      if (spec.dtype === "i32") return [name, Int32Array.from({ length: count }, () => random.integer(4))];
      return [name, Float64Array.from({ length: count }, () => random.normal())];
    }),
  );
}
