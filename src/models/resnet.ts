import type { ExitModel } from "../nn/exit-model.js";
import type { Initializer } from "../nn/init.js";
import {
  avgPool2d,
  batchNorm2d,
  conv2d,
  flatten,
  identity,
  linear,
  maxPool2d,
  relu,
  sequential,
  sum,
  type Layer,
} from "../nn/layers.js";
import { imageElements } from "../ops/spec.js";
import { branched } from "./branched.js";

/** The channels of the three groups of blocks. */
const CHANNELS = [16, 32, 64] as const;

/** Normal with standard deviation √(2 / (k² · outputs)): He et al.'s for backward passes, which the authors start residual networks from. */
const fanOutNormal: Initializer = (spec, random) => {
  const [outputs, , height, width] = spec.shape as [number, number, number, number];
  const deviation = Math.sqrt(2 / (height * width * outputs));
  return Float32Array.from({ length: imageElements(spec) }, () => deviation * random.normal());
};

function convolution(name: string, inputs: number, outputs: number, kernel: number, stride = 1): Layer {
  return conv2d(name, inputs, outputs, { kernel, stride, padding: (kernel - 1) / 2, bias: false, init: fanOutNormal });
}

/** A basic block; where the size or the channels change, a 1×1 convolution takes the shortcut along. */
function basicBlock(name: string, inputs: number, outputs: number, stride: number): Layer {
  const residual = sequential(
    convolution(`${name}.conv1`, inputs, outputs, 3, stride),
    batchNorm2d(`${name}.bn1`, outputs),
    relu,
    convolution(`${name}.conv2`, outputs, outputs, 3),
    batchNorm2d(`${name}.bn2`, outputs),
  );
  const shortcut =
    stride === 1 && inputs === outputs
      ? identity
      : sequential(
          convolution(`${name}.downsample.0`, inputs, outputs, 1, stride),
          batchNorm2d(`${name}.downsample.1`, outputs),
        );
  return sequential(sum(residual, shortcut), relu);
}

/** The backbone, cut after the blocks that exits follow: the stem and what comes before the first exit, …, and the rest with its classifier. */
function stages(blocks: number, exitBlocks: readonly number[], classes: number): Layer[] {
  const cut: Layer[] = [];
  let layers: Layer[] = [convolution("conv1", 3, CHANNELS[0], 3), batchNorm2d("bn1", CHANNELS[0]), relu];
  CHANNELS.forEach((channels, group) => {
    for (let block = 0; block < blocks; block++) {
      const first = block === 0 && group > 0;
      const inputs = first ? CHANNELS[group - 1]! : channels;
      layers.push(basicBlock(`group${group}_layer${block}`, inputs, channels, first ? 2 : 1));
      if (!exitBlocks.includes(block)) continue;
      cut.push(sequential(...layers));
      layers = [];
    }
  });
  return [...cut, sequential(...layers, avgPool2d(8), flatten, linear("fc", CHANNELS[2], classes))];
}

/** The branch of early exit 1 … 6; parameter names are the authors', so that checkpoints of theirs fit. */
function branch(exit: number, classes: number): Layer {
  const name = `branch_layer${exit}`;
  if (exit <= 2) {
    return sequential(
      maxPool2d(2),
      convolution(`${name}.1`, 16, 64, 5),
      batchNorm2d(`${name}.2`, 64),
      relu,
      maxPool2d(2),
      convolution(`${name}.5`, 64, 32, 3),
      batchNorm2d(`${name}.6`, 32),
      avgPool2d(8),
      flatten,
      linear(`${name}.9`, 32, classes),
    );
  }
  if (exit <= 4)
    return sequential(
      maxPool2d(2),
      basicBlock(`${name}.1`, 32, 32, 1),
      avgPool2d(8),
      flatten,
      linear(`${name}.4`, 32, classes),
    );
  return sequential(avgPool2d(8), flatten, linear(`${name}.2`, 64, classes));
}

/** Blocks of each group, by depth. */
const DEPTHS: readonly (readonly [depth: number, blocks: number])[] = [
  [38, 6],
  [74, 12],
  [110, 18],
  [152, 25],
];

/**
 * The residual networks for 32×32 images (He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2), with six early exits (Hu et al.,
 * "Triple Wins", ICLR 2020): in each of the three groups of n blocks one after block index ⌊n/4⌋ and one after ⌊3n/4⌋; and without.
 */
export function resNets(classes = 10): ExitModel[] {
  return DEPTHS.flatMap(([depth, blocks]) =>
    branched({
      name: `resnet${depth}`,
      classes,
      inputShape: [3, 32, 32],
      stages: stages(blocks, [Math.floor(blocks / 4), Math.floor((3 * blocks) / 4)], classes),
      branches: [1, 2, 3, 4, 5, 6].map((exit) => branch(exit, classes)),
    }),
  );
}
