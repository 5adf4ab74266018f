import type { ExitModel } from "../nn/exit-model.js";
import { linearUniform } from "../nn/init.js";
import {
  avgPool2d,
  batchNorm2d,
  conv2d,
  flatten,
  identity,
  linear,
  relu,
  sequential,
  sum,
  type ConvOptions,
  type Layer,
} from "../nn/layers.js";
import { branched } from "./branched.js";

/** Expansion, channels, blocks and the first one's stride, of each stage; the strides are those for 32×32 images. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 1],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

const STEM_CHANNELS = 32;
/** The width does not narrow the last convolution (Sandler et al., section 6). */
const LAST_CHANNELS = 1280;
const EXPANSION = 6;

/** The layers after which exits leave; the stem is layer 1, the inverted residuals are layers 2 … 18. */
const EXIT_LAYERS = [2, 5, 8, 10, 13, 16];

/** Without bias, and with PyTorch's default initial weights. */
function convolution(name: string, inputs: number, outputs: number, options: ConvOptions): Layer {
  return conv2d(name, inputs, outputs, { ...options, bias: false, init: linearUniform() });
}

interface Block {
  readonly inputs: number;
  readonly outputs: number;
  readonly expansion: number;
  readonly stride: number;
}

/** An inverted residual; where its stride is 1 but the channels change, a 1×1 convolution takes the shortcut along. */
function invertedResidual(name: string, { inputs, outputs, expansion, stride }: Block): Layer {
  const inner = expansion * inputs;
  const residual = sequential(
    convolution(`${name}.conv1`, inputs, inner, { kernel: 1 }),
    batchNorm2d(`${name}.bn1`, inner),
    relu,
    convolution(`${name}.conv2`, inner, inner, { kernel: 3, stride, padding: 1, groups: inner }),
    batchNorm2d(`${name}.bn2`, inner),
    relu,
    convolution(`${name}.conv3`, inner, outputs, { kernel: 1 }),
    batchNorm2d(`${name}.bn3`, outputs),
  );
  if (stride !== 1) return residual;
  const shortcut =
    inputs === outputs
      ? identity
      : sequential(
          convolution(`${name}.shortcut.0`, inputs, outputs, { kernel: 1 }),
          batchNorm2d(`${name}.shortcut.1`, outputs),
        );
  return sum(residual, shortcut);
}

/** The inverted residuals of the backbone, layers 2 … 18. */
function blocks(scaled: (channels: number) => number): Block[] {
  let inputs = scaled(STEM_CHANNELS);
  return STAGES.flatMap(([expansion, channels, count, firstStride]) =>
    Array.from({ length: count }, (_, i): Block => {
      const block = { inputs, outputs: scaled(channels), expansion, stride: i === 0 ? firstStride : 1 };
      inputs = block.outputs;
      return block;
    }),
  );
}

/** Average pooling to one pixel and the classifier, numbered as in the authors' branches. */
function head(name: string, size: number, channels: number, classes: number): Layer {
  return sequential(avgPool2d(size), flatten, linear(name, channels, classes));
}

/** The backbone, cut where exits leave. */
function stages(scaled: (channels: number) => number, classes: number): Layer[] {
  const stem = scaled(STEM_CHANNELS);
  const trunk = blocks(scaled);
  const cut: Layer[] = [];
  let layers: Layer[] = [convolution("layer1", 3, stem, { kernel: 3, padding: 1 }), batchNorm2d("bn1", stem), relu];
  trunk.forEach((block, i) => {
    const number = i + 2;
    layers.push(invertedResidual(`layer${number}`, block));
    if (!EXIT_LAYERS.includes(number)) return;
    cut.push(sequential(...layers));
    layers = [];
  });
  const last = sequential(
    ...layers,
    convolution("layer19", trunk.at(-1)!.outputs, LAST_CHANNELS, { kernel: 1 }),
    batchNorm2d("bn2", LAST_CHANNELS),
    relu,
    head("linear", 4, LAST_CHANNELS, classes),
  );
  return [...cut, last];
}

/** The six branches; parameter names are the authors', so that checkpoints of theirs fit. */
function branches(scaled: (channels: number) => number, classes: number): Layer[] {
  const block = (name: string, inputs: number, outputs: number): Layer =>
    invertedResidual(name, { inputs, outputs, expansion: EXPANSION, stride: 2 });
  const [c16, c32, c64] = [scaled(16), scaled(32), scaled(64)];
  return [
    sequential(
      block("branch_layer1.0", c16, c32),
      batchNorm2d("branch_layer1.1", c32),
      relu,
      block("branch_layer1.3", c32, c64),
      batchNorm2d("branch_layer1.4", c64),
      head("branch_layer1.7", 8, c64, classes),
    ),
    sequential(block("branch_layer2.0", c32, c32), head("branch_layer2.3", 8, c32, classes)),
    head("branch_layer3.2", 8, c64, classes),
    head("branch_layer4.2", 8, c64, classes),
    head("branch_layer5.2", 8, scaled(96), classes),
    head("branch_layer6.2", 4, scaled(160), classes),
  ];
}

/** What the channels of all layers but the last convolution are multiplied by, by name. */
const WIDTHS: readonly (readonly [name: string, width: number])[] = [
  ["mobilenetv2", 1],
  ["mobilenetv2-075", 0.75],
];

/** MobileNetV2 for 32×32 images (Sandler et al., "MobileNetV2", CVPR 2018), with six early exits (Hu et al., "Triple Wins", ICLR 2020), and without. */
export function mobileNets(classes = 10): ExitModel[] {
  return WIDTHS.flatMap(([name, width]) => {
    const scaled = (channels: number): number => Math.round(width * channels);
    return branched({
      name,
      classes,
      inputShape: [3, 32, 32],
      stages: stages(scaled, classes),
      branches: branches(scaled, classes),
      ignoredWeights: ["conv2.weight"],
    });
  });
}
