import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/types.js";
import { Executable } from "../../src/nn/executable.js";
import { ops, type OpName } from "../../src/ops/index.js";
import { Random } from "../../src/util/random.js";
import { agreesOn, fastBackends, titleOf } from "../support/backends.js";
import { cases, type Case } from "./cases.js";
import { draw } from "./draw.js";

/** Not a multiple of any tile, so that the last tile is partial. */
const BATCH = 5;
const TILE = 3;

function graphOf(row: Case): Graph {
  const g = new GraphBuilder();
  const ins = row.inputs.map((input, i) => (input === null ? null : g.input(`in${i}`, input.spec)));
  g.output("out", g.node(row.op, ins, row.attrs as never));
  return g.build();
}

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
      const random = new Random(1, row.title.length);
      const graph = graphOf(row);
      const values = Object.fromEntries(
        row.inputs.flatMap((input, i) => (input === null ? [] : [[`in${i}`, draw(input, BATCH, random)]])),
      );
      const expected = Array.from(evaluate(graph, BATCH, new Map(Object.entries(values))).get("out")!);
      using params = backend.bindParams(new Map());
      using executable = new Executable(backend, graph, params, { maxBatch: BATCH, tile: TILE });
      const actual = Array.from((await executable.run(BATCH, values)).get("out")!);

      expect(actual.length).toBe(expected.length);
      const largest = expected.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      const worst = actual.reduce((max, v, i) => Math.max(max, Math.abs(v - expected[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(row.tolerance * Math.max(largest, 1e-30));
    });
  });
});
