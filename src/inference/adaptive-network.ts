import { z } from "zod";
import type { Backend, HostArray } from "../backends/backend.js";
import {
  decodeSafetensors,
  readSafetensors,
  writeSafetensors,
  type Safetensors,
  type StoredTensor,
} from "../formats/safetensors.js";
import { modelByName, models } from "../models/index.js";
import type { ExitModel } from "../nn/exit-model.js";
import { Network } from "../nn/network.js";
import { expectFloat } from "../nn/quantized-model.js";
import { concreteShape, formatSpec } from "../ops/spec.js";
import { ArgumentError, FormatError, RdiError } from "../util/errors.js";
import { parseJson } from "../util/json-file.js";
import { quote } from "../util/quote.js";
import { classify, type Classification, type ClassifyOptions } from "./classify.js";
import { INT8, quantizedNetwork, storedQuantized } from "./quantized-weights.js";
import { checkPolicy, lastExitPolicy, policySchema, type ExitPolicy } from "./policy.js";

/** A network with the policy by which images leave it. */
export class AdaptiveNetwork extends Network {
  readonly #policy: ExitPolicy;
  /** How it was trained, as its file says; empty if that is not known. */
  readonly training: TrainingRecord;

  /** @throws ArgumentError if weights or policy do not fit the model */
  constructor(
    model: ExitModel,
    backend: Backend,
    weights: ReadonlyMap<string, HostArray>,
    policy: ExitPolicy = lastExitPolicy(model),
    training: TrainingRecord = {},
  ) {
    checkPolicy(model, policy);
    super(model, backend, weights);
    this.#policy = policy;
    this.training = training;
  }

  get policy(): ExitPolicy {
    return this.#policy;
  }

