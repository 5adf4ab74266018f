import { describe, expect, it } from "vitest";
import { threeWins, type ResultRow } from "../../src/report/index.js";
import { ArgumentError } from "../../src/util/errors.js";

const names = { dynamic: "rdi", baseline: "plain" };
const row = (model: string, attack: string, form: string, accuracy: number, saved: number): ResultRow => ({
  model,
  attack,
  form,
  accuracy,
  macs: { paper: 8 * (1 - saved), full: 10 * (1 - saved) },
  saved: { paper: saved, full: saved },
});
const clean = [row("plain", "none", "clean", 0.97, 0), row("rdi", "none", "clean", 0.98, 0.4)];

describe("threeWins", () => {
  it("sets the worst form of the dynamic network against the single-exit network's", () => {
    const wins = threeWins(
      [
        ...clean,
        row("plain", "pgd", "main", 0.85, 0),
        row("rdi", "pgd", "main", 0.93, 0.3),
        row("rdi", "pgd", "average", 0.86, 0.35),
        row("rdi", "pgd", "max-average", 0.88, 0.1),
      ],
      names,
    );
    expect(wins.accuracy).toEqual({ dynamic: 0.98, baseline: 0.97 });
    expect(wins.robustness).toMatchObject({ dynamic: 0.86, baseline: 0.85, dynamicRow: { form: "average" } });
    expect(wins.saved).toEqual({ clean: { paper: 0.4, full: 0.4 }, attacked: { paper: 0.1, full: 0.1 } });
    expect(wins.macs).toEqual({ dynamic: { paper: 4.8, full: 6 }, baseline: { paper: 8, full: 10 } });
  });

  it("compares only by methods that both were attacked with", () => {
    const rows = [
      ...clean,
      row("plain", "pgd", "main", 0.5, 0),
      row("plain", "fgsm", "main", 0.9, 0),
      row("rdi", "fgsm", "main", 0.91, 0.3),
      row("rdi", "wrm", "main", 0.1, 0.2),
    ];
    expect(threeWins(rows, names).robustness).toMatchObject({ dynamic: 0.91, baseline: 0.9 });
  });

  it("leaves robustness out where there is no common attack", () => {
    const wins = threeWins([...clean, row("rdi", "pgd", "main", 0.9, 0.3)], names);
    expect(wins.robustness).toBeUndefined();
    expect(wins.saved.attacked).toBeUndefined();
  });

  it("refuses a model without clean images, naming those that have some", () => {
    const compare = () => threeWins(clean, { dynamic: "rdi", baseline: "other" });
    expect(compare).toThrow(ArgumentError);
    expect(compare).toThrow('Expected a row for clean images of "other" to compare but received them for [plain, rdi]');
  });
});
