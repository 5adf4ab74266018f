/** Writes plans for the fuzzer to start from, a file each, into the folder that is its argument: `scripts/fuzz`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { GraphBuilder } from "../../src/graph/builder.js";
import { optimize } from "../../src/graph/passes/optimize.js";
import { encodePlan } from "../../src/graph/plan/encode.js";
import { lowerAdaptive } from "../../src/graph/plan/lower-adaptive.js";
import { lower } from "../../src/graph/plan/lower.js";
import type { Graph } from "../../src/graph/types.js";
import { f32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import { gradients, trace } from "../../src/tensor/trace.js";
import { adaptivePlan, carryPlan, forwardPlan, parameterPlan, trainingPlan } from "../backends/plans.js";
import { cases } from "../conformance/cases.js";
import { residualNetwork, trainingGraph } from "../passes/networks.js";

const options = { maxBatch: 3, tile: 2 };

function operation({ op, inputs, attrs }: (typeof cases)[number]): Graph {
  const g = new GraphBuilder();
  const values = inputs.map((input, i) => (input === null ? null : g.input(`in${i}`, input.spec)));
  g.output("out", g.node(op, values, attrs as never));
  return g.build();
}

const attack = trace((t) => {
  const { x, exits } = residualNetwork(t);
  const origin = t.input("origin", f32("N", 3, 8, 8));
  const [gradient] = gradients(F.sumPerImage(exits[1]!), [x]);
  t.output("next", F.clamp(F.minimum(F.add(x, F.sign(gradient!)), F.add(origin, 0.1)), 0, 1), "x");
});

const exits = trace((t) => {
  residualNetwork(t).exits.forEach((logits, i) => {
    t.output(`exit${i + 1}.probabilities`, F.softmax(logits));
    t.output(`exit${i + 1}.entropy`, F.entropy(logits));
  });
});

const plans = [
  ...cases.map(operation).map((graph) => encodePlan(lower(graph, options))),
  ...[trainingGraph(), attack].map((graph) => encodePlan(lower(optimize(graph), options))),
  encodePlan(lowerAdaptive(optimize(exits), [1, 2], options)),
  ...[forwardPlan, carryPlan, trainingPlan, parameterPlan, adaptivePlan].map((make) => make(2, 3).words()),
];

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("Expected a folder for the plans but received nothing");
mkdirSync(folder, { recursive: true });
plans.forEach((words, i) => {
  writeFileSync(join(folder, `plan-${i}`), words);
});
console.log(`${plans.length} plans in ${folder}`);
