import { expectSpecs, need, tensor, type NoAttrs, type OpDef } from "./op.js";
import { i32, imageElements, isPerImage, sameSpec, type Spec } from "./spec.js";

/**
 * Whether one bit an element can stand for a ReLU's output [N,C,H,W] in its gradient: kernels read the bits of a pixel in pieces of up to 16, and images
 * begin at whole words.
 */
export function takesMaskBits(spec: Spec): boolean {
  return (
    isPerImage(spec) && spec.shape.length === 4 && Number(spec.shape[1]) % 16 === 0 && imageElements(spec) % 32 === 0
  );
}

/** Whether `bits` has the spec of `positiveBits` of a value of the spec `of`. */
export function isMaskOf(bits: Spec, of: Spec): boolean {
  return sameSpec(bits, maskSpec(of));
}

function maskSpec(of: Spec): Spec {
  return i32("N", imageElements(of) / 32);
}

/** Bit `i` of words of 32 bits, the lowest first. */
export function bitAt(words: ArrayLike<number>, i: number): boolean {
  return ((words[i >> 5]! >> (i & 31)) & 1) === 1;
}

/**
 * One bit an element, set where it is positive: x [N,C,H,W] → [N,C·H·W/32] i32. It is all that the gradient of a ReLU needs of its output. The order of the
 * bits is that of the elements in the backend's memory.
 */
export const positiveBits: OpDef<NoAttrs> = {
  name: "positiveBits",
  kind: "map",
  infer(ins) {
    const x = need("positiveBits", ins, 0, "an input");
    expectSpecs(
      "positiveBits",
      x.dtype === "f32" && takesMaskBits(x),
      "an f32 input [N,C,H,W] with C a multiple of 16 and C·H·W of 32",
      { x },
    );
    return maskSpec(x);
  },
  reference(ins, _attrs, out) {
    const x = tensor(ins, 0).data;
    for (let i = 0; i < x.length; i++) if (x[i]! > 0) out.data[i >> 5]! |= 1 << (i & 31);
  },
};