  /** Classifies images [n,C,H,W] in [0, 1]; an image leaves at the first exit that is sure of it. */
  classify(images: Float32Array, options?: ClassifyOptions): Promise<Classification[]> {
    return classify(this, this.#policy, images, options);
  }
}

/** Settings and results of a training run: plain JSON. */
export type TrainingRecord = Readonly<Record<string, unknown>>;

/** In the metadata of a weights file; other safetensors files are weights without a model's name. */
export const FORMAT = "rdi-net";

const recordSchema = z.record(z.string(), z.unknown());

/**
 * Loads a network from a weights file of this package: safetensors with PyTorch's names and layouts, and the model's name, thresholds and training
 * settings in the metadata.
 *
 * @param source the file's path, or its bytes, which errors then call by `name`
 * @throws FormatError if the file is not one, or is damaged; if a weight is missing, misshapen, or not finite
 */
export async function load(
  source: string | Uint8Array,
  { backend, name = "the weights" }: { readonly backend: Backend; readonly name?: string },
): Promise<AdaptiveNetwork> {
  const path = typeof source === "string" ? source : name;
  const { tensors, metadata } =
    typeof source === "string" ? await readSafetensors(source) : decodeSafetensors(source, path);
  const { model, parameters } = networkOf(namedModel(path, metadata), { tensors, metadata }, path);
  const policy =
    metadata.policy === undefined ? undefined : parseMetadata(path, "policy", metadata.policy, policySchema);
  const training =
    metadata.training === undefined ? undefined : parseMetadata(path, "training", metadata.training, recordSchema);
  try {
    return new AdaptiveNetwork(model, backend, parameters, policy, training);
  } catch (error) {
    if (error instanceof RdiError) throw new FormatError(path, error.message);
    throw error;
  }
}

/** The model of a weights file as it computes, in floats or in integers, and its parameters. @throws FormatError if they do not fit */
export function networkOf(
  model: ExitModel,
  { tensors, metadata }: Safetensors,
  path: string,
): { readonly model: ExitModel; readonly parameters: ReadonlyMap<string, HostArray> } {
  const { quantization } = metadata;
  if (quantization === undefined) return { model, parameters: weightsOf(model, tensors, path) };
  if (quantization === INT8) return quantizedNetwork(model, tensors, path);
  throw new FormatError(path, `Expected ${INT8} for the metadata quantization but received ${quote(quantization)}`);
}

/** The model that a weights file is for, by its metadata. @throws FormatError if the file is none of this package, or of an unknown model */
export function namedModel(path: string, metadata: Safetensors["metadata"]): ExitModel {
  if (metadata.format !== FORMAT || metadata.model === undefined) {
    throw new FormatError(
      path,
      `Expected a weights file that names its model (metadata "format": "${FORMAT}" and "model") but received metadata ${JSON.stringify(metadata)}; for weights from elsewhere use rdi import`,
    );
  }
  if (!models.has(metadata.model)) {
    throw new FormatError(
      path,
      `Expected a known model (${[...models.keys()].join(", ")}) but received ${JSON.stringify(metadata.model)}`,
    );
  }
  return modelByName(metadata.model, classesIn(path, metadata.classes));
}

/** Files that do not say are for the default number of classes. */
function classesIn(path: string, classes: string | undefined): number | undefined {
  if (classes === undefined) return undefined;
  if (/^([2-9]|[1-9]\d+)$/.test(classes)) return Number(classes);
  throw new FormatError(
    path,
    `Expected an integer of 2 or more for the metadata classes but received ${quote(classes)}`,
  );
}

/** The model's weights among the tensors of a file. @throws FormatError if one is missing, misshapen or not of floats, or one is left over */
export function weightsOf(
  model: Pick<ExitModel, "name" | "params">,
  tensors: ReadonlyMap<string, StoredTensor>,
  path: string,
): Map<string, Float32Array> {
  const weights = new Map<string, Float32Array>();
  for (const [name, { spec }] of model.params) {
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw new FormatError(path, `Expected weight ${name} ${formatSpec(spec)} of ${model.name} but received none`);
    const { dtype, shape, data } = tensor;
    if (!(data instanceof Float32Array) || shape.join() !== concreteShape(spec, 1).join()) {
      throw new FormatError(
        path,
        `Expected weight ${name} ${formatSpec(spec)} of ${model.name} but received [${shape.join(",")}] ${dtype}`,
      );
    }
    weights.set(name, data);
  }
  const unknown = [...tensors.keys()].filter((name) => !model.params.has(name));
  if (unknown.length > 0)
    throw new FormatError(path, `Expected the weights of ${model.name} but received ${unknown.join(", ")} as well`);
  return weights;
}

/** How a file holds the numbers of a network of floats. */
export type WeightsDtype = "F32" | "F16";

/**
 * The values of parameters as a file holds them.
 *
 * @throws ArgumentError if a number is beyond the range of `dtype`
 */
export function storedWeights(
  params: ExitModel["params"],
  weights: ReadonlyMap<string, Float32Array>,
  dtype: WeightsDtype = "F32",
): Map<string, StoredTensor> {
  return new Map(
    [...params].map(([name, { spec }]) => {
      const data = weights.get(name)!;
      const tooLarge = dtype === "F16" ? data.find((value) => Math.abs(value) >= F16_OVERFLOW) : undefined;
      if (tooLarge !== undefined)
        throw new ArgumentError(`Expected numbers under ${F16_OVERFLOW} for ${name} in F16 but received ${tooLarge}`);
      return [name, { dtype, shape: concreteShape(spec, 1), data }];
    }),
  );
}

/** What would be rounded to infinity. */
const F16_OVERFLOW = 65520;

export interface SaveOptions {
  readonly policy: ExitPolicy;
  readonly training?: TrainingRecord;
  /** How numbers are stored, F32 by default; F16 takes half the bytes, and rounds. Of a network in int8 it must be absent. */
  readonly dtype?: WeightsDtype;
}

/**
 * Writes a network's weights, its policy and its training settings, atomically.
 *
 * @throws ArgumentError if the policy does not fit, or a weight is beyond the range of `dtype`; RdiError if the file cannot be written
 */
export async function save(
  path: string,
  net: Pick<Network, "model" | "parameters">,
  { policy, training = {}, dtype }: SaveOptions,
): Promise<void> {
  const { model } = net;
  checkPolicy(model, policy);
  const quantized = model.quantization !== undefined;
  if (quantized && dtype !== undefined) expectFloat(model, dtype);
  const parameters = await net.parameters();
  const tensors = quantized
    ? storedQuantized({ model, parameters })
    : storedWeights(model.params, parameters as Map<string, Float32Array>, dtype);
  await writeSafetensors(path, tensors, {
    format: FORMAT,
    model: model.name,
    classes: String(model.classes),
    ...(quantized && { quantization: INT8 }),
    policy: JSON.stringify(policy),
    training: JSON.stringify(training),
  });
}

/** Metadata that is JSON of a known form. @throws FormatError that names the metadata */
export function parseMetadata<T>(path: string, name: string, text: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(parseJson(text, path, `JSON for the metadata ${name}`));
  if (!result.success)
    throw new FormatError(
      path,
      `Expected ${name} in the metadata of its form but received: ${z.prettifyError(result.error)}`,
    );
  return result.data;
}
