import { z } from "zod";
import { attackForm, methodByName, type Attack, type MethodName } from "../attacks/index.js";
import { ArgumentError } from "../util/errors.js";
import { Random } from "../util/random.js";

/** The methods to train with: those that follow gradients. Square would take hundreds of forward passes an image and step. */
export const TRAINING_METHODS = ["pgd", "fgsm", "wrm", "mpgd", "apgd-ce", "apgd-dlr"] as const satisfies MethodName[];

const attackSchema = z.strictObject({
  method: z.enum(TRAINING_METHODS),
  /** `single:I`, `main`, `average`, `max-average` or `slowdown`. */
  form: z.string().default("average"),
  norm: z.enum(["linf", "l2"]).default("linf"),
  eps: z.number().min(0),
  /** Of PGD and momentum PGD: the change in a step. */
  step: z.number().min(0).default(0),
  steps: z.int().min(1).default(1),
  randomStart: z.boolean().default(true),
});

const scheduleSchema = z.strictObject({
  /** Fractions of the run after which the learning rate is multiplied by `factor`. */
  milestones: z.array(z.number().gt(0).lt(1)),
  factor: z.number().positive(),
});

const augmentSchema = z.strictObject({
  /** Pixels of black to pad every side with, before a random part of the old size is taken. */
  crop: z.int().min(0).default(0),
  /** Whether a random half of the images is mirrored. */
  flip: z.boolean().default(false),
});

/** Settings of a training run; the defaults are those of "Triple Wins" (ICLR 2020) for MNIST. */
export const trainConfigSchema = z.strictObject({
  model: z.string(),
  /** Passes over the training images; may be a fraction. */
  epochs: z.number().positive(),
  batchSize: z.int().min(1).default(256),
  learningRate: z.number().positive().default(0.033),
  /** 11.7k and 12.9k of 13.1k iterations. */
  schedule: scheduleSchema.default({ milestones: [11.7 / 13.1, 12.9 / 13.1], factor: 0.1 }),
  momentum: z.number().min(0).lt(1).default(0.9),
  weightDecay: z.number().min(0).default(5e-4),
  /** Null: clean images alone. */
  attack: attackSchema.nullable(),
  /** Whether attacks see the network as while training (with dropout) or as at inference. */
  attackMode: z.enum(["train", "eval"]).default("eval"),
  /** Random changes of the training images, anew in every epoch; none by default. */
  augment: augmentSchema.default({ crop: 0, flip: false }),
  /** The weight of each exit's loss; 1 each if absent. */
  exitWeights: z.array(z.number().min(0)).optional(),
  /** The fraction of the images that is held out, and calibrated on. */
  validationFraction: z.number().gt(0).lt(1).default(0.05),
  seed: z.int().min(0).default(0),
  /** The fraction of the run over which ε (and the step) grow from near 0 to what `attack` says. */
  epsWarmup: z.number().min(0).max(1).default(0),
  /** Iterations between checkpoints, and between lines of the log. */
  checkpointEvery: z.int().min(1).default(200),
  logEvery: z.int().min(1).default(10),
  /** Threads of the backend: what results repeat under, bit for bit. Filled in by the trainer. */
  threads: z.int().min(1).optional(),
});

/** Complete settings. */
export type TrainConfig = z.output<typeof trainConfigSchema>;
/** Settings as they are given: what has a default may be left out. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;

/** Fills in the defaults. @throws ArgumentError that names the settings at fault */
export function parseTrainConfig(input: TrainConfigInput): TrainConfig {
  const result = trainConfigSchema.safeParse(input);
  if (!result.success)
    throw new ArgumentError(
      `Expected training settings in their ranges but received: ${z.prettifyError(result.error)}`,
    );
  const config = result.data;
  if (config.attack !== null) attackAt(config, 0, 1);
  return config;
}

/** The learning rate of iteration 0 … iterations − 1. */
export function learningRateAt({ learningRate, schedule }: TrainConfig, iteration: number, iterations: number): number {
  const passed = schedule.milestones.filter((milestone) => iteration >= milestone * iterations).length;
  return learningRate * schedule.factor ** passed;
}

/** The attack of an iteration, with random starts of its own; undefined where training is on clean images. */
export function attackAt(config: TrainConfig, iteration: number, iterations: number): Attack | undefined {
  if (config.attack === null) return undefined;
  const { method, form, ...settings } = config.attack;
  const warm = config.epsWarmup === 0 ? 1 : Math.min(1, (iteration + 1) / (config.epsWarmup * iterations));
  const seed = new Random(config.seed, ATTACK_STREAM, iteration).word();
  return attackForm(
    form,
    methodByName(method, { ...settings, eps: warm * settings.eps, step: warm * settings.step, seed }),
  );
}

/** The seed of an iteration's dropout masks. */
export function maskSeedAt({ seed }: TrainConfig, iteration: number): Int32Array {
  const random = new Random(seed, MASK_STREAM, iteration);
  return Int32Array.of(random.word(), random.word());
}

/** Streams that keep the draws of training apart from other uses of a seed. */
const ATTACK_STREAM = 0x7ea101;
const MASK_STREAM = 0x7ea102;
