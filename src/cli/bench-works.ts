import { average, pgd } from "../attacks/index.js";
import { runAllExits } from "../inference/all-exits.js";
import { initialParams, type ExitModel } from "../nn/exit-model.js";
import { Network } from "../nn/network.js";
import type { Backend } from "../backends/backend.js";
import { TrainingStep } from "../training/step.js";
import type { Disposable } from "../util/disposable.js";
import { Random } from "../util/random.js";

/** What can be timed: inference with all exits; a step of PGD of the average form; a step of SGD. */
export const WORKS = ["forward", "pgd-step", "training-step"] as const;
export type WorkName = (typeof WORKS)[number];

/** A work that is ready to be done again and again. */
export interface Job extends Disposable {
  /** Images, and of PGD images × steps, of a call. */
  readonly units: number;
  run(): Promise<unknown>;
}

/** Steps of PGD in a call: its images come and go once. */
const STEPS = 5;
const [SEED, IMAGES, LABELS] = [0, 1, 2];

/** A work on random images and a network with its initial weights: neither changes the time. */
export function prepareWork(work: WorkName, model: ExitModel, backend: Backend, batch: number): Job {
  const net = new Network(model, backend, initialParams(model, SEED));
  const [images, labels] = randomBatch(model, batch);
  switch (work) {
    case "forward":
      return { ...disposing(net), units: batch, run: () => runAllExits(net, images, batch, batch) };
    case "pgd-step": {
      // As the paper attacks CIFAR-10; the size of the steps changes nothing here.
      const attack = average(pgd({ eps: 8 / 255, step: 2 / 255, steps: STEPS }));
      const run = (): Promise<unknown> => attack.perturb(net, images, labels, { batchSize: batch });
      return { ...disposing(net), units: batch * STEPS, run };
    }
    case "training-step": {
      const exitWeights = Array.from({ length: model.exits }, () => 1);
      const step = new TrainingStep(net, { momentum: 0.9, weightDecay: 1e-4, exitWeights, dropout: false }, batch);
      const input = { batches: [{ images, labels }], learningRate: 1e-6, maskSeed: new Int32Array(2) };
      return { ...disposing(step, net), units: batch, run: () => step.run(input) };
    }
  }
}

function randomBatch(model: ExitModel, batch: number): [Float32Array, Int32Array] {
  const pixels = new Random(SEED, IMAGES, 0);
  const classes = new Random(SEED, LABELS, 0);
  const images = new Float32Array(batch * model.inputShape.reduce((a, b) => a * b));
  return [
    images.map(() => pixels.uniform()),
    new Int32Array(batch).map(() => Math.floor(model.classes * classes.uniform())),
  ];
}

/** Ends them in this order. */
function disposing(...parts: readonly Disposable[]): Disposable {
  const dispose = (): void => parts.forEach((part) => part.dispose());
  return { dispose, [Symbol.dispose]: dispose };
}
