import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import { ops, type OpName } from "../../src/ops/index.js";
import { agreesOn, fastBackends, titleOf } from "../support/backends.js";
import { cases } from "./cases.js";
import { errorOf, runCase } from "./run-case.js";

describe("the conformance table", () => {
  it("has a row for every operation", () => {
    const covered = new Set<OpName>(cases.map(({ op }) => op));
    expect(Object.keys(ops).filter((op) => !covered.has(op as OpName))).toEqual([]);
  });
});

describe.each(fastBackends)("$title", (candidate) => {
  describe.skipIf(candidate.unavailable !== undefined)(titleOf(candidate), () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await candidate.open();
    });
    afterAll(() => {
      backend.dispose();
    });

    it.each(cases.filter(({ op }) => agreesOn(candidate, op)))("$title", async (row) => {
      expect(errorOf(row, await runCase(backend, row))).toBeLessThanOrEqual(row.tolerance);
    });
  });
});
