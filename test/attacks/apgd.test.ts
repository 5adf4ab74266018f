import { expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import { apgdCe } from "../../src/attacks/index.js";
import { apgdRule } from "../../src/attacks/apgd.js";
import { stepGraph, stepInputs } from "../../src/attacks/ascent.js";
import { BALLS } from "../../src/attacks/ball.js";
import { squareSide } from "../../src/attacks/square.js";
import { Executable, type HostValues } from "../../src/nn/executable.js";
import { Network } from "../../src/nn/network.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { referenceBackend } from "../support/backends.js";
import { TINY_ROW as ROW, tinyDataset, tinyModel } from "../support/tiny.js";

const STEPS = 30;
const COUNT = 4;
const { images: x, labels } = readFirst(tinyDataset(COUNT), COUNT);

it("judges, checks and halves as the paper says, step by step", async () => {
  using backend = await referenceBackend.open();
  using net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
  const method = apgdCe({ eps: 0.2, steps: STEPS, randomStart: false });
  const rule = apgdRule(BALLS.linf);
  const loss = { key: "single:3", exit: 3, exits: [3] };
  const graph = stepGraph(tinyModel, loss, "cross-entropy", rule, "eval");
  using program = new Executable(backend, graph, net.params, { maxBatch: COUNT });

  // Windows of ⌊0.22·30⌋ = 6 steps, then one of 5, 4, … less than it by max(1, ⌊0.03·30⌋) = 1, and at least 1.
  const checks = new Set([6, 11, 15, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  let inputs: HostValues = { ...stepInputs(rule, method, x, COUNT), origin: x, labels };
  let before: { best: Float32Array; step: Float32Array } = {
    best: new Float32Array(COUNT).fill(-Infinity),
    step: new Float32Array(COUNT).fill(0.4),
  };
  let halvings = 0;
  for (let t = 0; t <= STEPS; t++) {
    const outputs = await program.run(COUNT, inputs);
    inputs = {};
    const get = (name: string): Float32Array => (outputs.get(`state.${name}.next`) as Float32Array).slice();
    const [best, now, step, previous, kept] = ["bestLoss", "previousLoss", "step", "previous", "best"].map(get) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let n = 0; n < COUNT; n++) {
      expect(best[n]).toBe(Math.max(before.best[n]!, now[n]!));
      if (step[n] === before.step[n]) continue;
      halvings++;
      expect(step[n]).toBeCloseTo(before.step[n]! / 2, 6);
      expect(checks).toContain(t);
      // It goes on from the best image.
      expect(previous.subarray(n * ROW, (n + 1) * ROW)).toEqual(kept.subarray(n * ROW, (n + 1) * ROW));
    }
    before = { best, step };
  }
  expect(halvings).toBeGreaterThan(COUNT);
});

it("makes Square's squares smaller by the paper's schedule", () => {
  const side = (t: number): number => squareSide(t, 10_000, 100, 100);
  const expected = (halvings: number): number => Math.round(Math.sqrt((0.8 / 2 ** halvings) * 10_000));
  const halved = [11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001];
  expect(side(10)).toBe(expected(0));
  halved.forEach((t, k) => expect([side(t - 1), side(t)]).toEqual([expected(k), expected(k + 1)]));
  expect(squareSide(500, 1000, 28, 28)).toBe(squareSide(5000, 10_000, 28, 28));
  expect(squareSide(999, 1000, 3, 3)).toBe(1);
});
