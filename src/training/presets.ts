import { PAPER_SETTINGS } from "../attacks/index.js";
import type { z } from "zod";
import { parsePreset, type presetSchema, type Preset } from "./preset.js";

const paperAttack = ({ eps, step, trainSteps }: (typeof PAPER_SETTINGS)["mnist" | "cifar10"]) =>
  ({ method: "pgd", form: "average", eps, step, steps: trainSteps }) as const;

/** Of both residual backbones. The authors attack with batch statistics, as their checkpoint's counters of updates show. */
const PAPER_CIFAR10 = {
  iterations: 64_000,
  batchSize: 128,
  learningRate: 0.1,
  schedule: { milestones: [32_000, 48_000], factor: 0.1 },
  momentum: 0.9,
  weightDecay: 1e-4,
  augment: { crop: 4, flip: true },
  attack: paperAttack(PAPER_SETTINGS.cifar10),
  attackMode: "train",
} as const;

/** Recipes by name: those of "Triple Wins" (Hu et al., ICLR 2020), and one that needs no data. */
const RECIPES = {
  "paper-mnist-smallcnn": {
    description: "RDI-SmallCNN on MNIST as in the paper: 13.1k iterations, PGD-40 of ε 0.3",
    dataset: "mnist",
    config: {
      model: "rdi-smallcnn",
      iterations: 13_100,
      batchSize: 256,
      learningRate: 0.033,
      schedule: { milestones: [11_700, 12_900], factor: 0.1 },
      momentum: 0.9,
      weightDecay: 5e-4,
      attack: paperAttack(PAPER_SETTINGS.mnist),
      attackMode: "train",
    },
  },
  "paper-cifar10-resnet38": {
    description: "RDI-ResNet38 on CIFAR-10 as in the paper: 64k iterations, PGD-10 of ε 8/255",
    dataset: "cifar10",
    config: { model: "rdi-resnet38", ...PAPER_CIFAR10 },
  },
  "paper-cifar10-mobilenetv2": {
    description: "RDI-MobileNetV2 on CIFAR-10 as in the paper: 64k iterations, PGD-10 of ε 8/255",
    dataset: "cifar10",
    config: { model: "rdi-mobilenetv2", ...PAPER_CIFAR10 },
  },
  "digits-smallcnn": {
    description: "RDI-SmallCNN on the embedded digits, as the quick start trains it: minutes",
    dataset: "digits",
    config: {
      model: "rdi-smallcnn",
      iterations: 225,
      batchSize: 64,
      learningRate: 0.03,
      schedule: { milestones: [0.7, 0.9], factor: 0.1 },
      validationFraction: 0.02,
      attack: { method: "pgd", form: "average", eps: 0.3, step: 0.1, steps: 5 },
      epsWarmup: 0.4,
    },
  },
} as const satisfies Record<string, DeepReadonly<z.input<typeof presetSchema>>>;

type DeepReadonly<T> = { readonly [K in keyof T]: DeepReadonly<T[K]> };

export type PresetName = keyof typeof RECIPES;

/** The named presets. Each trains the dynamic network on the average form; other settings override them one by one. */
export const presets: ReadonlyMap<string, Preset> = new Map(
  Object.entries(RECIPES).map(([name, recipe]) => [name, parsePreset(recipe, name)]),
);
