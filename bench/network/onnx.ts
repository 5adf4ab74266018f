import type { Graph, Node } from "../../src/graph/types.js";

/** Fields of protocol buffers (https://protobuf.dev/programming-guides/encoding/): an integer, or bytes with their length before them. */
type Field = readonly [number: number, value: number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

function message(...fields: Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [Uint8Array.from([...varint(number * 8), ...varint(value)])];
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    return [Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes];
  });
  return Buffer.concat(parts);
}

/** Numbers of types and fields are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
const FLOAT = 1;
const attributeTypes = { int: 2, ints: 7 } as const;
const IR_VERSION = 8;
const OPSET = 13;

function attribute(name: string, value: number | readonly number[]): Field {
  return typeof value === "number"
    ? [5, message([1, name], [3, value], [20, attributeTypes.int])]
    : [5, message([1, name], ...value.map((item): Field => [8, item]), [20, attributeTypes.ints])];
}

function operation(op: string, inputs: readonly string[], output: string, ...attributes: Field[]): Field {
  return [1, message(...inputs.map((name): Field => [1, name]), [2, output], [4, op], ...attributes)];
}

function tensor(name: string, shape: readonly number[], data: Float32Array): Field {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [5, message(...shape.map((size): Field => [1, size]), [2, FLOAT], [8, name], [9, bytes])];
}

function valueInfo(name: string, shape: readonly (number | "N")[]): Uint8Array {
  const dimensions = shape.map((size): Field => [1, message(size === "N" ? [2, size] : [1, size])]);
  return message([1, name], [2, message([1, message([1, FLOAT], [2, message(...dimensions)])])]);
}

const square = (size: number): [number, number] => [size, size];
const border = (size: number): [number, number, number, number] => [size, size, size, size];

/** One of our nodes as ONNX's; `name` gives the values their names. */
function convert(node: Node, name: (value: number) => string): Field[] {
  const inputs = node.in.filter((value) => value !== null).map(name);
  const out = name(node.out);
  const activated = (relu: boolean, make: (output: string) => Field): Field[] =>
    relu ? [make(`${out}.sum`), operation("Relu", [`${out}.sum`], out)] : [make(out)];
  switch (node.op) {
    case "conv2d": {
      const { stride, padding, relu } = (node as Node<"conv2d">).attrs;
      const attributes = [attribute("strides", square(stride)), attribute("pads", border(padding))];
      return activated(relu, (output) => operation("Conv", inputs, output, ...attributes));
    }
    case "linear":
      return activated((node as Node<"linear">).attrs.relu, (output) =>
        operation("Gemm", inputs, output, attribute("transB", 1)),
      );
    case "maxPool2d": {
      const { kernel, stride, padding } = (node as Node<"maxPool2d">).attrs;
      const sizes = { kernel_shape: square(kernel), strides: square(stride), pads: border(padding) };
      return [operation("MaxPool", inputs, out, ...Object.entries(sizes).map(([key, value]) => attribute(key, value)))];
    }
    case "reshape":
      return [operation("Flatten", inputs, out, attribute("axis", 1))];
    default:
      throw new Error(`Expected convolutions, linear layers and pooling but received ${node.op}`);
  }
}

/** A graph of convolutions, linear layers and pooling, with its weights, as an ONNX model with the same names of inputs and outputs. */
export function onnxModel(graph: Graph, params: ReadonlyMap<string, Float32Array>): Uint8Array {
  const names = new Map<number, string>();
  for (const named of [graph.inputs, graph.params, graph.outputs])
    for (const [name, value] of named) names.set(value, name);
  const name = (value: number): string => names.get(value) ?? `value${value}`;
  const shapeOf = (value: number): readonly (number | "N")[] => graph.specs[value]!.shape;
  const contents: Field[] = [
    ...graph.nodes.flatMap((node) => convert(node, name)),
    [2, "network"],
    ...[...graph.params].map(([param, value]) => tensor(param, shapeOf(value) as number[], params.get(param)!)),
    ...[...graph.inputs].map(([input, value]): Field => [11, valueInfo(input, shapeOf(value))]),
    ...[...graph.outputs].map(([output, value]): Field => [12, valueInfo(output, shapeOf(value))]),
  ];
  return message([1, IR_VERSION], [7, message(...contents)], [8, message([1, ""], [2, OPSET])]);
}
