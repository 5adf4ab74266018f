import type { Attack } from "../attacks/index.js";
import { DATASET_NAMES } from "../data/registry.js";
import { modelByName } from "../models/index.js";
import { parseTrainConfig, type TrainConfig, type TrainConfigInput, type TRAINING_METHODS } from "../training/index.js";
import type { Preset } from "../training/preset.js";
import { attackOf, expectExit, expectUsed, type AttackOptions } from "./attack-options.js";
import { defined } from "./defined.js";
import { DEFAULT_EPOCHS, type RunOptions } from "./train-options.js";
import type { TrainSettings } from "./train-settings.js";
import { asUsage, UsageError } from "./usage-error.js";

/**
 * The settings of a new run: those of the preset, or else the defaults, with the options given in their place.
 *
 * @throws UsageError if one is missing or out of range, or does not fit the others
 */
export async function settingsOf(given: RunOptions, preset: Preset | undefined): Promise<TrainSettings> {
  const dataset = expectGiven(given.dataset ?? preset?.dataset, "dataset");
  if (!(DATASET_NAMES as readonly string[]).includes(dataset))
    throw new UsageError(`Expected a data set (${DATASET_NAMES.join(", ")}) but received ${JSON.stringify(dataset)}`);
  const config = await configOf(given, preset?.config, dataset);
  return { dataset, ...defined({ data: given.data, skipCorrupt: given.skipCorrupt }), config };
}

async function configOf(given: RunOptions, base: TrainConfig | undefined, dataset: string): Promise<TrainConfig> {
  const name = expectGiven(given.model ?? base?.model, "model");
  const model = await asUsage(() => modelByName(name));
  const options = attackOptions(given, base);
  const attack = await attackOf(options, dataset, { training: true });
  if (attack !== null) expectExit(attack, model);
  const { epochs, iterations, schedule, augment, ...rest } = base ?? {};
  const { batchSize, momentum, weightDecay, attackMode, epsWarmup, checkpointEvery, logEvery, seed } = given;
  const { lr: learningRate, lrMilestones: milestones, lrFactor: factor, validation: validationFraction } = given;
  return asUsage(() =>
    parseTrainConfig({
      ...rest,
      model: model.name,
      ...lengthOf(given, { epochs, iterations }),
      ...scheduleOf(defined({ milestones: milestones && [...milestones], factor }), schedule),
      augment: { ...augment, ...defined({ crop: given.augmentCrop, flip: given.augmentFlip }) },
      attack: attack === null || options.attack === "none" ? null : { method: options.attack, ...settingsIn(attack) },
      ...defined({ batchSize, momentum, weightDecay, attackMode, epsWarmup, checkpointEvery, logEvery, seed }),
      ...defined({ learningRate, validationFraction, exitWeights: given.exitWeights && [...given.exitWeights] }),
    }),
  );
}

type Length = Pick<TrainConfigInput, "epochs" | "iterations">;

/** Of epochs and iterations the one given; a preset's other one goes. */
function lengthOf({ epochs, iterations }: RunOptions, base: Length): Length {
  if (epochs !== undefined || iterations !== undefined) return defined({ epochs, iterations });
  return base.epochs === undefined && base.iterations === undefined ? { epochs: DEFAULT_EPOCHS } : defined(base);
}

function scheduleOf(
  given: Partial<TrainConfig["schedule"]>,
  base: TrainConfig["schedule"] | undefined,
): Pick<TrainConfigInput, "schedule"> {
  if (Object.keys(given).length === 0) return defined({ schedule: base });
  return { schedule: { ...(base ?? DEFAULT_SCHEDULE), ...given } };
}

const DEFAULT_SCHEDULE = parseTrainConfig({ model: "", epochs: 1, attack: null }).schedule;

function settingsIn({ form, method }: Attack): Omit<NonNullable<TrainConfigInput["attack"]>, "method"> {
  const { norm, eps, step, steps, randomStart } = method;
  return { form, ...defined({ norm }), eps, step, steps, randomStart };
}

/** Another method than the preset's keeps of its settings the form and ε alone: the steps are the old method's. */
function attackOptions(
  given: RunOptions,
  base: TrainConfig | undefined,
): AttackOptions<(typeof TRAINING_METHODS)[number]> {
  const { form, norm, eps, step, steps, randomStart } = given;
  const own = defined({ form, norm, eps, step, steps, randomStart });
  if (base?.attack === null && given.attack === undefined && Object.keys(own).length > 0) {
    throw new UsageError(
      `Expected --attack, since the preset trains on clean images, but received --${Object.keys(own).map(kebab).join(", --")} alone`,
    );
  }
  const { method: attack, ...settings } = base?.attack ?? {
    method: base?.attack === null ? ("none" as const) : ("pgd" as const),
    form: "average",
  };
  expectUsed(given.attack ?? attack, own);
  const same = given.attack === undefined || given.attack === attack;
  const carried = same ? settings : defined({ form: settings.form, eps: base?.attack?.eps });
  return {
    attack,
    form: settings.form,
    norm: "linf",
    seed: 0,
    ...carried,
    ...defined({ attack: given.attack }),
    ...own,
  };
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** An option that a new run needs, although a preset or a resumed run may do without. */
export function expectGiven(value: string | undefined, name: string): string {
  if (value === undefined) throw new UsageError(`required option --${name} not specified`);
  return value;
}
