import { philox4x32, unitFloat } from "../util/random.js";
import { expectSpecs, float, need, tensor, type OpDef, type ReferenceTensor } from "./op.js";
import { f32, i32, isPerImage, sameSpec, type Shape, type Spec } from "./spec.js";

/**
 * Random values depend only on (seed, image id, stream, element): never on the batch an image is in, nor on the thread that draws them.
 * Element e of an image, in NCHW order, is lane e mod 4 of Philox's block with counter (⌊e/4⌋, id, stream, 0) and the seed as key.
 */
function forEachUniform(
  seed: ReferenceTensor,
  ids: ReferenceTensor,
  stream: number,
  row: number,
  visit: (i: number, u: number) => void,
): void {
  const key = { lo: seed.data[0]!, hi: seed.data[1]! };
  const block = new Uint32Array(4);
  for (let n = 0; n < ids.data.length; n++) {
    for (let e = 0; e < row; e++) {
      if (e % 4 === 0) philox4x32([e / 4, ids.data[n]!, stream, 0], key, block);
      visit(n * row + e, unitFloat(block[e % 4]!));
    }
  }
}

function checkSeedAndIds(op: string, ins: readonly (Spec | null)[], first: number): void {
  const seed = need(op, ins, first, "a seed");
  const ids = need(op, ins, first + 1, "image ids");
  expectSpecs(op, sameSpec(seed, i32(2)) && sameSpec(ids, i32("N")), "seed [2] i32 and ids [N] i32", { seed, ids });
}

export interface RandomUniformAttrs {
  readonly lo: number;
  readonly hi: number;
  /** Names independent draws under one seed. */
  readonly stream: number;
  readonly shape: Shape;
}

/** Uniform in [lo, hi): seed [2] i32 (low and high word), ids [N] i32 → [N,…]. */
export const randomUniform: OpDef<RandomUniformAttrs> = {
  name: "randomUniform",
  kind: "map",
  infer(ins, attrs) {
    checkSeedAndIds("randomUniform", ins, 0);
    const out = f32(...attrs.shape);
    expectSpecs("randomUniform", isPerImage(out), "a per-image shape", { out });
    return out;
  },
  reference(ins, attrs, out) {
    const lo = Math.fround(attrs.lo);
    const span = Math.fround(attrs.hi - attrs.lo);
    forEachUniform(tensor(ins, 0), tensor(ins, 1), attrs.stream, out.data.length / out.shape[0]!, (i, u) => {
      out.data[i] = Math.fround(lo + Math.fround(span * u));
    });
  },
  encode: (attrs) => [float(attrs.lo), float(attrs.hi), attrs.stream],
};

export interface DropoutAttrs {
  /** The fraction of elements that are zeroed, in [0, 1). */
  readonly rate: number;
  readonly stream: number;
}

/** x with elements zeroed at random and the others divided by 1 − rate: x [N,…], seed [2] i32, ids [N] i32 → [N,…]. */
export const dropout: OpDef<DropoutAttrs> = {
  name: "dropout",
  kind: "map",
  inPlace: true,
  infer(ins, attrs) {
    const x = need("dropout", ins, 0, "an input");
    checkSeedAndIds("dropout", ins, 1);
    expectSpecs("dropout", isPerImage(x) && x.dtype === "f32", "a per-image f32 value", { x });
    expectSpecs("dropout", attrs.rate >= 0 && attrs.rate < 1, "a rate in [0, 1)", { rate: attrs.rate });
    return x;
  },
  reference(ins, attrs, out) {
    const rate = Math.fround(attrs.rate);
    const scale = Math.fround(1 / Math.fround(1 - rate));
    forEachUniform(tensor(ins, 1), tensor(ins, 2), attrs.stream, out.data.length / out.shape[0]!, (i, u) => {
      out.data[i] = u >= rate ? tensor(ins, 0).data[i]! * scale : 0;
    });
  },
  // Linear in x, by the same mask.
  vjp: (g, node, ct, needs) => [
    needs[0] ? g.node("dropout", [ct, node.in[1]!, node.in[2]!], node.attrs) : null,
    null,
    null,
  ],
  encode: (attrs) => [float(attrs.rate), attrs.stream],
};
