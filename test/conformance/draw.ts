import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/types.js";
import { concreteShape, product } from "../../src/ops/spec.js";
import { Random } from "../../src/util/random.js";
import type { Case, CaseInput } from "./cases.js";

/** The operation of a row on inputs `in0`, `in1` …, with the output `out`. */
export function graphOf(row: Case): Graph {
  const g = new GraphBuilder();
  const ins = row.inputs.map((input, i) => (input === null ? null : g.input(`in${i}`, input.spec)));
  g.output("out", g.node(row.op, ins, row.attrs as never));
  return g.build();
}

/** Numbers for every input of a row, by name; the same in every run. */
export function drawInputs(row: Case, batch: number): Record<string, Float32Array | Int32Array> {
  const random = new Random(1, row.title.length);
  return Object.fromEntries(
    row.inputs.flatMap((input, i) => (input === null ? [] : [[`in${i}`, draw(input, batch, random)]])),
  );
}

/** Seeded numbers for an input of a case. float32-exact, so that every backend is given the same. */
export function draw({ spec, draw: kind }: CaseInput, batch: number, random: Random): Float32Array | Int32Array {
  const count = product(concreteShape(spec, batch));
  const fill = (f: (i: number) => number): Float32Array => Float32Array.from({ length: count }, (_, i) => f(i));
  switch (kind) {
    case "normal":
      return fill(() => random.normal());
    case "positive":
      return fill(() => random.uniform(0.5, 2));
    case "flags":
      return fill(() => random.integer(2));
    case "distinct": {
      // No ties and no near-ties, so that a maximum stays where it is when an element is nudged.
      const order = random.permutation(count);
      return fill((i) => order[i]! / 8 - count / 16);
    }
    case "labels":
      return Int32Array.from({ length: count }, () => random.integer(10));
    case "ids":
      return Int32Array.from({ length: count }, (_, i) => 1000 * i + 7);
    case "seed":
      return Int32Array.of(123456789, -5);
  }
}
