import { relu } from "./conv2d.js";
import { expectRank, expectSpecs, float, need, tensor, type OpDef, type ReferenceTensor } from "./op.js";
import { f32, formatSpec, i32, sameSpec, type Spec } from "./spec.js";

/** How an input becomes integers of 8 bits: round(x · levels), to the nearest even, within −127 … 127 or 0 … 255. */
export interface InputLevels {
  /** Integers for a unit of the input: a float32, the inverse of the input's scale. */
  readonly levels: number;
  /** Whether there are negative ones. */
  readonly signed: boolean;
}

export interface QuantizedLinearAttrs extends InputLevels {
  /** Fused epilogue: max(0, ·) after the bias. */
  readonly relu: boolean;
}

export interface QuantizedConv2dAttrs extends InputLevels {
  readonly stride: number;
  readonly padding: number;
  /** Height and width of the kernel, which the words of the weight do not tell. */
  readonly kernel: readonly [number, number];
  /** Fused epilogue: max(0, ·) after bias and residual. */
  readonly relu: boolean;
}

/** The largest integers of a quantized input, by whether it is signed, and of a weight. */
export const MAX_UNSIGNED = 255;
export const MAX_SIGNED = 127;
/** Factors of one sum: as many as 32 bits hold the sum of, whatever they are. */
const MAX_FACTORS = 65536;

/** Words of a row of `factors` weights: four integers of 8 bits each, the first in the lowest bits. */
export function wordsOfRow(factors: number): number {
  return Math.ceil(factors / 4);
}

/** Integers of 8 bits, row by row, as the words of a quantized weight: [O, wordsOfRow(factors)]. */
export function packWeight(values: Int8Array, outputs: number): Int32Array {
  const factors = values.length / outputs;
  const row = 4 * wordsOfRow(factors);
  const bytes = new Int8Array(outputs * row);
  for (let o = 0; o < outputs; o++) bytes.set(values.subarray(o * factors, (o + 1) * factors), o * row);
  return new Int32Array(bytes.buffer);
}

/** The inverse of `packWeight`. */
export function unpackWeight(words: Int32Array, outputs: number, factors: number): Int8Array {
  const values = new Int8Array(outputs * factors);
  for (let o = 0; o < outputs; o++)
    for (let k = 0; k < factors; k++) values[o * factors + k] = weightAt(words, o, k, wordsOfRow(factors));
  return values;
}

function weightAt(words: ArrayLike<number>, o: number, k: number, row: number): number {
  return (words[o * row + (k >> 2)]! << (24 - 8 * (k & 3))) >> 24;
}

/** Whether the operation computes in integers. */
export function isQuantized(op: string): boolean {
  return op === quantizedConv2d.name || op === quantizedLinear.name;
}

function expectLevels(op: string, { levels }: InputLevels): void {
  const ok = levels > 0 && Number.isFinite(levels) && Math.fround(levels) === levels;
  expectSpecs(op, ok, "a positive float32 of levels", { levels });
}

/** Checks weight, scale and bias; the output's channels. */
function outputsOf(op: string, ins: readonly (Spec | null)[], factors: number): number {
  const weight = need(op, ins, 1, "a weight");
  const scale = need(op, ins, 2, "a scale");
  const bias = ins[3] ?? null;
  const [outputs] = weight.shape as [number, number];
  expectSpecs(op, factors <= MAX_FACTORS, `at most ${MAX_FACTORS} factors a sum`, { factors });
  const fits = weight.shape.length === 2 && sameSpec(weight, i32(outputs, wordsOfRow(factors)));
  expectSpecs(op, fits, `a weight [O,${wordsOfRow(factors)}] i32`, { weight });
  expectSpecs(op, sameSpec(scale, f32(outputs)), "one scale an output", { scale, weight });
  expectSpecs(op, bias === null || sameSpec(bias, f32(outputs)), "one bias an output", { bias, weight });
  return outputs;
}

/** The integers of x. NaN becomes the lowest, as it does in the kernels. */
function integersOf({ data }: ReferenceTensor, { levels, signed }: InputLevels): Int16Array {
  const [low, high] = signed ? [-MAX_SIGNED, MAX_SIGNED] : [0, MAX_UNSIGNED];
  return Int16Array.from(data, (value) => {
    const scaled = Math.fround(Math.fround(value) * levels);
    return scaled > low ? roundToEven(Math.min(scaled, high)) : low;
  });
}

function roundToEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

/** y += …: rounded to float32 after every step, in the kernels' order, so that all give the same bits. */
function finish(
  sum: number,
  o: number,
  i: number,
  ins: readonly (ReferenceTensor | null)[],
  withRelu: boolean,
): number {
  let y = Math.fround(Math.fround(sum) * tensor(ins, 2).data[o]!);
  if (ins[3]) y = Math.fround(y + ins[3].data[o]!);
  if (ins[4]) y = Math.fround(y + ins[4].data[i]!);
  return withRelu ? relu(y) : y;
}

