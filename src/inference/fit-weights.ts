import type { StoredTensor } from "../formats/safetensors.js";
import { models } from "../models/index.js";
import type { ExitModel } from "../nn/exit-model.js";
import { checkWeights } from "../nn/network.js";
import { concreteShape, formatSpec } from "../ops/spec.js";
import { FormatError, RdiError } from "../util/errors.js";
import { shortList, nameText } from "../util/quote.js";

type Tensors = ReadonlyMap<string, StoredTensor>;

/**
 * A model's weights from tensors that were made elsewhere, as float32: float64 is rounded to the nearest.
 *
 * @param path what to call them in errors
 * @throws FormatError that lists what is missing, misshapen, not of floats, or unknown to the model; or names a weight that is not finite in float32
 */
export function fitWeights(model: ExitModel, tensors: Tensors, path: string): Map<string, Float32Array> {
  const misfit = misfitOf(model, tensors);
  if (misfit !== undefined) throw new FormatError(path, describeMisfit(model, tensors, misfit));
  const weights = new Map([...model.params.keys()].map((name) => [name, asFloat32(tensors.get(name)!)]));
  try {
    checkWeights(model, weights);
  } catch (error) {
    if (error instanceof RdiError) throw new FormatError(path, error.message);
    throw error;
  }
  return weights;
}

interface Misfit {
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
  readonly misshapen: readonly string[];
}

function misfitOf(model: ExitModel, tensors: Tensors): Misfit | undefined {
  const names = [...model.params.keys()];
  const missing = names.filter((name) => !tensors.has(name));
  const unknown = [...tensors.keys()].filter((name) => !model.params.has(name));
  const misshapen = names.filter((name) => {
    const tensor = tensors.get(name);
    return tensor !== undefined && (!isFloat(tensor) || tensor.shape.join() !== shapeOf(model, name).join());
  });
  return missing.length + unknown.length + misshapen.length > 0 ? { missing, unknown, misshapen } : undefined;
}

function describeMisfit(model: ExitModel, tensors: Tensors, { missing, unknown, misshapen }: Misfit): string {
  const differences = misshapen.map((name) => {
    const { shape, dtype } = tensors.get(name)!;
    return `${name} ${formatSpec(model.params.get(name)!.spec)} is [${shape.join(",")}] ${dtype}`;
  });
  const classes = otherClasses(model, tensors, misshapen);
  if (classes !== undefined && missing.length + unknown.length === 0)
    return `Expected ${model.classes} classes, as ${model.name} has, but received weights for ${classes}: ${list(differences)}`;
  const defects = [
    ["missing", missing],
    ["unknown to it", unknown.map(nameText)],
    ["of another shape or type", differences],
  ] as const;
  const parts = defects
    .filter(([, names]) => names.length > 0)
    .map(([defect, names]) => `${names.length} ${defect} (${list(names)})`);
  const fitting = [...models.values()].find((other) => misfitOf(other, tensors) === undefined);
  const hint = fitting === undefined ? "" : `; these are the weights of ${fitting.name}`;
  return `Expected the weights of ${model.name} but received others: ${parts.join(", ")}${hint}`;
}

/** The number of classes for which the tensors were made, if that is all in which they differ from the model's. */
function otherClasses(model: ExitModel, tensors: Tensors, misshapen: readonly string[]): number | undefined {
  const [received] = tensors.get(misshapen[0] ?? "")?.shape ?? [];
  const differOnlyThere = misshapen.every((name) => {
    const { shape } = tensors.get(name)!;
    const expected = shapeOf(model, name);
    return expected[0] === model.classes && shape[0] === received && shape.slice(1).join() === expected.slice(1).join();
  });
  return differOnlyThere && received !== model.classes ? received : undefined;
}

const SHOWN = 4;

function list(names: readonly string[]): string {
  return shortList(names, SHOWN);
}

function shapeOf(model: ExitModel, name: string): readonly number[] {
  return concreteShape(model.params.get(name)!.spec, 1);
}

function isFloat({ data }: StoredTensor): boolean {
  return data instanceof Float32Array || data instanceof Float64Array;
}

function asFloat32({ data }: StoredTensor): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
}
