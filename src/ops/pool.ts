import { ShapeError } from "../util/errors.js";
import { expectRank, expectSpecs, need, tensor, type OpDef } from "./op.js";
import { f32, formatSpec, sameSpec, type Spec } from "./spec.js";

/** A square window; padding counts as −∞ for max pooling, and as zero, included in the mean, for average pooling. */
export interface PoolAttrs {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

export interface PoolGradAttrs extends PoolAttrs {
  /** Height and width of the forward input. */
  readonly size: readonly [number, number];
}

function pooledSpec(op: string, x: Spec, attrs: PoolAttrs): Spec {
  expectRank(op, x, 4, "input");
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const size = (length: number): number => {
    const out = Math.floor((length + 2 * attrs.padding - attrs.kernel) / attrs.stride) + 1;
    if (out < 1 || attrs.padding * 2 > attrs.kernel) {
      throw new ShapeError(
        op,
        `Expected a window no larger than the input and padding of at most half the window, got input ${formatSpec(x)}, kernel ${attrs.kernel}, padding ${attrs.padding}`,
      );
    }
    return out;
  };
  return f32(n, c, size(h), size(w));
}

/** Calls `visit` for each window (flat output index) with the flat input indices it covers, in row-major order. */
function eachWindow(
  x: readonly number[],
  y: readonly number[],
  attrs: PoolAttrs,
  visit: (yi: number, window: readonly number[]) => void,
): void {
  const [, , h, w] = x as [number, number, number, number];
  const [n, c, oh, ow] = y as [number, number, number, number];
  const window: number[] = [];
  for (let plane = 0; plane < n * c; plane++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++) {
        window.length = 0;
        for (let i = 0; i < attrs.kernel; i++)
          for (let j = 0; j < attrs.kernel; j++) {
            const row = p * attrs.stride + i - attrs.padding;
            const col = q * attrs.stride + j - attrs.padding;
            if (row >= 0 && row < h && col >= 0 && col < w) window.push((plane * h + row) * w + col);
          }
        visit((plane * oh + p) * ow + q, window);
      }
}

const encode = ({ kernel, stride, padding }: PoolAttrs): number[] => [kernel, stride, padding];

export const maxPool2d: OpDef<PoolAttrs> = {
  name: "maxPool2d",
  kind: "map",
  infer: (ins, attrs) => pooledSpec("maxPool2d", need("maxPool2d", ins, 0, "an input"), attrs),
  reference(ins, attrs, out) {
    const x = tensor(ins, 0);
    eachWindow(x.shape, out.shape, attrs, (yi, window) => {
      out.data[yi] = x.data[firstMaximum(x.data, window)]!;
    });
  },
  vjp(g, node, ct) {
    const x = node.in[0]!;
    const [, , h, w] = g.spec(x).shape as [number, number, number, number];
    return [g.node("maxPool2dGrad", [ct, x], { ...node.attrs, size: [h, w] })];
  },
  encode,
};

/** The first maximum in row-major order, which is where PyTorch sends the gradient of a tie. */
function firstMaximum(data: ArrayLike<number>, window: readonly number[]): number {
  let best = window[0]!;
  for (const i of window) if (data[i]! > data[best]!) best = i;
  return best;
}

/** dy, x (the forward input) → dx. */
export const maxPool2dGrad: OpDef<PoolGradAttrs> = {
  name: "maxPool2dGrad",
  kind: "map",
  infer(ins, attrs) {
    const dy = need("maxPool2dGrad", ins, 0, "an output gradient");
    const x = need("maxPool2dGrad", ins, 1, "the forward input");
    const pooled = pooledSpec("maxPool2dGrad", x, attrs);
    expectSpecs("maxPool2dGrad", sameSpec(dy, pooled), `output gradient ${formatSpec(pooled)}`, { dy, x });
    return x;
  },
  reference(ins, attrs, out) {
    const dy = tensor(ins, 0);
    const x = tensor(ins, 1);
    eachWindow(x.shape, dy.shape, attrs, (yi, window) => {
      out.data[firstMaximum(x.data, window)]! += dy.data[yi]!;
    });
  },
  encode,
};

export const avgPool2d: OpDef<PoolAttrs> = {
  name: "avgPool2d",
  kind: "map",
  infer: (ins, attrs) => pooledSpec("avgPool2d", need("avgPool2d", ins, 0, "an input"), attrs),
  reference(ins, attrs, out) {
    const x = tensor(ins, 0);
    eachWindow(x.shape, out.shape, attrs, (yi, window) => {
      let sum = 0;
      for (const i of window) sum += x.data[i]!;
      out.data[yi] = sum / attrs.kernel ** 2;
    });
  },
  vjp(g, node, ct) {
    const [, , h, w] = g.spec(node.in[0]!).shape as [number, number, number, number];
    return [g.node("avgPool2dGrad", [ct], { ...node.attrs, size: [h, w] })];
  },
  encode,
};

/** dy → dx of the size in `attrs`. */
export const avgPool2dGrad: OpDef<PoolGradAttrs> = {
  name: "avgPool2dGrad",
  kind: "map",
  infer(ins, attrs) {
    const dy = need("avgPool2dGrad", ins, 0, "an output gradient");
    expectRank("avgPool2dGrad", dy, 4, "output gradient");
    const x = f32(dy.shape[0]!, dy.shape[1]!, ...attrs.size);
    const pooled = pooledSpec("avgPool2dGrad", x, attrs);
    expectSpecs("avgPool2dGrad", sameSpec(dy, pooled), `output gradient ${formatSpec(pooled)}`, { dy });
    return x;
  },
  reference(ins, attrs, out) {
    const dy = tensor(ins, 0);
    eachWindow(out.shape, dy.shape, attrs, (yi, window) => {
      for (const i of window) out.data[i]! += dy.data[yi]! / attrs.kernel ** 2;
    });
  },
  encode,
};
