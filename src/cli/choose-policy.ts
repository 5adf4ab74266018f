import type { Dataset } from "../data/dataset.js";
import {
  calibrateFor,
  evaluate,
  reportAttack,
  type AdaptiveNetwork,
  type AttackReport,
  type CalibratedPolicy,
  type CalibrationRule,
  type Evaluation,
  type ExitPolicy,
  type PolicyOutcome,
} from "../inference/index.js";
import { savingsOf } from "../nn/exit-model.js";
import type { AttackPlan } from "./attack-options.js";
import { calibrateWithProgress } from "./calibration.js";
import { defined } from "./defined.js";
import { DEFAULT_MIX, objectiveOf, type ObjectiveOptions } from "./objective-options.js";
import { startProgress, type Progress } from "./progress.js";

/** A policy and what it makes of the images that it was chosen on. */
export interface ChosenPolicy extends Pick<Evaluation, "images" | "attack" | "exits" | "adaptive"> {
  readonly policy: ExitPolicy;
  /** Of an objective, where `exits` and `adaptive` are of clean images: the same images attacked. */
  readonly attacked?: PolicyOutcome & Pick<Evaluation["adaptive"], "saved"> & AttackedImages;
}

interface AttackedImages {
  readonly images: number;
  readonly attack: AttackReport;
}

/** Equal shares of the images, as they are or attacked. */
export async function chooseByShares(
  rule: CalibrationRule,
  net: AdaptiveNetwork,
  dataset: Dataset,
  plan: AttackPlan | null,
): Promise<ChosenPolicy> {
  const attack = (await plan?.on(net.model, net.policy)) ?? null;
  const policy = await calibrateWithProgress(net, rule, dataset, attack);
  const result = await evaluate(net, dataset, { policy, ...(attack && { attack }) });
  const { images, attack: settings, exits, adaptive } = result;
  return { images, attack: settings, exits, adaptive, policy };
}

/** The best heads and thresholds for an objective, and all that was found on the way. */
export async function chooseForObjective(
  options: ObjectiveOptions,
  net: AdaptiveNetwork,
  dataset: Dataset,
  plan: AttackPlan | null,
): Promise<{ readonly chosen: ChosenPolicy; readonly found: CalibratedPolicy }> {
  const { mix: share = DEFAULT_MIX, attackLimit: limit } = options;
  using progress = new PhaseProgress();
  const found = await calibrateFor(net, dataset, objectiveOf(options, net.model), {
    ...(plan && {
      attacked: { attack: (exits) => plan.at(net.model, exits), share, ...defined({ limit }) },
    }),
    onProgress: (done, total, aimed) => progress.update(aimed?.toString(), done, total),
  });
  const { policy, attacked } = found;
  const { images, exits, adaptive } = await evaluate(net, dataset, { policy });
  const chosen = { images, attack: null, exits, adaptive, policy };
  if (attacked === undefined || found.attack === undefined) return { chosen, found };
  const faced = {
    ...attacked,
    saved: savingsOf(net.model, attacked.macs),
    images: found.details.attacked!.entropies[0]!.length,
    attack: reportAttack(found.attack),
  };
  return { chosen: { ...chosen, attacked: faced }, found };
}

/** A progress display for each attack in turn. */
class PhaseProgress {
  #phase: string | undefined;
  #progress: Progress | undefined;

  update(attack: string | undefined, done: number, total: number): void {
    const phase = attack === undefined ? "Calibrating" : `Attacking (${attack})`;
    if (phase !== this.#phase) this[Symbol.dispose]();
    this.#phase = phase;
    this.#progress ??= startProgress(phase);
    this.#progress.update(done, total);
  }

  [Symbol.dispose](): void {
    this.#progress?.[Symbol.dispose]();
    this.#progress = undefined;
  }
}
