import { allReduce } from "./all-reduce.js";
import { batchNorm, batchNormGradSums, batchNormInputGrad, channelMoments, row } from "./batch-norm.js";
import { channelAffine, channelSum, scaleRows } from "./channel.js";
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from "./conv2d.js";
import {
  abs,
  add,
  affine,
  clamp,
  div,
  exp,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  reluGrad,
  select,
  sign,
  sqrt,
  sub,
} from "./elementwise.js";
import { fill } from "./fill.js";
import { linear, linearInputGrad, linearWeightGrad } from "./linear.js";
import {
  argmax,
  crossEntropy,
  crossEntropyGrad,
  entropy,
  margin,
  marginGrad,
  softmax,
  uniformCrossEntropy,
} from "./losses.js";
import { positiveBits } from "./mask-bits.js";
import type { OpDef } from "./op.js";
import { avgPool2d, avgPool2dGrad, maxPool2d, maxPool2dGrad } from "./pool.js";
import { quantizedConv2d, quantizedLinear } from "./quantized.js";
import { dropout, randomUniform } from "./random.js";
import { copy, expand, expandBatch, reduceBatch, reshape, sumAll, sumPerImage } from "./reduce.js";

/** THE table of operations. A backend runs these and nothing else. */
export const ops = {
  abs,
  add,
  affine,
  allReduce,
  argmax,
  avgPool2d,
  avgPool2dGrad,
  batchNorm,
  batchNormGradSums,
  batchNormInputGrad,
  channelAffine,
  channelMoments,
  channelSum,
  clamp,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  copy,
  crossEntropy,
  crossEntropyGrad,
  div,
  dropout,
  entropy,
  exp,
  expand,
  expandBatch,
  fill,
  greater,
  linear,
  linearInputGrad,
  linearWeightGrad,
  log,
  margin,
  marginGrad,
  maxPool2d,
  maxPool2dGrad,
  maximum,
  minimum,
  mul,
  neg,
  positiveBits,
  quantizedConv2d,
  quantizedLinear,
  randomUniform,
  reduceBatch,
  relu,
  reluGrad,
  reshape,
  row,
  scaleRows,
  select,
  sign,
  softmax,
  sqrt,
  sub,
  sumAll,
  sumPerImage,
  uniformCrossEntropy,
} as const;

export type OpName = keyof typeof ops;
export type AttrsOf<O extends OpName> = (typeof ops)[O] extends OpDef<infer A> ? A : never;

/** The definition of an operation, for code that handles any of them. */
export function opDef(name: OpName): OpDef<unknown> {
  return ops[name];
}
