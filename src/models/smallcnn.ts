import type { ExitModel } from "../nn/exit-model.js";
import { zeros } from "../nn/init.js";
import { conv2d, dropout, flatten, linear, maxPool2d, relu, sequential, type Layer } from "../nn/layers.js";
import { branched } from "./branched.js";

/** Of the hidden linear layers, while training; the rate of the original SmallCNN. */
const DROPOUT = 0.5;

/** The trunk up to where exit 1 branches off, from there to exit 2, and the rest. Convolutions are unpadded. */
const stages = (classes: number): readonly Layer[] => [
  sequential(conv2d("conv1", 1, 32, { kernel: 3 }), relu),
  sequential(conv2d("conv2", 32, 32, { kernel: 3 }), relu, maxPool2d(2), conv2d("conv3", 32, 64, { kernel: 3 }), relu),
  sequential(
    conv2d("conv4", 64, 64, { kernel: 3 }),
    relu,
    maxPool2d(2),
    flatten,
    linear("fc1", 1024, 200),
    relu,
    dropout(DROPOUT, 1),
    linear("fc2", 200, 200),
    relu,
    // The authors start from a zero last layer.
    linear("fc3", 200, classes, zeros),
  ),
];

/** Parameter names are the authors', so that checkpoints of theirs fit. There is no ReLU inside the branches. */
const branches = (classes: number): readonly Layer[] => [
  sequential(
    conv2d("branch_layer1.0", 32, 16, { kernel: 3, stride: 2 }),
    maxPool2d(2),
    flatten,
    linear("branch_layer1.3", 576, 200),
    dropout(DROPOUT, 2),
    linear("branch_layer1.5", 200, 200),
    linear("branch_layer1.6", 200, classes),
  ),
  sequential(
    maxPool2d(2),
    flatten,
    linear("branch_layer2.2", 1600, 200),
    dropout(DROPOUT, 3),
    linear("branch_layer2.4", 200, 200),
    linear("branch_layer2.5", 200, classes),
  ),
];

/** The network for 28×28 digits (Carlini & Wagner's, as TRADES has it), with two early exits (Hu et al., "Triple Wins", ICLR 2020), and without. */
export function smallCnns(classes = 10): [ExitModel, ExitModel] {
  return branched({
    name: "smallcnn",
    classes,
    inputShape: [1, 28, 28],
    stages: stages(classes),
    branches: branches(classes),
  });
}

export const [rdiSmallcnn, smallcnn] = smallCnns();
