import { imageSpec, tracedScope, type ExitModel } from "../nn/exit-model.js";
import { checkImages, checkLabels, type Network } from "../nn/network.js";
import type { Graph } from "../graph/types.js";
import { i32 } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import { gradients, trace } from "../tensor/trace.js";

/** Why attacks may make a model look more robust than it is. */
export interface ModelWarning {
  readonly kind: "vanishing-gradients" | "probabilities";
  readonly exit: number;
  /** The fraction of the images that show it. */
  readonly fraction: number;
  /** For people. */
  readonly message: string;
}

/** Gradients whose magnitudes sum to less are as good as none. */
const VANISHED = 1e-12;
/** The fraction of vanished gradients that is worth a warning. */
const TOLERATED = 0.01;
/** How near 1 the outputs of an image sum if they are probabilities in float32. */
const SUM_TOLERANCE = 1e-4;

/**
 * Looks, on clean images x [n,C,H,W] in [0, 1] with labels y [n], for what makes attacks by gradients fail for reasons other than robustness, as
 * AutoAttack does (its `checks.py`): gradients of an exit's cross-entropy that vanish, and outputs that are probabilities where logits are expected.
 *
 * @throws ArgumentError for images or labels that do not fit the model
 */
export async function checkModel(net: Network, x: Float32Array, y: Int32Array): Promise<ModelWarning[]> {
  const count = checkImages(net.model, x);
  checkLabels(net.model, y, count);
  const capacity = Math.min(256, 2 ** Math.ceil(Math.log2(count)));
  const { exits, classes } = net.model;
  const program = net.executable("check-model", capacity, () => checkGraph(net.model));
  const vanished = new Array<number>(exits).fill(0);
  const probable = new Array<number>(exits).fill(0);
  const row = x.length / count;
  for (let start = 0; start < count; start += capacity) {
    const end = Math.min(start + capacity, count);
    const inputs = { x: x.subarray(start * row, end * row), labels: y.subarray(start, end) };
    const outputs = await program.run(end - start, inputs);
    for (let i = 0; i < exits; i++) {
      const slopes = outputs.get(`exit${i + 1}.slope`)!;
      const logits = outputs.get(`exit${i + 1}.logits`)!;
      for (let n = 0; n < end - start; n++) {
        vanished[i]! += Number(!(slopes[n]! >= VANISHED));
        probable[i]! += Number(isDistribution(logits.subarray(n * classes, (n + 1) * classes)));
      }
    }
  }
  return Array.from({ length: exits }, (_, i) => warningsOf(i + 1, vanished[i]! / count, probable[i]! / count)).flat();
}

function warningsOf(exit: number, vanished: number, probable: number): ModelWarning[] {
  const percent = `${(100 * vanished).toFixed(1)}%`;
  const warnings: ModelWarning[] = [];
  if (vanished > TOLERATED)
    warnings.push({
      kind: "vanishing-gradients",
      exit,
      fraction: vanished,
      message: `the gradient of exit ${exit} vanishes at ${percent} of the clean images, so that attacks by gradients of the cross-entropy may fail there; try apgd-dlr and square`,
    });
  if (probable === 1)
    warnings.push({
      kind: "probabilities",
      exit,
      fraction: probable,
      message: `the outputs of exit ${exit} look like probabilities (in [0, 1], with the sum 1), not logits; their softmax has nearly no gradient`,
    });
  return warnings;
}

/** For each exit its logits, and the sum of magnitudes of the gradient of its cross-entropy. */
function checkGraph(model: ExitModel): Graph {
  return trace((tracer) => {
    const x = tracer.input("x", imageSpec(model));
    const labels = tracer.input("labels", i32("N"));
    model.forward(x, tracedScope(model, tracer)).forEach((logits, i) => {
      const [gradient] = gradients(F.crossEntropy(logits, labels), [x]);
      tracer.output(`exit${i + 1}.logits`, logits);
      tracer.output(`exit${i + 1}.slope`, F.sumPerImage(F.abs(gradient!)));
    });
  });
}

function isDistribution(row: ArrayLike<number>): boolean {
  const values = Array.from(row);
  return (
    values.every((value) => value >= 0 && value <= 1) &&
    Math.abs(values.reduce((sum, value) => sum + value, 0) - 1) <= SUM_TOLERANCE
  );
}
