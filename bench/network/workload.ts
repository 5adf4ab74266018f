import type { Graph } from "../../src/graph/types.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { graphMacs, imageSpec, optimize, rdi, tracedScope, gradientGraph } from "../library.js";
import type { Work } from "./protocol.js";

/** The network that is measured, its weights and its images: the same for every library. */
export const model = rdi.modelByName("rdi-smallcnn");

/** Of the attack: MNIST's in the paper. */
export const attack = { eps: 0.3, step: 0.01 } as const;
/** Of training: MNIST's in the paper, but for a learning rate so small that no number of steps changes the work. */
export const training = { momentum: 0.9, weightDecay: 5e-4, exitWeights: [1, 1, 1], dropout: true } as const;
export const learningRate = 1e-6;

/** Uniform in ±bound, the same values at every start. */
function generator(): (bound: number) => number {
  let state = 1;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) * bound;
  };
}

/** As the model starts, but with random values where it starts from zero, which would make gradients zero. */
export function weights(): Map<string, Float32Array> {
  const uniform = generator();
  return new Map(
    [...rdi.initialParams(model, 1)].map(([name, data]) => [
      name,
      data.some((value) => value !== 0) ? data : data.map(() => uniform(0.1)),
    ]),
  );
}

/** Digits with noise: on a plain background all values of a pooling window are equal, and libraries send their gradient different ways. */
export function images(count: number): { x: Float32Array; y: Int32Array } {
  const data = rdi.digits({ split: "test", length: count });
  const x = new Float32Array(count * data.imageShape.reduce((product, size) => product * size, 1));
  const y = new Int32Array(count);
  data.read(
    Array.from({ length: count }, (_, n) => n),
    x,
    y,
  );
  const uniform = generator();
  return { x: x.map((pixel) => 0.8 * pixel + 0.1 + uniform(0.1)), y };
}

/** Input `images`, outputs `exit1`, `exit2` …: the logits of every exit. */
export function logitsGraph(): Graph {
  return optimize(
    rdi.trace((tracer) => {
      const x = tracer.input("images", imageSpec(model));
      model.forward(x, tracedScope(model, tracer)).forEach((logits, i) => tracer.output(`exit${i + 1}`, logits));
    }),
  );
}

/** The logits of all exits, one exit after the other, as every library returns them. */
export function joined(outputs: readonly ArrayLike<number>[]): Float32Array {
  const all = new Float32Array(outputs.reduce((length, output) => length + output.length, 0));
  let at = 0;
  for (const output of outputs) {
    all.set(output, at);
    at += output.length;
  }
  return all;
}

/** Operations that a unit of the work takes if convolutions are computed directly: two for each multiply-accumulate. */
export function operationsOf(kind: Work["kind"]): number {
  const graphs = {
    forward: logitsGraph,
    "pgd-step": inputGradientGraph,
    "training-step": () => gradientGraph(model, training),
  };
  return 2 * graphMacs(optimize(graphs[kind]()));
}

/** The gradient that a step of the average form takes. */
function inputGradientGraph(): Graph {
  return rdi.trace((tracer) => {
    const x = tracer.input("images", imageSpec(model));
    const labels = tracer.input("labels", { shape: ["N"], dtype: "i32" });
    const losses = model
      .forward(x, tracedScope(model, tracer))
      .map((logits: Tensor) => rdi.functional.crossEntropy(logits, labels));
    tracer.output("gradient", rdi.gradients(losses.reduce(rdi.functional.add), [x])[0]!);
  });
}
