import type { Backend } from "../../src/backends/backend.js";
import type { MatrixPrecision } from "../../src/backends/native/addon-engine.js";
import { createBackend } from "../../src/backends/registry.js";
import { average, maxAverage } from "../../src/attacks/forms.js";
import { pgd } from "../../src/attacks/pgd.js";
import { classify } from "../../src/inference/classify.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { TrainingStep } from "../../src/training/step.js";
import { tinyModel, TINY_ROW } from "../support/tiny.js";
import { cases } from "./cases.js";
import { runCase } from "./run-case.js";

const BATCH = 5;

/**
 * Runs every row of the conformance table once on the backend `cuda`, and then a small network's inference, attack and training step, all in this
 * process: for tools that watch it, such as compute-sanitizer (`scripts/gpu-check`). It compares nothing, which the suites do.
 *
 * @param precision other than fp32: only the rows that depend on it
 * @param say told what comes next
 */
export async function exercise(precision: MatrixPrecision, say: (what: string) => void): Promise<void> {
  using backend = await createBackend({ backend: "cuda", precision });
  for (const row of cases) {
    if (backend.supports(row.op) !== true) continue;
    if (precision !== "fp32" && !/^(conv|linear)/.test(row.op)) continue;
    say(row.title);
    await runCase(backend, row);
  }
  await exerciseNetwork(backend, say);
}

async function exerciseNetwork(backend: Backend, say: (what: string) => void): Promise<void> {
  using net = new Network(tinyModel, backend, initialParams(tinyModel, 0));
  const images = Float32Array.from({ length: BATCH * TINY_ROW }, (_, i) => ((i * 7919) % 256) / 255);
  const labels = Int32Array.from({ length: BATCH }, (_, n) => n % tinyModel.classes);
  say("adaptive inference");
  await classify(net, { exits: [1, 2, 3], thresholds: [1.2, 1.3] }, images);
  const method = pgd({ eps: 0.1, step: 0.02, steps: 3, seed: 0 });
  for (const attack of [average(method), maxAverage(method)]) {
    say(attack.toString());
    await attack.perturb(net, images, labels, { mode: "train" });
  }
  say("training step");
  using step = new TrainingStep(
    net,
    { momentum: 0.9, weightDecay: 1e-4, exitWeights: [1, 1, 1], dropout: true },
    BATCH,
  );
  await step.run({ batches: [{ images, labels }], learningRate: 0.1, maskSeed: Int32Array.of(1, 2) });
}
