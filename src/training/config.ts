import { z } from "zod";
import { attackForm, methodByName, type Attack, type MethodName } from "../attacks/index.js";
import { Random } from "../util/random.js";
import { parseSettings } from "../util/settings.js";

/** The methods to train with: those that follow gradients. Square would take hundreds of forward passes an image and step. */
export const TRAINING_METHODS = ["pgd", "fgsm", "wrm", "mpgd", "apgd-ce", "apgd-dlr"] as const satisfies MethodName[];

const attackSchema = z.strictObject({
  method: z.enum(TRAINING_METHODS),
  form: z
    .string()
    .default("average")
    .describe("Whose loss it raises: single:I, main, average, max-average or slowdown"),
  norm: z
    .enum(["linf", "l2"])
    .default("linf")
    .describe("What eps bounds: the change of a pixel, or the length of the whole change"),
  eps: z.number().min(0).describe("Greatest change in that norm; pixels are in [0, 1]"),
  step: z.number().min(0).default(0).describe("Of PGD and momentum PGD: the change in a step"),
  steps: z.int().min(1).default(1),
  randomStart: z.boolean().default(true).describe("Whether it begins at a random image inside ±eps"),
});

const milestoneSchema = z
  .number()
  .positive()
  .refine((at) => at < 1 || Number.isInteger(at), {
    error: "a fraction of the run (under 1) or a number of iterations (an integer)",
  });

const scheduleSchema = z.strictObject({
  milestones: z
    .array(milestoneSchema)
    .describe(
      "After which the learning rate is multiplied by factor: fractions of the run, under 1, or iterations, integers",
    ),
  factor: z.number().positive(),
});

const augmentSchema = z.strictObject({
  crop: z
    .int()
    .min(0)
    .default(0)
    .describe("Pixels of black to pad every side with, before a random part of the old size is taken"),
  flip: z.boolean().default(false).describe("Whether a random half of the images is mirrored"),
});

/** Settings of a training run; the defaults are those of "Triple Wins" (ICLR 2020) for MNIST. */
export const trainConfigSchema = z
  .strictObject({
    model: z.string().describe("The network, by its name"),
    epochs: z
      .number()
      .positive()
      .optional()
      .describe("Passes over the training images, may be a fraction; instead of iterations"),
    iterations: z.int().min(1).optional().describe("Batches to train on; instead of epochs"),
    batchSize: z.int().min(1).default(256).describe("Clean images of an iteration"),
    learningRate: z.number().positive().default(0.033).describe("At the beginning"),
    // 11.7k and 12.9k of 13.1k iterations.
    schedule: scheduleSchema.default({ milestones: [11.7 / 13.1, 12.9 / 13.1], factor: 0.1 }),
    momentum: z.number().min(0).lt(1).default(0.9),
    weightDecay: z.number().min(0).default(5e-4),
    augment: augmentSchema
      .default({ crop: 0, flip: false })
      .describe("Random changes of the training images, anew in every epoch; none by default"),
    attack: attackSchema.nullable().describe("What half of the images are attacked by; null: clean images alone"),
    attackMode: z
      .enum(["train", "eval"])
      .default("eval")
      .describe("Whether attacks see the network as while training (dropout, batch statistics) or as at inference"),
    exitWeights: z.array(z.number().min(0)).optional().describe("The weight of each exit's loss; 1 each if absent"),
    validationFraction: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.05)
      .describe("The fraction of the training images that is held out, and calibrated on"),
    seed: z.int().min(0).default(0),
    epsWarmup: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe("The fraction of the run over which eps (and the step) grow from near 0 to what attack says"),
    checkpointEvery: z.int().min(1).default(200).describe("Iterations between checkpoints"),
    logEvery: z.int().min(1).default(10).describe("Iterations between lines of the log"),
    threads: z
      .int()
      .min(1)
      .optional()
      .describe("Of the backend: what results repeat under, bit for bit; filled in by the trainer"),
  })
  .refine(({ epochs, iterations }) => (epochs === undefined) !== (iterations === undefined), {
    error: "exactly one of epochs and iterations",
  })
  .meta({ oneOf: [{ required: ["epochs"] }, { required: ["iterations"] }] });

/** Complete settings. */
export type TrainConfig = z.output<typeof trainConfigSchema>;
/** Settings as they are given: what has a default may be left out. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;

/** Fills in the defaults. @throws ArgumentError that names the settings at fault */
export function parseTrainConfig(input: TrainConfigInput): TrainConfig {
  const config = parseSettings(trainConfigSchema, input);
  if (config.attack !== null) attackAt(config, 0, 1);
  return config;
}

/** How many iterations a run has. @param epochLength iterations of an epoch */
export function iterationsOf({ epochs, iterations }: TrainConfig, epochLength: number): number {
  return iterations ?? Math.max(1, Math.round(epochs! * epochLength));
}

/** The learning rate of iteration 0 … iterations − 1. */
export function learningRateAt({ learningRate, schedule }: TrainConfig, iteration: number, iterations: number): number {
  const passed = milestonesOf(schedule, iterations).filter((milestone) => iteration >= milestone).length;
  return learningRate * schedule.factor ** passed;
}

/** The milestones of a run in iterations, of which fractions give broken ones. */
export function milestonesOf({ milestones }: TrainConfig["schedule"], iterations: number): number[] {
  return milestones.map((at) => (at < 1 ? at * iterations : at));
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
