import type { Node } from "../../graph/types.js";
import { ENTROPY_OFFSET } from "../../ops/losses.js";
import type { OpName } from "../../ops/index.js";
import type { PoolAttrs } from "../../ops/pool.js";
import { imageDims, isPerImage } from "../../ops/spec.js";
import { ArgumentError } from "../../util/errors.js";
import type { OnnxGraphWriter } from "./graph-writer.js";
import { DATA_TYPES, type Attributes } from "./messages.js";

/**
 * How an operation is written in ONNX's: adds nodes to `g` and returns the name of the result. `ins` are the names of the inputs, empty for an optional
 * one that is absent.
 */
type Rule<O extends OpName> = (g: OnnxGraphWriter, ins: readonly string[], node: Node<O>) => string;

/** Opsets in which the operators below mean what is written here: axes are inputs of Unsqueeze and ReduceSum since 13. */
export const OPSETS = { first: 13, last: 22, default: 17 } as const;

const square = (size: number): [number, number] => [size, size];
const border = (size: number): [number, number, number, number] => [size, size, size, size];
/** 1 … rank − 1. */
const axesAfterFirst = (rank: number): number[] => Array.from({ length: rank - 1 }, (_, i) => i + 1);

function window({ kernel, stride, padding }: PoolAttrs): Attributes {
  return { kernel_shape: square(kernel), strides: square(stride), pads: border(padding) };
}

/** A value [A] as [A,1,…] of the rank, so that it meets each row of a value of that rank. */
function asColumn(g: OnnxGraphWriter, name: string, rank: number): string {
  return rank === 1 ? name : g.node("Unsqueeze", [name, g.integers(...axesAfterFirst(rank))]);
}

/** A value [C] that meets the channels of a value [N,C] or [N,C,H,W]. */
const perChannel = (g: OnnxGraphWriter, name: string, rank: number): string => asColumn(g, name, rank - 1);

const unary =
  (op: string) =>
  (g: OnnxGraphWriter, ins: readonly string[]): string =>
    g.node(op, ins);

/** One side may be a scalar of each image, [N], which ONNX would take for a row of the last dimension. */
const binary =
  (op: string) =>
  (g: OnnxGraphWriter, ins: readonly string[], node: Node): string => {
    const rank = g.spec(node.out).shape.length;
    const operands = ins.map((name, i) => {
      const spec = g.spec(node.in[i]!);
      return isPerImage(spec) && spec.shape.length === 1 ? asColumn(g, name, rank) : name;
    });
    return g.node(op, operands);
  };

function softmax(g: OnnxGraphWriter, logits: string): string {
  return g.node("Softmax", [logits], { axis: 1 });
}

function sumOver(g: OnnxGraphWriter, x: string, axes: readonly number[]): string {
  return g.node("ReduceSum", [x, g.integers(...axes)], { keepdims: 0 });
}

/** Every operation of an inference graph; parameters are constants by the time it is written, so what computes them is not here. */
const rules: { readonly [O in OpName]?: Rule<O> } = {
  abs: unary("Abs"),
  add: binary("Add"),
  affine(g, [x], { attrs: { scale, shift } }) {
    const scaled = scale === 1 ? x! : g.node("Mul", [x!, g.scalar(scale)]);
    return shift === 0 ? scaled : g.node("Add", [scaled, g.scalar(shift)]);
  },
  argmax: (g, [x]) =>
    g.node("Cast", [g.node("ArgMax", [x!], { axis: 1, keepdims: 0, select_last_index: 0 })], { to: DATA_TYPES.i32 }),
  avgPool2d: (g, ins, { attrs }) => g.node("AveragePool", ins, { ...window(attrs), count_include_pad: 1 }),
  channelAffine(g, [x, scale, shift], node) {
    const rank = g.spec(node.out).shape.length;
    return g.node("Add", [g.node("Mul", [x!, perChannel(g, scale!, rank)]), perChannel(g, shift!, rank)]);
  },
  clamp: (g, [x], { attrs: { lo, hi } }) => g.node("Clip", [x!, g.scalar(lo), g.scalar(hi)]),
  conv2d(g, [x, weight, bias, residual], { attrs: { stride, padding, groups, relu }, in: [, weightValue] }) {
    const [, , ...kernel] = imageDims(g.spec(weightValue!));
    const attributes = { kernel_shape: kernel, strides: square(stride), pads: border(padding), group: groups };
    const y = g.node("Conv", [x!, weight!, bias!], attributes);
    const sum = residual === undefined || residual === "" ? y : g.node("Add", [y, residual]);
    return relu ? g.node("Relu", [sum]) : sum;
  },
  copy: unary("Identity"),
  div: binary("Div"),
  entropy(g, [logits]) {
    const p = softmax(g, logits!);
    const log = g.node("Log", [g.node("Add", [p, g.scalar(ENTROPY_OFFSET)])]);
    return g.node("Neg", [sumOver(g, g.node("Mul", [p, log]), [1])]);
  },
  exp: unary("Exp"),
  greater: (g, ins, node) => g.node("Cast", [binary("Greater")(g, ins, node)], { to: DATA_TYPES.f32 }),
  linear(g, ins, { attrs }) {
    const y = g.node("Gemm", ins, { transB: 1 });
    return attrs.relu ? g.node("Relu", [y]) : y;
  },
  log: unary("Log"),
  maxPool2d: (g, ins, { attrs }) => g.node("MaxPool", ins, window(attrs)),
  maximum: binary("Max"),
  minimum: binary("Min"),
  mul: binary("Mul"),
  neg: unary("Neg"),
  relu: unary("Relu"),
  reshape(g, [x], { attrs: { shape } }) {
    if (shape[0] === "N" && shape.length === 2) return g.node("Flatten", [x!], { axis: 1 });
    // A size of 0 stands for that of the input: the batch.
    return g.node("Reshape", [x!, g.integers(...shape.map((size) => (size === "N" ? 0 : size)))]);
  },
  sign: unary("Sign"),
  softmax: (g, [logits]) => softmax(g, logits!),
  sqrt: unary("Sqrt"),
  sub: binary("Sub"),
  sumPerImage(g, [x], node) {
    const rank = g.spec(node.in[0]!).shape.length;
    return rank === 1 ? x! : sumOver(g, x!, axesAfterFirst(rank));
  },
};

/** Writes a node in ONNX's operators. @throws ArgumentError that names the operation if it has no form in ONNX here */
export function writeNode(g: OnnxGraphWriter, ins: readonly string[], node: Node): string {
  const rule = rules[node.op] as Rule<OpName> | undefined;
  if (rule === undefined) {
    throw new ArgumentError(
      `Expected operations of inference (${Object.keys(rules).join(", ")}) for ONNX but received ${node.op}`,
    );
  }
  return rule(g, ins, node);
}
