import type { Value } from "../graph/types.js";
import { addAndMask, relu } from "./conv2d.js";
import { expectRank, expectSpecs, need, tensor, type NoAttrs, type OpDef } from "./op.js";
import { f32, formatSpec, sameSpec } from "./spec.js";

export interface LinearAttrs {
  /** Fused epilogue: max(0, ·) after the bias. */
  readonly relu: boolean;
}

/** x [N,K] · weightᵀ [K,O] + optional bias [O] → [N,O]; weights as PyTorch keeps them, [O,K]. */
export const linear: OpDef<LinearAttrs> = {
  name: "linear",
  kind: "map",
  infer(ins) {
    const x = need("linear", ins, 0, "an input");
    const weight = need("linear", ins, 1, "a weight");
    expectRank("linear", x, 2, "input");
    expectRank("linear", weight, 2, "weight");
    expectSpecs("linear", x.shape[1] === weight.shape[1], "input features = weight columns", { input: x, weight });
    const bias = ins[2] ?? null;
    expectSpecs("linear", bias === null || sameSpec(bias, f32(weight.shape[0]!)), "one bias an output", {
      bias,
      weight,
    });
    return f32(x.shape[0]!, weight.shape[0]!);
  },
  reference(ins, attrs, out) {
    const x = tensor(ins, 0);
    const w = tensor(ins, 1);
    const [rows, outputs] = out.shape as [number, number];
    const features = x.shape[1]!;
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < outputs; o++) {
        let sum = ins[2] ? ins[2].data[o]! : 0;
        for (let k = 0; k < features; k++) sum += x.data[n * features + k]! * w.data[o * features + k]!;
        out.data[n * outputs + o] = attrs.relu ? relu(sum) : sum;
      }
  },
  vjp(g, node, ct, needs) {
    const [x, w, bias] = node.in as [Value, Value, Value | null];
    const dy = node.attrs.relu ? g.node("reluGrad", [ct, node.out], {}) : ct;
    return [
      needs[0] ? g.node("linearInputGrad", [dy, w, null, null], {}) : null,
      needs[1] ? g.node("linearWeightGrad", [x, dy], {}) : null,
      needs[2] && bias !== null ? g.node("channelSum", [dy], {}) : null,
    ];
  },
  macs: (ins) => (ins[1]!.shape[0] as number) * (ins[1]!.shape[1] as number),
  encode: (attrs) => [Number(attrs.relu)],
};

/** dy [N,O] · weight [O,K] → [N,K], with the epilogue of `conv2dInputGrad`: optional residual and ReLU mask. */
export const linearInputGrad: OpDef<NoAttrs> = {
  name: "linearInputGrad",
  kind: "map",
  infer(ins) {
    const dy = need("linearInputGrad", ins, 0, "an output gradient");
    const weight = need("linearInputGrad", ins, 1, "a weight");
    expectRank("linearInputGrad", dy, 2, "output gradient");
    expectRank("linearInputGrad", weight, 2, "weight");
    expectSpecs("linearInputGrad", dy.shape[1] === weight.shape[0], "gradient columns = weight rows", { dy, weight });
    const out = f32(dy.shape[0]!, weight.shape[1]!);
    for (const extra of [ins[2] ?? null, ins[3] ?? null]) {
      expectSpecs("linearInputGrad", extra === null || sameSpec(extra, out), `residual or mask ${formatSpec(out)}`, {
        extra,
      });
    }
    return out;
  },
  reference(ins, _attrs, out) {
    const dy = tensor(ins, 0);
    const w = tensor(ins, 1);
    const [rows, features] = out.shape as [number, number];
    const outputs = dy.shape[1]!;
    for (let n = 0; n < rows; n++)
      for (let o = 0; o < outputs; o++)
        for (let k = 0; k < features; k++)
          out.data[n * features + k]! += dy.data[n * outputs + o]! * w.data[o * features + k]!;
    addAndMask(ins[2], ins[3], out);
  },
  macs: (ins) => (ins[1]!.shape[0] as number) * (ins[1]!.shape[1] as number),
};

/** Σ over the batch of dyᵀ · x: x [N,K], dy [N,O] → [O,K]. */
export const linearWeightGrad: OpDef<NoAttrs> = {
  name: "linearWeightGrad",
  kind: "reduce",
  infer(ins) {
    const x = need("linearWeightGrad", ins, 0, "an input");
    const dy = need("linearWeightGrad", ins, 1, "an output gradient");
    expectRank("linearWeightGrad", x, 2, "input");
    expectRank("linearWeightGrad", dy, 2, "output gradient");
    return f32(dy.shape[1]!, x.shape[1]!);
  },
  reference(ins, _attrs, out) {
    const x = tensor(ins, 0);
    const dy = tensor(ins, 1);
    const [outputs, features] = out.shape as [number, number];
    for (let n = 0; n < x.shape[0]!; n++)
      for (let o = 0; o < outputs; o++)
        for (let k = 0; k < features; k++)
          out.data[o * features + k]! += dy.data[n * outputs + o]! * x.data[n * features + k]!;
  },
  macs: (ins) => (ins[0]!.shape[1] as number) * (ins[1]!.shape[1] as number),
};
