import { byteDataset, type Dataset } from "../../src/data/dataset.js";
import { branched } from "../../src/models/branched.js";
import { conv2d, dropout, flatten, linear, maxPool2d, relu, sequential } from "../../src/nn/layers.js";
import { Random } from "../../src/util/random.js";

const shared = { classes: 4, inputShape: [1, 10, 10] as const };

const stages = [
  sequential(conv2d("conv1", 1, 6, { kernel: 3 }), relu),
  sequential(maxPool2d(2), conv2d("conv2", 6, 8, { kernel: 3 }), relu),
  sequential(flatten, linear("fc1", 32, 16), relu, dropout(0.5, 1), linear("fc2", 16, 4)),
];

const branches = [
  sequential(conv2d("branch1.0", 6, 5, { kernel: 3, stride: 2 }), flatten, linear("branch1.1", 45, 4)),
  sequential(flatten, dropout(0.25, 2), linear("branch2", 32, 4)),
];

/** A network with three exits that is small enough for the reference backend. */
export const [tinyModel] = branched({ name: "tiny", ...shared, stages, branches });

export const TINY_ROW = 100;

/** Images whose class is the quadrant that is brighter, with noise. */
export function tinyDataset(length: number, seed = 0): Dataset {
  return byteDataset({
    name: "tiny",
    classes: shared.classes,
    imageShape: shared.inputShape,
    length,
    pixels(index) {
      const random = new Random(seed, index);
      return Uint8Array.from({ length: TINY_ROW }, (_, p) => {
        const quadrant = 2 * Number(p >= TINY_ROW / 2) + Number(p % 10 >= 5);
        return random.uniform(0, 120) + (quadrant === index % 4 ? 100 : 0);
      });
    },
    label: (index) => index % 4,
  });
}

/** Images and labels for the small network, the same in every environment. */
export function tinyBatch(count: number): { images: Float32Array; labels: Int32Array } {
  return {
    images: Float32Array.from({ length: count * TINY_ROW }, (_, i) => ((i * 7919) % 256) / 255),
    labels: Int32Array.from({ length: count }, (_, n) => n % tinyModel.classes),
  };
}
