import {
  sweep,
  type CalibratedPolicy,
  type ExitDetails,
  type FrontierPoint,
  type PolicyOutcome,
} from "../inference/index.js";
import type { Macs } from "../graph/cost.js";
import { costOfExits, savingsOf, type ExitModel } from "../nn/exit-model.js";
import { renderReport, type CostCurve, type ExitShares, type ResultRow } from "../report/index.js";
import { writeTextAtomic } from "../util/atomic-file.js";
import { SWEEP_POINTS } from "./study.js";

/** A point of the frontier as `rdi calibrate --json` prints it. */
export interface FrontierRow {
  readonly accuracy: number;
  readonly attackedAccuracy?: number;
  /** Mean cost of a clean image. */
  readonly macs: Macs;
  readonly exits: readonly number[];
  readonly thresholds: readonly number[];
}

export function frontierRow({ policy, clean, attacked }: FrontierPoint): FrontierRow {
  const { exits, thresholds } = policy;
  return {
    accuracy: clean.accuracy,
    ...(attacked && { attackedAccuracy: attacked.accuracy }),
    macs: clean.macs,
    exits,
    thresholds,
  };
}

/** Writes a page of the accuracy–cost frontier beside equal shares, for clean and attacked images. */
export async function writePolicyReport(
  path: string,
  model: ExitModel,
  chosen: CalibratedPolicy,
  about: { readonly dataset: string; readonly settings: Readonly<Record<string, string | number>> },
): Promise<void> {
  const { clean, attacked } = chosen.details;
  const kinds = [
    { name: "clean", attack: "none", form: "clean", details: clean, of: (point: FrontierPoint) => point.clean },
    ...(attacked === undefined || chosen.attack === undefined
      ? []
      : [
          {
            name: "attacked",
            attack: chosen.attack.method.name,
            form: chosen.attack.form,
            details: attacked,
            of: (point: FrontierPoint) => point.attacked!,
          },
        ]),
  ];
  const page = renderReport({
    title: `Exit policy of ${model.name}`,
    generated: new Date().toISOString(),
    model: model.name,
    ...about,
    rows: kinds.map(({ attack, form, of }) => resultRow(model, attack, form, of(chosen))),
    curves: kinds.flatMap(({ name, details, of }) => curves(name, model, chosen, of, details, clean)),
    exitShares: kinds.map(({ name, of }): ExitShares => ({ name, shares: of(chosen).shares })),
  });
  await writeTextAtomic(path, page);
}

function resultRow(model: ExitModel, attack: string, form: string, { accuracy, macs }: PolicyOutcome): ResultRow {
  return { model: model.name, attack, form, accuracy, macs, saved: savingsOf(model, macs) };
}

/** The chosen policies against all heads with equal shares of clean images. */
function curves(
  name: string,
  model: ExitModel,
  chosen: CalibratedPolicy,
  of: (point: FrontierPoint) => PolicyOutcome,
  details: ExitDetails,
  clean: ExitDetails,
): CostCurve[] {
  const points = chosen.frontier.map(of).sort((a, b) => a.macs.full - b.macs.full);
  return [
    { name: `${name}, heads and thresholds chosen`, points, operating: of(chosen) },
    { name: `${name}, all heads, equal shares`, points: sweep(details, costOfExits(model), SWEEP_POINTS, clean) },
  ];
}
