import type { Backend } from "../../src/backends/backend.js";
import { evaluate } from "../../src/backends/reference/evaluate.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/types.js";
import { Executable } from "../../src/nn/executable.js";
import { Random } from "../../src/util/random.js";
import type { Case } from "./cases.js";
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

function valuesOf(row: Case): Record<string, Float32Array | Int32Array> {
  const random = new Random(1, row.title.length);
  return Object.fromEntries(
    row.inputs.flatMap((input, i) => (input === null ? [] : [[`in${i}`, draw(input, BATCH, random)]])),
  );
}

/** What a backend computes for a row. */
export async function runCase(backend: Backend, row: Case): Promise<readonly number[]> {
  using params = backend.bindParams(new Map());
  using executable = new Executable(backend, graphOf(row), params, { maxBatch: BATCH, tile: TILE });
  return Array.from((await executable.run(BATCH, valuesOf(row))).get("out")!);
}

const references = new Map<Case, readonly number[]>();

function referenceOf(row: Case): readonly number[] {
  let expected = references.get(row);
  if (expected === undefined) {
    expected = Array.from(evaluate(graphOf(row), BATCH, new Map(Object.entries(valuesOf(row)))).get("out")!);
    references.set(row, expected);
  }
  return expected;
}

/** The largest difference from the reference, relative to the reference's largest element. */
export function errorOf(row: Case, actual: readonly number[]): number {
  const expected = referenceOf(row);
  if (actual.length !== expected.length) return Infinity;
  const largest = expected.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const worst = actual.reduce((max, v, i) => Math.max(max, Math.abs(v - expected[i]!)), 0);
  return worst / Math.max(largest, 1e-30);
}
