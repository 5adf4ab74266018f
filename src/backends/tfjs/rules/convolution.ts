import type { ConvAttrs } from "../../../ops/conv2d.js";
import type { Spec } from "../../../ops/spec.js";
import type { ProgramWriter, Ref, Tf, TfTensor } from "../program.js";
import { addAndMask, EPILOGUE_KERNELS } from "./epilogue.js";
import { input, optional, type Rules } from "./rule.js";

type Tensor4 = [number, number, number, number];
type Conv = Parameters<Tf["conv2d"]>;
type Images = Conv[0];
type Filter = Conv[1];

const KERNELS = ["Conv2D", "DepthwiseConv2dNative", "Slice", "Concat"];

/** What comes before and after the sums of a convolution. */
interface Around {
  readonly stride: number;
  readonly padding: number;
  readonly bias?: TfTensor | null;
  readonly relu?: boolean;
}

/**
 * A convolution of images [N,H,W,C], in groups. The filter is [kh,kw,C/groups,O], or for `depthwise`, a group for each channel, [kh,kw,C,1].
 */
function convolve(tf: Tf, x: TfTensor, filter: TfTensor, groups: number, around: Around): TfTensor {
  const { stride: strides, padding: pad, bias = null, relu = false } = around;
  const shape = filter.shape as Tensor4;
  if (groups === 1 || isDepthwise(x, shape, groups)) {
    const [plain, fused] = groups === 1 ? [tf.conv2d, tf.fused.conv2d] : [tf.depthwiseConv2d, tf.fused.depthwiseConv2d];
    if (bias === null && !relu) return plain(x as Images, filter as Filter, strides, pad);
    const activation = relu ? "relu" : "linear";
    const given = { x: x as Images, filter: filter as Filter, strides, pad, activation } as const;
    return fused(bias === null ? given : { ...given, bias });
  }
  const outputs = shape[3] / groups;
  const parts = Array.from({ length: groups }, (_, g) => {
    const part = tf.slice(filter, [0, 0, 0, g * outputs], [-1, -1, -1, outputs]);
    const its = bias === null ? null : tf.slice(bias, [g * outputs], [outputs]);
    return convolve(tf, channels(tf, x, g, groups), part, 1, { ...around, bias: its });
  });
  return tf.concat(parts, 3);
}

function isDepthwise(x: TfTensor, [, , inputs, outputs]: Tensor4, groups: number): boolean {
  return inputs === groups && outputs === 1 && x.shape[3] === groups;
}

/** The channels of one group. */
function channels(tf: Tf, x: TfTensor, group: number, groups: number): TfTensor {
  const count = x.shape[3]! / groups;
  return tf.slice(x, [0, 0, 0, group * count], [-1, -1, -1, count]);
}

/** The filter of the forward pass of a weight [O,C/groups,kh,kw]; once for all that use it. */
function forwardFilter(program: ProgramWriter, weight: Ref, { shape }: Spec, groups: number): Ref {
  const depthwise = groups > 1 && shape[0] === groups && shape[1] === 1;
  return program.shared(`forward filter ${weight} ${depthwise}`, () =>
    program.call([weight], ([w]) => program.tf.transpose(w, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0])),
  );
}

/** That of the input gradient, which is a convolution with the kernel turned by half a circle, and inputs and outputs exchanged within a group. */
function backwardFilter(program: ProgramWriter, weight: Ref, { shape }: Spec, groups: number): Ref {
  const [outputs, inputs] = shape as Tensor4;
  const depthwise = groups > 1 && outputs === groups && inputs === 1;
  const { tf } = program;
  return program.shared(`backward filter ${weight} ${depthwise || groups}`, () =>
    program.call([weight], ([w]) => {
      const turned = tf.transpose(tf.reverse(w, [2, 3]), [2, 3, 0, 1]);
      if (depthwise || groups === 1) return turned;
      // Convolve takes the groups from the last axis.
      const perGroup = outputs / groups;
      return tf.concat(
        Array.from({ length: groups }, (_, g) => tf.slice(turned, [0, 0, g * perGroup, 0], [-1, -1, perGroup, -1])),
        3,
      );
    }),
  );
}

/** Images [N,H,W,C] with stride − 1 rows and columns of zeros after each: [N,H·stride,W·stride,C]. */
export function spread(tf: Tf, x: TfTensor, stride: number): TfTensor {
  if (stride === 1) return x;
  const [n, h, w, c] = x.shape as Tensor4;
  const behind = (rows: number, length: number, of: TfTensor): TfTensor =>
    tf.pad(tf.reshape(of, [rows, length]), [
      [0, 0],
      [0, (stride - 1) * length],
    ]);
  return tf.reshape(behind(n * h * stride * w, c, behind(n * h, w * c, x)), [n, h * stride, w * stride, c]);
}

/** The inverse: every stride-th row and column. StridedSlice takes twenty times as long. */
function thin(tf: Tf, x: TfTensor, stride: number): TfTensor {
  if (stride === 1) return x;
  const [n, height, width, c] = x.shape as Tensor4;
  const [h, w] = [height / stride, width / stride];
  const first = (rows: number, length: number, of: TfTensor): TfTensor =>
    tf.slice(tf.reshape(of, [rows, stride * length]), [0, 0], [rows, length]);
  return tf.reshape(first(n * h * w, c, first(n * h, width * c, x)), [n, h, w, c]);
}

