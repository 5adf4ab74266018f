import type { HostArray } from "../backends/backend.js";
import type { StoredTensor } from "../formats/safetensors.js";
import type { ExitModel } from "../nn/exit-model.js";
import {
  foldModel,
  foldWeights,
  levelsOf,
  quantizedModel,
  type InputRange,
  type InputRanges,
} from "../nn/quantized-model.js";
import { MAX_SIGNED, packWeight, unpackWeight } from "../ops/quantized.js";
import { concreteShape, imageElements, type Spec } from "../ops/spec.js";
import { FormatError } from "../util/errors.js";

/** In the metadata of a file of a quantized network, under `quantization`. */
export const INT8 = "int8";

/** A model that computes in integers, and its parameters. */
export interface QuantizedNetwork {
  readonly model: ExitModel;
  readonly parameters: ReadonlyMap<string, HostArray>;
}

/**
 * Weights of a model of floats as integers of 8 bits, in the layout of docs/quantization.md: a scale an output channel, the largest weight of the channel ÷ 127.
 *
 * @param ranges of the inputs of all layers
 */
export function quantizeWeights(
  model: ExitModel,
  weights: ReadonlyMap<string, Float32Array>,
  ranges: InputRanges,
): Map<string, StoredTensor> {
  const folded = foldModel(model);
  const values = foldWeights(folded, weights);
  const { graph } = folded.separated;
  const tensors = new Map<string, StoredTensor>();
  for (const { name, weight, weightName, biasName } of folded.layers) {
    const range = ranges.get(name)!;
    const { integers, scale } = integersOf(values.get(weightName)!, weight.shape[0] as number);
    const { levels } = levelsOf(range);
    tensors.set(`${name}.weight`, { dtype: "I8", shape: concreteShape(weight, 1), data: integers });
    tensors.set(`${name}.scale`, { dtype: "F32", shape: [scale.length], data: scale.map((value) => value / levels) });
    tensors.set(`${name}.input_range`, {
      dtype: "F32",
      shape: [2],
      data: Float32Array.of(range.signed ? -range.high : 0, range.high),
    });
    if (biasName !== undefined)
      tensors.set(`${name}.bias`, { dtype: "F32", shape: [scale.length], data: values.get(biasName)! });
    values.delete(weightName);
    if (biasName !== undefined) values.delete(biasName);
  }
  for (const [name, data] of values)
    tensors.set(name, { dtype: "F32", shape: concreteShape(graph.specs[graph.params.get(name)!]!, 1), data });
  return tensors;
}

/** Each row ÷ its largest magnitude · 127, rounded; and what an integer of the row is worth. */
function integersOf(values: Float32Array, outputs: number): { integers: Int8Array; scale: Float32Array } {
  const row = values.length / outputs;
  const scale = new Float32Array(outputs);
  const integers = new Int8Array(values.length);
  for (let o = 0; o < outputs; o++) {
    const largest = values.subarray(o * row, (o + 1) * row).reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    // A row of zeros stays one, whatever its integers are worth.
    scale[o] = largest > 0 ? largest / MAX_SIGNED : 1;
    for (let k = o * row; k < (o + 1) * row; k++) integers[k] = Math.round(values[k]! / scale[o]!);
  }
  return { integers, scale };
}

/**
 * The quantized network of a file's tensors.
 *
 * @param path what to call them in errors
 * @throws FormatError if a tensor is missing, misshapen, of another type or out of range, or one is left over
 */
export function quantizedNetwork(
  float: ExitModel,
  tensors: ReadonlyMap<string, StoredTensor>,
  path: string,
): QuantizedNetwork {
  const reader = new TensorReader(float.name, tensors, path);
  const { separated, layers } = foldModel(float);
  const { graph } = separated;
  const parameters = new Map<string, HostArray>();
  const ranges = new Map<string, InputRange>();
  const own = new Set<string>();
  for (const { name, weight, weightName, biasName } of layers) {
    const shape = concreteShape(weight, 1);
    const [outputs] = shape as [number];
    parameters.set(`${name}.weight`, packWeight(reader.int8(`${name}.weight`, shape), outputs));
    parameters.set(`${name}.scale`, reader.float32(`${name}.scale`, [outputs]));
    if (biasName !== undefined) parameters.set(`${name}.bias`, reader.float32(`${name}.bias`, [outputs]));
    ranges.set(name, reader.range(`${name}.input_range`));
    own.add(weightName).add(biasName ?? weightName);
  }
  for (const [name, value] of graph.params)
    if (!own.has(name)) parameters.set(name, reader.float32(name, concreteShape(graph.specs[value]!, 1)));
  reader.expectAllRead();
  return { model: quantizedModel(float, ranges), parameters };
}

/** The inverse of `quantizedNetwork`: what a file holds. */
export function storedQuantized({ model, parameters }: QuantizedNetwork): Map<string, StoredTensor> {
  const { float, ranges } = model.quantization!;
  const tensors = new Map<string, StoredTensor>();
  const { layers } = foldModel(float);
  const weights = new Map<string, Spec>(layers.map(({ name, weight }) => [`${name}.weight`, weight]));
  for (const [name, data] of parameters) {
    const weight = weights.get(name);
    if (weight === undefined) {
      const shape = concreteShape(model.params.get(name)!.spec, 1);
      tensors.set(name, { dtype: "F32", shape, data: data as Float32Array });
      continue;
    }
    const outputs = weight.shape[0] as number;
    const integers = unpackWeight(data as Int32Array, outputs, imageElements(weight) / outputs);
    tensors.set(name, { dtype: "I8", shape: concreteShape(weight, 1), data: integers });
  }
  for (const [name, { high, signed }] of ranges)
    tensors.set(`${name}.input_range`, { dtype: "F32", shape: [2], data: Float32Array.of(signed ? -high : 0, high) });
  return tensors;
}

/** Takes tensors of a file by name, type and shape. */
class TensorReader {
  readonly #read = new Set<string>();

  constructor(
    readonly model: string,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    readonly path: string,
  ) {}

  int8(name: string, shape: readonly number[]): Int8Array {
    const data = this.#take(name, "I8", shape) as Int8Array;
    if (data.includes(-128)) this.#refuse(`integers in -127 … 127 for ${name}`, "-128");
    return data;
  }

  float32(name: string, shape: readonly number[]): Float32Array {
    return this.#take(name, "F32", shape) as Float32Array;
  }

  range(name: string): InputRange {
    const [low, high] = this.float32(name, [2]) as unknown as [number, number];
    if (!(high > 0 && Number.isFinite(255 / high) && (low === 0 || low === -high)))
      this.#refuse(`a range 0 … high or −high … high for ${name}`, `${low} … ${high}`);
    return { high, signed: low < 0 };
  }

  expectAllRead(): void {
    const unknown = [...this.tensors.keys()].filter((name) => !this.#read.has(name));
    if (unknown.length > 0) this.#refuse(`the tensors of ${this.model} in int8`, `${unknown.join(", ")} as well`);
  }

  #take(name: string, dtype: StoredTensor["dtype"], shape: readonly number[]): StoredTensor["data"] {
    this.#read.add(name);
    const tensor = this.tensors.get(name);
    const expected = `${name} [${shape.join(",")}] ${dtype} of ${this.model} in int8`;
    if (tensor === undefined) return this.#refuse(expected, "none");
    if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join())
      return this.#refuse(expected, `[${tensor.shape.join(",")}] ${tensor.dtype}`);
    return tensor.data;
  }

  #refuse(expected: string, received: string): never {
    throw new FormatError(this.path, `Expected ${expected} but received ${received}`);
  }
}
