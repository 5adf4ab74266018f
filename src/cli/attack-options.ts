import { Option, type Command } from "commander";
import {
  attackForm,
  FORM_NAMES,
  METHOD_NAMES,
  methodByName,
  PAPER_SETTINGS,
  standardEnsemble,
  type Attack,
  type MethodName,
  type MethodSettings,
  type Norm,
} from "../attacks/index.js";
import type { DatasetName } from "../data/registry.js";
import type { ExitPolicy } from "../inference/index.js";
import { exitNumbers, type ExitModel } from "../nn/exit-model.js";
import { defined } from "./defined.js";
import { integer, number } from "./numbers.js";
import { UsageError, asUsage } from "./usage-error.js";

/** How to attack. What is absent takes the paper's settings for the data set. */
export interface AttackOptions<M extends string = MethodName> {
  readonly attack: "none" | M;
  readonly form?: string;
  readonly norm: Norm;
  readonly eps?: number;
  readonly step?: number;
  readonly steps?: number;
  readonly randomStart?: boolean;
  readonly seed: number;
}

/** How to attack a trained network, which has a policy. */
export interface TestAttackOptions extends AttackOptions<MethodName | "ensemble"> {
  readonly queries: number;
  readonly aim: "all" | "active";
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

type GivenSettings = Pick<AttackOptions, "form" | "eps" | "step" | "steps" | "randomStart">;

/** The options that a choice of `--attack` has no use for. */
const UNUSED: Readonly<Record<AttackOptions<MethodName | "ensemble">["attack"], readonly (keyof GivenSettings)[]>> = {
  none: ["form", "eps", "step", "steps", "randomStart"],
  pgd: [],
  mpgd: [],
  fgsm: ["step", "steps"],
  wrm: ["step"],
  "apgd-ce": ["step"],
  "apgd-dlr": ["step"],
  square: ["step", "steps", "randomStart"],
  ensemble: ["form", "randomStart"],
};

const DEFAULT_FORM = "average";
const DEFAULT_QUERIES = 1000;

/** @param methods the choices besides `none` */
export function withAttackOptions(
  command: Command,
  methods: readonly string[],
  defaultAttack: AttackOptions["attack"],
): Command {
  return command
    .addOption(new Option("--attack <method>", "the method").choices(["none", ...methods]).default(defaultAttack))
    .option("--form <form>", `whose loss it raises: ${FORM_NAMES.join(", ")} (default: ${DEFAULT_FORM})`)
    .addOption(
      new Option("--norm <norm>", "what ε bounds: the change of a pixel, or the Euclidean length of the whole change")
        .choices(["linf", "l2"])
        .default("linf"),
    )
    .addOption(
      new Option(
        "--eps <ε>",
        "greatest change (digits, mnist: 0.3; others: 8/255; l2: no default); may be a fraction",
      ).argParser(number(0)),
    )
    .addOption(
      new Option(
        "--step <α>",
        "step of pgd and mpgd (digits, mnist: 0.01; others: 2/255; l2: 2.5 ε ÷ steps)",
      ).argParser(number(0)),
    )
    .addOption(
      new Option(
        "--steps <count>",
        "steps of all but fgsm and square (digits, mnist: 40; others: 20, to train with 10)",
      ).argParser(integer(1)),
    )
    .option("--random-start", "begin at a random image inside ±ε (the default of all but fgsm)")
    .option("--no-random-start", "begin at the clean image (the default of fgsm)")
    .addOption(new Option("--seed <seed>", "of everything random").argParser(integer(0)).default(0));
}

export function withTestAttackOptions(command: Command, defaultAttack: AttackOptions["attack"]): Command {
  return withAttackOptions(command, [...METHOD_NAMES, "ensemble"], defaultAttack)
    .addOption(
      new Option("--queries <count>", "forward passes an image of square, at most")
        .argParser(integer(1))
        .default(DEFAULT_QUERIES),
    )
    .addOption(
      new Option(
        "--aim <exits>",
        "what average, max-average, slowdown and ensemble are aimed at: all exits of the model, as in the paper, or the active ones, at which images can leave",
      )
        .choices(["all", "active"])
        .default("all"),
    );
}

/** An attack but for the exits that it is aimed at. */
export interface AttackPlan {
  /** Undefined of an ensemble. */
  readonly form?: string;
  /** The attack on a model, aimed at these exits; at all of them if absent. */
  at(model: ExitModel, exits?: readonly number[]): Attack;
  /** The attack on a model whose images leave by this policy, aimed as `--aim` says. */
  on(model: ExitModel, policy: ExitPolicy): Promise<Attack>;
}

/**
 * Keeps an option from doing nothing unseen.
 *
 * @param given what the command line itself has
 * @throws UsageError naming an option that the attack has no use for
 */
export function expectUsed(attack: keyof typeof UNUSED, given: GivenSettings): void {
  const name = UNUSED[attack].find((option) => given[option] !== undefined);
  if (name === undefined) return;
  const start = given.randomStart === true ? "random-start" : "no-random-start";
  const option = name === "randomStart" ? start : name;
  throw new UsageError(`Expected no --${option} with --attack ${attack}, which has no use for it, but received one`);
}

/** What the options ask for; null for `none`. */
export async function planAttack(options: TestAttackOptions, dataset: string): Promise<AttackPlan | null> {
  const { attack: name, form, aim, queries } = options;
  expectUsed(name, options);
  if (name === "none") return null;
  const settings = settingsOf(options, dataset, false);
  if (name === "ensemble")
    return aimed(aim, (model, exits = exitNumbers(model)) => standardEnsemble({ ...settings, queries, exits }));
  const method = await asUsage(() =>
    methodByName(name, name === "square" ? { ...settings, steps: queries } : settings),
  );
  const { form: chosen } = await asUsage(() => attackForm(form ?? DEFAULT_FORM, method));
  return { form: chosen, ...aimed(aim, (_model, exits) => attackForm(chosen, method, defined({ exits }))) };
}

function aimed(aim: TestAttackOptions["aim"], at: AttackPlan["at"]): Pick<AttackPlan, "at" | "on"> {
  return { at, on: (model, { exits }) => asUsage(() => at(model, aim === "active" ? exits : undefined)) };
}

/**
 * The attack on all exits that the options ask for; null for `none`.
 *
 * @param training whether the paper's number of steps to train with is the default
 */
export async function attackOf(
  options: AttackOptions,
  dataset: string,
  { training = false } = {},
): Promise<Attack | null> {
  const { attack: name, form = DEFAULT_FORM } = options;
  if (name === "none") return null;
  return asUsage(() => attackForm(form, methodByName(name, settingsOf(options, dataset, training))));
}

/** @throws UsageError if the form names an exit that the model has not, or needs exits that it has not. */
export function expectExit({ form = "" }: { readonly form?: string }, model: ExitModel): void {
  if (form === "slowdown" && model.exits === 1)
    throw new UsageError(`Expected a model with early exits for --form slowdown but received ${model.name}`);
  const exit = Number(/^single:(\d+)$/.exec(form)?.[1] ?? 1);
  if (exit <= model.exits) return;
  const there = exitNumbers(model)
    .map((number) => `single:${number}`)
    .join(", ");
  throw new UsageError(`Expected an exit of ${model.name} for --form (${there}) but received ${form}`);
}

/** @param training whether the paper's number of steps to train with is the default */
function settingsOf(
  { norm, seed, randomStart, ...given }: AttackOptions<string>,
  dataset: string,
  training: boolean,
): MethodSettings {
  const paper = ATTACK_SETTINGS[dataset as DatasetName];
  const { steps = training ? paper.trainSteps : paper.steps, eps = norm === "linf" ? paper.eps : undefined } = given;
  if (eps === undefined) throw new UsageError("Expected --eps with --norm l2, for which the paper has no setting");
  // Of L2: the rule of Madry et al.'s code, by which a walk can reach any point of the ball.
  const { step = norm === "linf" ? paper.step : (2.5 * eps) / steps } = given;
  return { norm, eps, step, steps, seed, ...defined({ randomStart }) };
}
