import type { Ref, ProgramWriter } from "../program.js";
import { inputGradient, spread, taps, view, VIEW_KERNELS } from "./convolution.js";
import { input, type Rules } from "./rule.js";

/**
 * The filter of a mean over a window, of each channel alone. TensorFlow.js's AvgPool leaves what is beyond the border out of the mean, and makes −∞ of NaN, so
 * that means are depthwise convolutions here.
 */
function meanFilter(program: ProgramWriter, kernel: number, channels: number): Ref {
  const shape: [number, number, number, number] = [kernel, kernel, channels, 1];
  return program.shared(`mean ${shape.join()}`, () => program.call([], () => program.tf.fill(shape, 1 / kernel ** 2)));
}

export const poolRules: Rules<"maxPool2d" | "maxPool2dGrad" | "avgPool2d" | "avgPool2dGrad"> = {
  maxPool2d: {
    kernels: ["MaxPool"],
    write: (program, node) =>
      program.call([input(node, 0)], ([x]) => {
        const { kernel, stride, padding } = node.attrs;
        return program.tf.maxPool(x as Parameters<typeof program.tf.maxPool>[0], kernel, stride, padding);
      }),
  },
  // TensorFlow.js's MaxPoolGrad is wrong on WebAssembly (4.22). Here each place of the window takes what of the gradient the places before it have left.
  maxPool2dGrad: {
    kernels: [...VIEW_KERNELS, "Maximum", "Equal", "Cast", "Multiply", "Sub", "Add"],
    write(program, node) {
      const { tf } = program;
      const { kernel, stride, padding, size } = node.attrs;
      return program.call([input(node, 0), input(node, 1)], ([dy, x]) => {
        const [, h, w] = dy.shape as [number, number, number, number];
        const places = taps(tf, x, [kernel, kernel], node.attrs, [h, w], -Infinity);
        const largest = places.reduce((a, b) => tf.maximum(a, b));
        let left = dy;
        return places
          .map((place, tap) => {
            const taken = tf.mul(left, tf.cast(tf.equal(place, largest), "float32"));
            left = tf.sub(left, taken);
            const [row, column] = [Math.floor(tap / kernel), tap % kernel];
            return view(tf, spread(tf, taken, stride), [padding - row, padding - column], size);
          })
          .reduce((a, b) => tf.add(a, b));
      });
    },
  },
  avgPool2d: {
    kernels: ["DepthwiseConv2dNative", "Fill"],
    write(program, node) {
      const { kernel, stride, padding } = node.attrs;
      const filter = meanFilter(program, kernel, node.out.shape[1] as number);
      const { tf } = program;
      type Depthwise = Parameters<typeof tf.depthwiseConv2d>;
      return program.call([input(node, 0), filter], ([x, w]) =>
        tf.depthwiseConv2d(x as Depthwise[0], w as Depthwise[1], stride, padding),
      );
    },
  },
  avgPool2dGrad: {
    kernels: ["DepthwiseConv2dNative", "Conv2D", "Fill", ...VIEW_KERNELS],
    write(program, node) {
      const channels = node.out.shape[1] as number;
      const { kernel, stride, padding, size } = node.attrs;
      const filter = meanFilter(program, kernel, channels);
      return program.call([input(node, 0), filter], ([dy, w]) =>
        inputGradient(program.tf, dy, w, { stride, padding, groups: channels }, size),
      );
    },
  },
};
