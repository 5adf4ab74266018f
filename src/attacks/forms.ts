import { exitNumbers, type ExitModel } from "../nn/exit-model.js";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { makeAttack, type Attack } from "./attack.js";
import type { AttackLoss } from "./attack-loss.js";
import type { AttackMethod } from "./method.js";

/** Raises the cross-entropy ℓ of one exit, numbered from 1. @throws ArgumentError if `exit` is not a positive integer */
export function single(exit: number, method: AttackMethod): Attack {
  expectArgument(Number.isSafeInteger(exit) && exit >= 1, "exit", "the number of an exit, from 1 on,", exit);
  const name = `single:${exit}`;
  return makeAttack({ name, losses: (model) => [lossOfExit(model, exit, name)] }, method);
}

/** Raises the loss of the last exit. */
export function main(method: AttackMethod): Attack {
  return makeAttack({ name: "main", losses: (model) => [lossOfExit(model, model.exits, "main")] }, method);
}

export interface FormOptions {
  /**
   * The exits to aim at, numbered from 1, ascending: those that a policy keeps active. Losses are averaged and summed over them, and no other head
   * runs. Default: all of the model's.
   */
  readonly exits?: readonly number[];
}

/** Raises the mean of ℓ_i over the exits. @throws ArgumentError if `exits` are not ascending numbers from 1 on */
export function average(method: AttackMethod, options: FormOptions = {}): Attack {
  const aim = aimOf(options);
  const losses = (model: ExitModel): AttackLoss[] => {
    const exits = exitsOf(model, aim, "average");
    return [{ key: `average:${exits.join()}`, exit: 0, exits }];
  };
  return makeAttack({ name: "average", ...aim, losses }, method);
}

/**
 * Makes the single attack on each of the exits and keeps, for each image, the one with the largest Σ_j ℓ_j over them; of equal ones the first.
 *
 * @throws ArgumentError if `exits` are not ascending numbers from 1 on
 */
export function maxAverage(method: AttackMethod, options: FormOptions = {}): Attack {
  const aim = aimOf(options);
  const losses = (model: ExitModel): AttackLoss[] =>
    exitsOf(model, aim, "max-average").map((exit) => lossOfExit(model, exit, "max-average"));
  return makeAttack({ name: "max-average", ...aim, reportsChosen: true, losses }, method);
}

/**
 * Keeps images inside: raises the uncertainty of the early exits, −the mean over them of the cross-entropy to the uniform distribution, so that no entropy
 * falls under a threshold and the images take the whole network (DeepSloth: Hong et al., "A panda? No, it's a sloth: slowdown attacks on adaptive
 * multi-exit neural network inference", ICLR 2021). Labels are not used.
 *
 * @throws ArgumentError if `exits` are not ascending numbers from 1 on, or the method raises a loss of the label's by which it is defined
 */
export function slowdown(method: AttackMethod, options: FormOptions = {}): Attack {
  const aim = aimOf(options);
  expectArgument(method.loss === "cross-entropy", "slowdown", "a method of any loss (pgd, mpgd, …)", method.name);
  const losses = (model: ExitModel): AttackLoss[] => {
    const exits = exitsOf(model, aim, "slowdown").filter((exit) => exit < model.exits);
    if (exits.length === 0)
      throw new ArgumentError(
        `Expected early exits to keep images from for slowdown but ${model.name} has none in use`,
      );
    return [{ key: `slowdown:${exits.join()}`, exit: 0, exits, of: "uncertainty" }];
  };
  return makeAttack({ name: "slowdown", ...aim, slows: true, losses }, method);
}

const FORMS: Readonly<Record<string, (method: AttackMethod, options: FormOptions) => Attack>> = {
  main,
  average,
  "max-average": maxAverage,
  slowdown,
};

/** The names that `attackForm` knows. */
export const FORM_NAMES: readonly string[] = ["single:I", ...Object.keys(FORMS)];

/**
 * The form of this name: `single:2`, `main`, `average`, `max-average` or `slowdown`. `exits` are what the last three are aimed at; the others name their
 * exit.
 *
 * @throws ArgumentError for any other name; that the model has the exits is checked when the attack meets it
 */
export function attackForm(form: string, method: AttackMethod, options: FormOptions = {}): Attack {
  const exit = /^single:(\d+)$/.exec(form)?.[1];
  if (exit !== undefined) return single(Number(exit), method);
  const make = Object.hasOwn(FORMS, form) ? FORMS[form] : undefined;
  if (make === undefined) {
    throw new ArgumentError(
      `Expected a form of attack (${FORM_NAMES.join(", ")}) but received ${JSON.stringify(form)}`,
    );
  }
  return make(method, options);
}

/** A copy of the exits, checked. */
function aimOf({ exits }: FormOptions): FormOptions {
  if (exits === undefined) return {};
  const ascending = exits.every((exit, k) => Number.isSafeInteger(exit) && exit > (exits[k - 1] ?? 0));
  expectArgument(ascending && exits.length > 0, "exits", "ascending numbers of exits, from 1 on,", exits);
  return { exits: Object.freeze([...exits]) };
}

function exitsOf(model: ExitModel, { exits }: FormOptions, form: string): readonly number[] {
  for (const exit of exits ?? []) expectExitOf(model, exit, form);
  return exits ?? exitNumbers(model);
}

function lossOfExit(model: ExitModel, exit: number, form: string): AttackLoss {
  expectExitOf(model, exit, form);
  return { key: `single:${exit}`, exit, exits: [exit] };
}

function expectExitOf(model: ExitModel, exit: number, form: string): void {
  if (exit <= model.exits) return;
  throw new ArgumentError(
    `Expected an exit of ${model.name} (1 … ${model.exits}) for the form ${form} but received exit ${exit}`,
  );
}
