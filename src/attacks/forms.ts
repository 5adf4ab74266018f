import type { ExitModel } from "../nn/exit-model.js";
import * as F from "../tensor/functional.js";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { makeAttack, type Attack } from "./attack.js";
import type { AttackLoss } from "./crafting.js";
import type { AttackMethod } from "./method.js";

/** Raises the cross-entropy ℓ of one exit, numbered from 1. @throws ArgumentError if `exit` is not a positive integer */
export function single(exit: number, method: AttackMethod): Attack {
  expectArgument(Number.isSafeInteger(exit) && exit >= 1, "exit", "the number of an exit, from 1 on,", exit);
  const name = `single:${exit}`;
  return makeAttack({ name, reportsChosen: false, losses: (model) => [lossOfExit(model, exit, name)] }, method);
}

/** Raises the loss of the last exit. */
export function main(method: AttackMethod): Attack {
  return makeAttack(
    { name: "main", reportsChosen: false, losses: (model) => [lossOfExit(model, model.exits, "main")] },
    method,
  );
}

/** Raises (1/N)·Σ ℓ_i over the N exits. */
export function average(method: AttackMethod): Attack {
  const loss: AttackLoss = {
    key: "average",
    exit: 0,
    of: (losses) => F.mul(losses.reduce(F.add), 1 / losses.length),
  };
  return makeAttack({ name: "average", reportsChosen: false, losses: () => [loss] }, method);
}

/** Makes the single attack on every exit and keeps, for each image, the one with the largest Σ_j ℓ_j; of equal ones the first. */
export function maxAverage(method: AttackMethod): Attack {
  const losses = (model: ExitModel): AttackLoss[] =>
    Array.from({ length: model.exits }, (_, i) => lossOfExit(model, i + 1, "max-average"));
  return makeAttack({ name: "max-average", reportsChosen: true, losses }, method);
}

const FORMS: Readonly<Record<string, (method: AttackMethod) => Attack>> = { main, average, "max-average": maxAverage };

/**
 * The form of this name: `single:2`, `main`, `average` or `max-average`.
 *
 * @throws ArgumentError for any other name; that the model has the exit is checked when the attack meets it
 */
export function attackForm(form: string, method: AttackMethod): Attack {
  const exit = /^single:(\d+)$/.exec(form)?.[1];
  if (exit !== undefined) return single(Number(exit), method);
  const make = Object.hasOwn(FORMS, form) ? FORMS[form] : undefined;
  if (make === undefined) {
    throw new ArgumentError(
      `Expected a form of attack (single:I, ${Object.keys(FORMS).join(", ")}) but received ${JSON.stringify(form)}`,
    );
  }
  return make(method);
}

function lossOfExit(model: ExitModel, exit: number, form: string): AttackLoss {
  if (exit > model.exits) {
    throw new ArgumentError(
      `Expected an exit of ${model.name} (1 … ${model.exits}) for the form ${form} but received exit ${exit}`,
    );
  }
  return { key: `single:${exit}`, exit, of: (losses) => losses[exit - 1]! };
}
