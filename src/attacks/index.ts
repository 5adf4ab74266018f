export { attackForm, average, main, maxAverage, single, type FormOptions } from "./forms.js";
export type { Adversarial, Attack, PerturbOptions } from "./attack.js";
export { describeMethod, type AttackMethod, type MethodName } from "./method.js";
export { fgsm, type FgsmOptions } from "./fgsm.js";
export { pgd, type PgdOptions } from "./pgd.js";
export { wrm, type WrmOptions } from "./wrm.js";
export { PAPER_SETTINGS } from "./paper-settings.js";
