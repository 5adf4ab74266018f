import type { Spec } from "../../ops/spec.js";
import { message, type Field } from "./protobuf.js";

/** The messages of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto; numbers of fields and types are those of that file. */
const attributeTypes = { int: 2, ints: 7 } as const;
export const DATA_TYPES = { f32: 1, i32: 6, i64: 7 } as const;

/** Non-negative integers, or lists of them: no operator that is written here takes others. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

export interface OnnxNode {
  readonly op: string;
  /** Empty: an optional input that is absent. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Attributes;
}

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface OnnxGraphContents {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly (readonly [name: string, spec: Spec])[];
  readonly outputs: readonly (readonly [name: string, spec: Spec])[];
}

export interface OnnxHeader {
  readonly opset: number;
  readonly producerVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
}

function attribute(name: string, value: number | readonly number[]): Uint8Array {
  return typeof value === "number"
    ? message([1, name], [3, value], [20, attributeTypes.int])
    : message([1, name], ...value.map((item): Field => [8, item]), [20, attributeTypes.ints]);
}

function node({ op, inputs, output, attributes }: OnnxNode): Uint8Array {
  return message(
    ...inputs.map((name): Field => [1, name]),
    [2, output],
    [3, output],
    [4, op],
    ...Object.entries(attributes).map(([name, value]): Field => [5, attribute(name, value)]),
  );
}

function tensor({ name, shape, data }: OnnxTensor): Uint8Array {
  const type = data instanceof Float32Array ? DATA_TYPES.f32 : DATA_TYPES.i64;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return message(...shape.map((size): Field => [1, size]), [2, type], [8, name], [9, bytes]);
}

function valueInfo([name, { shape, dtype }]: readonly [string, Spec]): Uint8Array {
  const dimensions = shape.map((size): Field => [1, message(size === "N" ? [2, size] : [1, size])]);
  return message([1, name], [2, message([1, message([1, DATA_TYPES[dtype]], [2, message(...dimensions)])])]);
}

/** The oldest version of the file format that has the opset: https://github.com/onnx/onnx/blob/main/docs/Versioning.md. */
function irVersion(opset: number): number {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  return opset <= 20 ? 9 : 10;
}

/** The bytes of an ONNX file. */
export function encodeModel(graph: OnnxGraphContents, { opset, producerVersion, metadata }: OnnxHeader): Uint8Array {
  const contents = message(
    ...graph.nodes.map((each): Field => [1, node(each)]),
    [2, graph.name],
    ...graph.initializers.map((each): Field => [5, tensor(each)]),
    ...graph.inputs.map((each): Field => [11, valueInfo(each)]),
    ...graph.outputs.map((each): Field => [12, valueInfo(each)]),
  );
  return message(
    [1, irVersion(opset)],
    [2, "rdi-net"],
    [3, producerVersion],
    [7, contents],
    [8, message([1, ""], [2, opset])],
    ...Object.entries(metadata).map(([key, value]): Field => [14, message([1, key], [2, value])]),
  );
}
