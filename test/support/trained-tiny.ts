import { attackForm, pgd } from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { readBatch } from "../../src/data/dataset.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { TrainingStep } from "../../src/training/step.js";
import { tinyDataset, tinyModel } from "./tiny.js";

const ITERATIONS = 80;
const BATCH = 32;

/** Weights of the tiny network after a few adversarial steps, with attacks of this ε: about a second. */
export async function trainedTiny(backend: Backend, eps: number): Promise<Map<string, Float32Array>> {
  using net = new Network(tinyModel, backend, initialParams(tinyModel, 3));
  const settings = { momentum: 0.9, weightDecay: 0, exitWeights: [1, 1, 1], dropout: false };
  using step = new TrainingStep(net, settings, BATCH);
  const dataset = tinyDataset(ITERATIONS * BATCH, 7);
  for (let t = 0; t < ITERATIONS; t++) {
    const indices = Uint32Array.from({ length: BATCH }, (_, i) => t * BATCH + i);
    const { images, labels } = readBatch(dataset, indices);
    const attack = attackForm("average", pgd({ eps, step: eps / 2, steps: 3, seed: t }));
    const adversarial = await attack.perturb(net, images, labels);
    await step.run({
      batches: [{ images: adversarial, labels }],
      learningRate: 0.05,
      maskSeed: Int32Array.of(0, t),
    });
  }
  return await net.weights();
}
