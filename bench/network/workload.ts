import type { ExitModel } from "../../src/nn/exit-model.js";
import type { Graph } from "../../src/graph/types.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { gradientGraph, graphMacs, imageSpec, optimize, rdi, tracedScope } from "../library.js";
import type { Work } from "./protocol.js";

export type ModelName =
  "rdi-smallcnn" | "rdi-mobilenetv2" | "rdi-resnet38" | "rdi-resnet74" | "rdi-resnet110" | "rdi-resnet152" | "resnet38";

/** A network that is measured, its weights, its images and its settings: the same for every library. */
export interface Workload {
  readonly model: ExitModel;
  /** As the paper has them for the model's images. */
  readonly attack: { readonly eps: number; readonly step: number };
  /** Of the model's training in the paper, but without dropout, whose draws differ between libraries. */
  readonly training: {
    readonly momentum: number;
    readonly weightDecay: number;
    readonly exitWeights: readonly number[];
    readonly dropout: false;
    /**
     * Of one step before the first that is measured: the losses after it, which it moves by up to 1.5%, tell whether gradients and update were right. At a
     * larger rate the layers of a deep network amplify what rounding does to its gradients until PyTorch does not equal itself with other threads.
     */
    readonly firstLearningRate: number;
  };
}

/** So small that no number of steps changes the work. */
export const learningRate = 1e-6;
/** Steps of an attack whose images are compared: a pixel that moves the other way by chance changes the gradients after it, and soon all other pixels. */
export function comparedSteps(steps: number): number {
  return Math.min(steps, 2);
}

export function workload(name: ModelName): Workload {
  const model = rdi.modelByName(name);
  const mnist = model.inputShape[0] === 1;
  return {
    model,
    attack: mnist ? { eps: 0.3, step: 0.01 } : { eps: 8 / 255, step: 2 / 255 },
    training: {
      momentum: 0.9,
      weightDecay: mnist ? 5e-4 : 1e-4,
      exitWeights: Array.from({ length: model.exits }, () => 1),
      dropout: false,
      firstLearningRate: name === "rdi-mobilenetv2" ? 1e-4 : 1e-3,
    },
  };
}

/** Uniform in ±bound, the same values at every start. */
function generator(): (bound: number) => number {
  let state = 1;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state / 2 ** 31) * bound;
  };
}

/** As the model starts, but with random values where it starts from zero, which would make gradients zero. */
export function weights(model: ExitModel): Map<string, Float32Array> {
  const uniform = generator();
  return new Map(
    [...rdi.initialParams(model, 1)].map(([name, data]) => [
      name,
      name.endsWith("running_mean") || data.some((value) => value !== 0) ? data : data.map(() => uniform(0.1)),
    ]),
  );
}

/**
 * Images with noise: on a plain background all values of a pooling window are equal, and libraries send their gradient different ways. Digits where
 * they fit; else noise alone.
 */
export function images(model: ExitModel, count: number): { x: Float32Array; y: Int32Array } {
  const row = model.inputShape.reduce((product, size) => product * size, 1);
  const x = new Float32Array(count * row);
  const y = Int32Array.from({ length: count }, (_, n) => n % model.classes);
  const data = rdi.digits({ split: "test", length: count });
  if (data.imageShape.join() === model.inputShape.join()) data.read([...y.keys()], x, y);
  else x.fill(0.5);
  const uniform = generator();
  return { x: x.map((pixel) => 0.8 * pixel + 0.1 + uniform(0.1)), y };
}

/** Input `images`, outputs `exit1`, `exit2` …: the logits of these exits, all if none are named. */
export function logitsGraph(model: ExitModel, exits = numbersOf(model)): Graph {
  return optimize(
    rdi.trace((tracer) => {
      const x = tracer.input("images", imageSpec(model));
      const logits = model.forward(x, tracedScope(model, tracer));
      for (const exit of exits) tracer.output(`exit${exit}`, logits[exit - 1]!);
    }),
  );
}

/** The numbers of the exits that a work asks for. */
export function exitsOf({ model, exit }: Pick<Work, "model" | "exit">): number[] {
  return exit === undefined ? numbersOf(workload(model).model) : [exit];
}

function numbersOf(model: ExitModel): number[] {
  return Array.from({ length: model.exits }, (_, i) => i + 1);
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
export function operationsOf(work: Work): number {
  const { model, training } = workload(work.model);
  const of = (graph: Graph): number => 2 * graphMacs(optimize(graph));
  const ascent = (exits: readonly number[]): number => of(inputGradientGraph(model, exits));
  const exits = exitsOf(work);
  switch (work.kind) {
    case "forward":
      return of(logitsGraph(model, exits));
    case "pgd-step":
      return ascent(exits);
    case "training-step":
      return of(gradientGraph(model, training));
    case "max-average":
      // Each candidate is scored by all exits.
      return exits.reduce((sum, exit) => sum + work.steps * ascent([exit]) + of(logitsGraph(model)), 0);
  }
}

/** The gradient that a step takes which raises the losses of these exits; all of them in the average form. */
export function inputGradientGraph(model: ExitModel, exits: readonly number[] = numbersOf(model)): Graph {
  return rdi.trace((tracer) => {
    const x = tracer.input("images", imageSpec(model));
    const labels = tracer.input("labels", { shape: ["N"], dtype: "i32" });
    const losses = model
      .forward(x, tracedScope(model, tracer))
      .filter((_, i) => exits.includes(i + 1))
      .map((logits: Tensor) => rdi.functional.crossEntropy(logits, labels));
    tracer.output("gradient", rdi.gradients(losses.reduce(rdi.functional.add), [x])[0]!);
  });
}
