import type { Backend, HostArray, ParamSet } from "../backends/backend.js";
import type { Graph } from "../graph/types.js";
import { imageElements, formatSpec } from "../ops/spec.js";
import type { Disposable } from "../util/disposable.js";
import { ArgumentError } from "../util/errors.js";
import type { ExitModel } from "./exit-model.js";
import { Executable } from "./executable.js";
import { expectFloat } from "./quantized-model.js";

/** A model with its parameters on a backend. Programs that are compiled for it are kept, and freed with it. */
export class Network implements Disposable {
  readonly model: ExitModel;
  readonly backend: Backend;
  readonly params: ParamSet;
  readonly #programs = new Map<string, Disposable>();

  /** @throws ArgumentError if a weight is missing, misshapen, unknown to the model, or not finite. */
  constructor(model: ExitModel, backend: Backend, weights: ReadonlyMap<string, HostArray>) {
    checkWeights(model, weights);
    this.model = model;
    this.backend = backend;
    this.params = backend.bindParams(
      new Map([...model.params].map(([name, { spec }]) => [name, { spec, data: weights.get(name)! }])),
    );
  }

  /** The program of this key, compiled at the first call. Keys name everything that `build` depends on. */
  program<T extends Disposable>(key: string, build: () => T): T {
    const known = this.#programs.get(key);
    if (known !== undefined) return known as T;
    const program = build();
    this.#programs.set(key, program);
    return program;
  }

  /** The executable of a graph for batches of up to `maxBatch`, compiled at the first call. */
  executable(key: string, maxBatch: number, build: () => Graph): Executable {
    return this.program(`${key}@${maxBatch}`, () => new Executable(this.backend, build(), this.params, { maxBatch }));
  }

  /** Gives back the programs; they are compiled again when they are needed. */
  releasePrograms(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
  }

  /** Copies the weights out. @throws ArgumentError if the network computes in integers */
  async weights(): Promise<Map<string, Float32Array>> {
    expectFloat(this.model, "weights as floats");
    return (await this.parameters()) as Map<string, Float32Array>;
  }

  /** Copies the parameters out; those of integers are Int32Array. */
  async parameters(): Promise<Map<string, HostArray>> {
    const parameters = new Map<string, HostArray>();
    for (const name of this.model.params.keys()) parameters.set(name, await this.params.get(name));
    return parameters;
  }

  dispose(): void {
    this.releasePrograms();
    this.params.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @throws ArgumentError if a weight is missing, misshapen, unknown to the model, or not finite. */
export function checkWeights(model: ExitModel, weights: ReadonlyMap<string, HostArray>): void {
  for (const [name, { spec }] of model.params) {
    const data = weights.get(name);
    if (data === undefined)
      throw new ArgumentError(`Expected weight ${name} ${formatSpec(spec)} for ${model.name} but received none`);
    if (data.length !== imageElements(spec)) {
      throw new ArgumentError(
        `Expected ${formatSpec(spec)} for weight ${name} of ${model.name} but received ${data.length} elements`,
      );
    }
    const integers = data instanceof Int32Array;
    if (integers !== (spec.dtype === "i32"))
      throw new ArgumentError(
        `Expected ${formatSpec(spec)} for weight ${name} of ${model.name} but received ${data.constructor.name}`,
      );
    if (!integers && !data.every(Number.isFinite))
      throw new ArgumentError(
        `Expected finite numbers for weight ${name} of ${model.name} but received NaN or infinity`,
      );
  }
  const unknown = [...weights.keys()].filter((name) => !model.params.has(name));
  if (unknown.length > 0)
    throw new ArgumentError(`Expected the weights of ${model.name} but received ${unknown.join(", ")} as well`);
}

/** Checks a batch of images and returns their number. @throws ArgumentError on a wrong length, NaN, or a value outside [0, 1]. */
export function checkImages(model: ExitModel, images: Float32Array): number {
  const row = model.inputShape.reduce((total, size) => total * size, 1);
  const count = images.length / row;
  if (!Number.isInteger(count) || count === 0) {
    throw new ArgumentError(
      `Expected images of [${model.inputShape.join(",")}] = ${row} elements each but received ${images.length} elements`,
    );
  }
  for (let i = 0; i < images.length; i++) {
    const value = images[i]!;
    if (value >= 0 && value <= 1) continue;
    throw new ArgumentError(
      `Expected pixels in [0, 1] but received ${value} in image ${Math.floor(i / row)}, element ${i % row}`,
    );
  }
  return count;
}

/** @throws ArgumentError if there is not one label an image, or one is not in 0 … classes − 1. */
export function checkLabels(model: ExitModel, labels: Int32Array, images: number): void {
  if (labels.length !== images)
    throw new ArgumentError(`Expected ${images} labels, one an image, but received ${labels.length}`);
  const bad = labels.findIndex((label) => label < 0 || label >= model.classes);
  if (bad >= 0)
    throw new ArgumentError(`Expected labels in 0 … ${model.classes - 1} but received ${labels[bad]} for image ${bad}`);
}
