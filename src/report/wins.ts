import { ArgumentError } from "../util/errors.js";
import type { Macs } from "../graph/cost.js";
import type { Comparison, ResultRow } from "./data.js";
import { isClean } from "./table.js";

/** A dynamic network against the defended single-exit one, on the three counts of the paper. */
export interface Wins {
  /** Accuracy on clean images, a fraction. */
  readonly accuracy: Duel;
  /** Lowest accuracy over the attacks; absent if the two share no attack method. */
  readonly robustness?: Duel & { readonly dynamicRow: ResultRow; readonly baselineRow: ResultRow };
  /** Fraction of the baseline's cost that is saved, on clean images and at least under any of the attacks. */
  readonly saved: { readonly clean: Macs; readonly attacked?: Macs };
  /** Mean cost of a clean image. */
  readonly macs: { readonly dynamic: Macs; readonly baseline: Macs };
}

export interface Duel {
  readonly dynamic: number;
  readonly baseline: number;
}

/**
 * Draws the comparison from the rows. Each network meets the worst of its own attack forms, by those methods that both were
 * attacked with: a single-exit network has one form, `main`, a dynamic one must stand against all of its forms.
 *
 * @throws ArgumentError if either model has no row for clean images
 */
export function threeWins(rows: readonly ResultRow[], { dynamic, baseline }: Comparison): Wins {
  const clean = { dynamic: cleanRow(rows, dynamic), baseline: cleanRow(rows, baseline) };
  const attacks = (model: string) => rows.filter((row) => row.model === model && !isClean(row));
  const shared = new Set(attacks(baseline).map((row) => row.attack));
  const faced = attacks(dynamic).filter((row) => shared.has(row.attack));
  const methods = new Set(faced.map((row) => row.attack));
  const dynamicRow = lowest(faced);
  const baselineRow = lowest(attacks(baseline).filter((row) => methods.has(row.attack)));
  const attacked =
    faced.length === 0
      ? undefined
      : { paper: least(faced.map((row) => row.saved.paper)), full: least(faced.map((row) => row.saved.full)) };
  return {
    accuracy: { dynamic: clean.dynamic.accuracy, baseline: clean.baseline.accuracy },
    ...(dynamicRow && baselineRow
      ? { robustness: { dynamic: dynamicRow.accuracy, baseline: baselineRow.accuracy, dynamicRow, baselineRow } }
      : {}),
    saved: { clean: clean.dynamic.saved, ...(attacked ? { attacked } : {}) },
    macs: { dynamic: clean.dynamic.macs, baseline: clean.baseline.macs },
  };
}

function cleanRow(rows: readonly ResultRow[], model: string): ResultRow {
  const found = rows.find((row) => row.model === model && isClean(row));
  if (found) return found;
  const have = rows.filter(isClean).map((row) => row.model);
  throw new ArgumentError(
    `Expected a row for clean images of ${JSON.stringify(model)} to compare but received them for [${have.join(", ")}]`,
  );
}

function lowest(rows: readonly ResultRow[]): ResultRow | undefined {
  return rows.toSorted((a, b) => a.accuracy - b.accuracy)[0];
}

function least(values: readonly number[]): number {
  return Math.min(...values);
}
