import { readSafetensors, type Safetensors } from "../../src/formats/safetensors.js";
import type { Graph } from "../../src/graph/types.js";
import { imageSpec, tracedScope, type ExitModel } from "../../src/nn/exit-model.js";
import { i32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { gradients, trace } from "../../src/tensor/trace.js";
import { sharedPath } from "../support/shared-data.js";

/** The floats of a tensor of an oracle file. */
export function floats(file: Safetensors, name: string): Float32Array {
  const tensor = file.tensors.get(name);
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`The oracle has no floats ${name}`);
  return tensor.data;
}

export function integers(file: Safetensors, name: string): Int32Array {
  const tensor = file.tensors.get(name);
  if (!(tensor?.data instanceof Int32Array)) throw new Error(`The oracle has no integers ${name}`);
  return tensor.data;
}

/** Part `i` of `parts` equal ones: the logits of one exit among those of all, say. */
export function part<A extends Float32Array | Float64Array>(values: A, i: number, parts: number): A {
  const length = values.length / parts;
  return values.subarray(i * length, (i + 1) * length) as A;
}

/** ‖a − b‖ ÷ ‖b‖; the norm of a where b is zero. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const sumOfSquares = (of: (i: number) => number): number => {
    let sum = 0;
    for (let i = 0; i < b.length; i++) sum += of(i) ** 2;
    return sum;
  };
  const norm = Math.sqrt(sumOfSquares((i) => b[i]!));
  const difference = Math.sqrt(sumOfSquares((i) => a[i]! - b[i]!));
  return norm === 0 ? difference : difference / norm;
}

/** The fraction of the pixels that are not equal: signs of gradients that are nearly zero may differ. */
export function differing(images: Float32Array, expected: Float32Array, tolerance = 1e-6): number {
  return images.filter((value, i) => Math.abs(value - expected[i]!) > tolerance).length / images.length;
}

export const meanOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The weights of a model among the tensors of a file of PyTorch's. */
export function weightsIn(file: Safetensors, model: ExitModel): Map<string, Float32Array> {
  return new Map([...model.params.keys()].map((name) => [name, floats(file, name)]));
}

/** Why tests that need these files of the shared folder are skipped; undefined if they are there. */
export function missing(...paths: (string | undefined)[]): string | undefined {
  return paths.includes(undefined) ? "no oracle in RDI_SHARED" : undefined;
}

export function oracleFile(name: string): string | undefined {
  return sharedPath("oracle", `${name}.safetensors`);
}

export function readOracle(path: string | undefined): Promise<Safetensors> {
  return readSafetensors(path!);
}

/** The loss to differentiate, of those of all exits. */
export type ExitLoss = (losses: readonly Tensor[]) => Tensor;

/** The gradient of a loss, averaged over the batch, with respect to the images: inputs `images` and `labels`, output `gradient`. */
export function gradientGraph(model: ExitModel, of: ExitLoss): Graph {
  return trace((tracer) => {
    const x = tracer.input("images", imageSpec(model));
    const labels = tracer.input("labels", i32("N"));
    const losses = model.forward(x, tracedScope(model, tracer)).map((logits) => F.crossEntropy(logits, labels));
    const [gradient] = gradients(F.meanBatch(of(losses)), [x]);
    tracer.output("gradient", gradient!);
  });
}