/**
 * conv2d in integers: x [N,C,H,W] in f32 becomes integers by `levels`, is convolved with a weight of 8 bits ([O, words] i32: the integers of [O,C,kh,kw], see
 * `packWeight`), and the sums, which are exact, become y = sum · scale [O] + optional bias [O] + optional residual → [N,O,H',W'] in f32.
 */
export const quantizedConv2d: OpDef<QuantizedConv2dAttrs> = {
  name: "quantizedConv2d",
  kind: "map",
  inPaperLedger: true,
  infer(ins, attrs) {
    const op = "quantizedConv2d";
    const x = need(op, ins, 0, "an input");
    expectRank(op, x, 4, "input");
    expectLevels(op, attrs);
    const [, c, h, w] = x.shape as [unknown, number, number, number];
    const [kh, kw] = attrs.kernel;
    const outputs = outputsOf(op, ins, c * kh * kw);
    const size = (length: number, kernel: number): number =>
      Math.floor((length + 2 * attrs.padding - kernel) / attrs.stride) + 1;
    const out = f32(x.shape[0]!, outputs, size(h, kh), size(w, kw));
    expectSpecs(op, size(h, kh) > 0 && size(w, kw) > 0, `an input no smaller than the kernel ${kh}×${kw}`, { x });
    const residual = ins[4] ?? null;
    expectSpecs(op, residual === null || sameSpec(residual, out), `residual ${formatSpec(out)}`, { residual });
    return out;
  },
  reference(ins, attrs, out) {
    const { stride, padding, kernel } = attrs;
    const [kh, kw] = kernel;
    const [batch, channels, height, width] = tensor(ins, 0).shape as [number, number, number, number];
    const [, outputs, outHeight, outWidth] = out.shape as [number, number, number, number];
    const x = integersOf(tensor(ins, 0), attrs);
    const words = tensor(ins, 1).data;
    const row = wordsOfRow(channels * kh * kw);
    for (let n = 0, i = 0; n < batch; n++)
      for (let o = 0; o < outputs; o++)
        for (let p = 0; p < outHeight; p++)
          for (let q = 0; q < outWidth; q++, i++) {
            let sum = 0;
            for (let c = 0, k = 0; c < channels; c++)
              for (let a = 0; a < kh; a++)
                for (let b = 0; b < kw; b++, k++) {
                  const [y, z] = [p * stride + a - padding, q * stride + b - padding];
                  if (y < 0 || y >= height || z < 0 || z >= width) continue;
                  sum += x[((n * channels + c) * height + y) * width + z]! * weightAt(words, o, k, row);
                }
            out.data[i] = finish(sum, o, i, ins, attrs.relu);
          }
  },
  macs(ins, attrs) {
    const [, outputs, height, width] = quantizedConv2d.infer(ins, attrs).shape as [unknown, number, number, number];
    return outputs * height * width * (ins[0]!.shape[1] as number) * attrs.kernel[0] * attrs.kernel[1];
  },
  encode: ({ stride, padding, kernel, relu, levels, signed }) => [
    stride,
    padding,
    ...kernel,
    Number(relu),
    float(levels),
    Number(signed),
  ],
};

/** linear in integers, as `quantizedConv2d`: x [N,K], weight of the integers of [O,K], scale [O], optional bias [O] → [N,O]. */
export const quantizedLinear: OpDef<QuantizedLinearAttrs> = {
  name: "quantizedLinear",
  kind: "map",
  infer(ins, attrs) {
    const x = need("quantizedLinear", ins, 0, "an input");
    expectRank("quantizedLinear", x, 2, "input");
    expectLevels("quantizedLinear", attrs);
    return f32(x.shape[0]!, outputsOf("quantizedLinear", ins, x.shape[1] as number));
  },
  reference(ins, attrs, out) {
    const [rows, outputs] = out.shape as [number, number];
    const features = tensor(ins, 0).shape[1]!;
    const x = integersOf(tensor(ins, 0), attrs);
    const words = tensor(ins, 1).data;
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < outputs; o++) {
        let sum = 0;
        for (let k = 0; k < features; k++) sum += x[n * features + k]! * weightAt(words, o, k, wordsOfRow(features));
        out.data[n * outputs + o] = finish(sum, o, n * outputs + o, ins, attrs.relu);
      }
  },
  macs: (ins) => (ins[0]!.shape[1] as number) * (ins[1]!.shape[0] as number),
  encode: ({ relu, levels, signed }) => [Number(relu), float(levels), Number(signed)],
};
