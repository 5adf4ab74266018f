import { Option, type Command } from "commander";
import {
  attackForm,
  fgsm,
  pgd,
  PAPER_SETTINGS,
  wrm,
  type Attack,
  type AttackMethod,
  type MethodName,
} from "../attacks/index.js";
import type { DatasetName } from "../data/registry.js";
import type { ExitModel } from "../nn/exit-model.js";
import { defined } from "./defined.js";
import { integer, number } from "./numbers.js";
import { UsageError, asUsage } from "./usage-error.js";

/** How to attack. What is absent takes the paper's settings for the data set. */
export interface AttackOptions {
  readonly attack: "none" | MethodName;
  readonly form: string;
  readonly eps?: number;
  readonly step?: number;
  readonly steps?: number;
  readonly randomStart?: boolean;
  readonly seed: number;
}

type PaperSettings = (typeof PAPER_SETTINGS)[keyof typeof PAPER_SETTINGS];

/** The paper's settings by data set; the digits are drawn like MNIST's, and photographs are attacked as CIFAR-10's. */
export const ATTACK_SETTINGS: Readonly<Record<DatasetName, PaperSettings>> = {
  digits: PAPER_SETTINGS.mnist,
  mnist: PAPER_SETTINGS.mnist,
  cifar10: PAPER_SETTINGS.cifar10,
  cifar100: PAPER_SETTINGS.cifar10,
  svhn: PAPER_SETTINGS.cifar10,
  images: PAPER_SETTINGS.cifar10,
};

export function withAttackOptions(command: Command, defaultAttack: AttackOptions["attack"]): Command {
  return command
    .addOption(
      new Option("--attack <method>", "the method").choices(["none", "pgd", "fgsm", "wrm"]).default(defaultAttack),
    )
    .option("--form <form>", "whose loss it raises: single:I, main, average or max-average", "average")
    .addOption(
      new Option(
        "--eps <ε>",
        "greatest change of a pixel (digits, mnist: 0.3; others: 8/255); may be a fraction",
      ).argParser(number(0)),
    )
    .addOption(new Option("--step <α>", "step of pgd (digits, mnist: 0.01; others: 2/255)").argParser(number(0)))
    .addOption(
      new Option("--steps <count>", "steps of pgd and wrm (digits, mnist: 40; others: 20, to train with 10)").argParser(
        integer(1),
      ),
    )
    .option("--random-start", "begin at a random image inside ±ε (the default of pgd and wrm)")
    .option("--no-random-start", "begin at the clean image (the default of fgsm)")
    .addOption(new Option("--seed <seed>", "of everything random").argParser(integer(0)).default(0));
}

/**
 * The attack that the options ask for; null for `none`.
 *
 * @param training whether the paper's number of steps to train with is the default
 */
export async function attackOf(
  options: AttackOptions,
  dataset: string,
  { training = false } = {},
): Promise<Attack | null> {
  if (options.attack === "none") return null;
  const { eps, step, steps, trainSteps } = ATTACK_SETTINGS[dataset as DatasetName];
  const settings = { eps, step, steps: training ? trainSteps : steps, ...defined(options) };
  return asUsage(() => attackForm(options.form, methodOf({ ...options, ...settings })));
}

/** @throws UsageError if the form names an exit that the model has not. */
export function expectExit({ form }: Attack, model: ExitModel): void {
  const exit = Number(/^single:(\d+)$/.exec(form)?.[1] ?? 1);
  if (exit <= model.exits) return;
  const there = Array.from({ length: model.exits }, (_, i) => `single:${i + 1}`).join(", ");
  throw new UsageError(`Expected an exit of ${model.name} for --form (${there}) but received ${form}`);
}

function methodOf(
  options: AttackOptions & { readonly eps: number; readonly step: number; readonly steps: number },
): AttackMethod {
  const { attack, eps, step, steps, seed, randomStart } = options;
  const start = { seed, ...defined({ randomStart }) };
  switch (attack) {
    case "fgsm":
      return fgsm({ eps, ...start });
    case "wrm":
      return wrm({ eps, steps, ...start });
    default:
      return pgd({ eps, step, steps, ...start });
  }
}