/** The window of an image that begins at (top, left) and has the given size; beyond the image it has `value`. */
export function view(
  tf: Tf,
  x: TfTensor,
  [top, left]: readonly [number, number],
  [height, width]: readonly [number, number],
  value = 0,
): TfTensor {
  const [n, h, w, c] = x.shape as Tensor4;
  const beyond = (start: number, size: number, length: number): [number, number] => [
    Math.max(0, -start),
    Math.max(0, start + size - length),
  ];
  const [rows, columns] = [beyond(top, height, h), beyond(left, width, w)];
  const padded = [...rows, ...columns].some((count) => count > 0)
    ? tf.pad(x, [[0, 0], rows, columns, [0, 0]], value)
    : x;
  if (padded.shape[1] === height && padded.shape[2] === width) return padded;
  return tf.slice(padded, [0, Math.max(0, top), Math.max(0, left), 0], [n, height, width, c]);
}

export const VIEW_KERNELS = ["PadV2", "Slice", "Reshape"];

/** The gradient of a convolution's input of that size, with the filter of `backwardFilter`. */
export function inputGradient(
  tf: Tf,
  dy: TfTensor,
  filter: TfTensor,
  { stride, padding, groups }: Pick<ConvAttrs, "stride" | "padding" | "groups">,
  [height, width]: readonly [number, number],
): TfTensor {
  const [kh, kw] = filter.shape as Tensor4;
  const padded = view(
    tf,
    spread(tf, dy, stride),
    [padding + 1 - kh, padding + 1 - kw],
    [height + kh - 1, width + kw - 1],
  );
  return convolve(tf, padded, filter, groups, { stride: 1, padding: 0 });
}

/**
 * The gradient of a weight, [O,C,kh,kw], without groups. TensorFlow.js's WebAssembly has no kernel for it, but it is a convolution as well: of images that
 * are channels and channels that are images, with the output's gradient as a filter, dilated by the stride.
 */
function weightGradient(
  tf: Tf,
  x: TfTensor,
  dy: TfTensor,
  { stride, padding }: ConvAttrs,
  [kh, kw]: readonly [number, number],
): TfTensor {
  const images = tf.transpose(x, [3, 1, 2, 0]) as Images;
  const filter = tf.transpose(dy, [1, 2, 0, 3]) as Filter;
  const all = tf.conv2d(images, filter, 1, padding, "NHWC", stride);
  // Where the stride leaves a rest of the image, there are more taps than the kernel has.
  return tf.transpose(view(tf, all, [0, 0], [kh, kw]), [3, 0, 1, 2]);
}

/** `weightGradient` with a group for each channel on both sides: [C,1,kh,kw]. */
function depthwiseWeightGradient(
  tf: Tf,
  x: TfTensor,
  dy: TfTensor,
  attrs: ConvAttrs,
  [kh, kw]: readonly [number, number],
): TfTensor {
  const [, h, w, c] = dy.shape as Tensor4;
  const sums = taps(tf, x, [kh, kw], attrs, [h, w], 0).map((tap) => tf.sum(tf.mul(tap, dy), [0, 1, 2]));
  return tf.reshape(tf.transpose(tf.reshape(tf.concat(sums), [kh * kw, c])), [c, 1, kh, kw]);
}

/** For each place of a kernel, row by row, the elements of x that it meets on its way to an output of that size; `value` beyond the borders. */
export function taps(
  tf: Tf,
  x: TfTensor,
  [kh, kw]: readonly [number, number],
  { stride, padding }: Pick<ConvAttrs, "stride" | "padding">,
  [height, width]: readonly [number, number],
  value: number,
): TfTensor[] {
  return Array.from({ length: kh * kw }, (_, tap) => {
    const start = [Math.floor(tap / kw) - padding, (tap % kw) - padding] as const;
    return thin(tf, view(tf, x, start, [height * stride, width * stride], value), stride);
  });
}

export const convolutionRules: Rules<"conv2d" | "conv2dInputGrad" | "conv2dWeightGrad"> = {
  conv2d: {
    kernels: [...KERNELS, "FusedConv2D", "FusedDepthwiseConv2D", "Transpose", "Add", "Relu"],
    write(program, node) {
      const { stride, padding, groups, relu } = node.attrs;
      const filter = forwardFilter(program, input(node, 1), node.inSpecs[1]!, groups);
      const { tf } = program;
      return program.call([input(node, 0), filter, optional(node, 2), optional(node, 3)], ([x, w, bias, residual]) => {
        const early = relu && residual === null;
        const y = convolve(tf, x, w, groups, { stride, padding, bias, relu: early });
        const sum = residual === null ? y : tf.add(y, residual);
        return relu && !early ? tf.relu(sum) : sum;
      });
    },
  },
  conv2dInputGrad: {
    kernels: [...KERNELS, ...VIEW_KERNELS, "Transpose", "Reverse", ...EPILOGUE_KERNELS],
    write(program, node) {
      const { attrs } = node;
      const filter = backwardFilter(program, input(node, 1), node.inSpecs[1]!, attrs.groups);
      const { tf } = program;
      return program.call([input(node, 0), filter, optional(node, 2), optional(node, 3)], ([dy, w, residual, mask]) =>
        addAndMask(tf, inputGradient(tf, dy, w, attrs, attrs.size), residual, mask),
      );
    },
  },
  conv2dWeightGrad: {
    kernels: ["Conv2D", ...VIEW_KERNELS, "Transpose", "Multiply", "Sum", "Concat"],
    write(program, node) {
      const { attrs } = node;
      const { groups, kernel } = attrs;
      const { tf } = program;
      return program.call([input(node, 0), input(node, 1)], ([x, dy]) => {
        if (groups === 1) return weightGradient(tf, x, dy, attrs, kernel);
        if (x.shape[3] === groups && dy.shape[3] === groups) return depthwiseWeightGradient(tf, x, dy, attrs, kernel);
        return tf.concat(
          Array.from({ length: groups }, (_, g) =>
            weightGradient(tf, channels(tf, x, g, groups), channels(tf, dy, g, groups), attrs, kernel),
          ),
        );
      });
    },
  },
};
