import { expectArgument } from "../util/errors.js";
import { apgdCe, apgdDlr } from "./apgd.js";
import { fgsm } from "./fgsm.js";
import type { AttackMethod, MethodName } from "./method.js";
import { mpgd } from "./mpgd.js";
import { pgd, type PgdOptions } from "./pgd.js";
import { square } from "./square.js";
import { wrm } from "./wrm.js";

/** Settings for any method, of which each takes what it has; `steps` of Square are forward passes at most. */
export type MethodSettings = PgdOptions;

const METHODS: Readonly<Record<MethodName, (settings: MethodSettings) => AttackMethod>> = {
  pgd,
  fgsm,
  wrm,
  mpgd,
  "apgd-ce": apgdCe,
  "apgd-dlr": apgdDlr,
  square: ({ steps, ...settings }) => square({ ...settings, queries: steps }),
};

export const METHOD_NAMES = Object.keys(METHODS) as readonly MethodName[];

/** What Square and WRM know nothing of. */
const WITHOUT_NORM: ReadonlySet<string> = new Set(["square", "wrm"] satisfies MethodName[]);

/** The method of this name. @throws ArgumentError if there is none, a setting is out of range, or the method has no version in the norm */
export function methodByName(name: MethodName, settings: MethodSettings): AttackMethod {
  expectArgument(METHOD_NAMES.includes(name), "the method", `one of ${METHOD_NAMES.join(", ")}`, name);
  const { norm = "linf" } = settings;
  expectArgument(norm === "linf" || !WITHOUT_NORM.has(name), `the norm of ${name}`, "linf", norm);
  return METHODS[name](settings);
}
