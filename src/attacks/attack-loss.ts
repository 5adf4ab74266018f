import { tracedScope, type ExitModel } from "../nn/exit-model.js";
import type { Executable } from "../nn/executable.js";
import { i32 } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Tracer } from "../tensor/trace.js";
import { Random } from "../util/random.js";
import type { AttackSettings, CraftMode } from "./method.js";

/** What an attack can raise at an exit: see the functions of `functional` of these names; `uncertainty` is −`uniformCrossEntropy`. */
export type LossName = "cross-entropy" | "dlr" | "margin" | "uncertainty";

const LOSSES: Readonly<Record<LossName, (logits: Tensor, labels: Tensor) => Tensor>> = {
  "cross-entropy": F.crossEntropy,
  dlr: F.dlr,
  margin: F.margin,
  uncertainty: (logits) => F.neg(F.uniformCrossEntropy(logits)),
};

/** What an attack raises for each image: the mean of a loss over exits. Losses of one key are one function of the model. */
export interface AttackLoss {
  readonly key: string;
  /** The exit attacked, or 0 where it is no single one; names the random start, so that the attacks of max-average begin apart. */
  readonly exit: number;
  /** The exits whose losses are averaged. */
  readonly exits: readonly number[];
  /** The loss of an exit; the method's if absent. */
  readonly of?: LossName;
}

/** The mean [N] of the losses over the exits of an attack. */
export function meanLoss({ exits }: AttackLoss, losses: readonly Tensor[]): Tensor {
  const sum = exits.map((exit) => losses[exit - 1]!).reduce(F.add);
  return exits.length === 1 ? sum : F.mul(sum, 1 / exits.length);
}

/** The loss [N] of exits 1 … N, against the input `labels`; in train mode, where there is dropout, with the masks of the inputs `seed` and `ids`. */
export function exitLosses(model: ExitModel, tracer: Tracer, x: Tensor, mode: CraftMode, loss: LossName): Tensor[] {
  const labels = tracer.input("labels", i32("N"));
  const training = {
    // The inputs are made only if a layer asks for them.
    get random() {
      return randomSource(tracer);
    },
  };
  return model
    .forward(x, tracedScope(model, tracer, mode === "train" ? training : undefined))
    .map((logits) => LOSSES[loss](logits, labels));
}

/** Whether a program draws masks, anew in every step. */
export function drawsMasks({ graph }: Executable): boolean {
  return graph.inputs.has("seed");
}

export function randomSource(tracer: Tracer): F.RandomSource {
  return { seed: tracer.input("seed", i32(2)), ids: tracer.input("ids", i32("N")) };
}

/** The seed of the dropout masks of step t; `loss` undefined: of the scoring. */
export function maskSeed({ seed }: AttackSettings, loss: AttackLoss | undefined, t: number): Int32Array {
  const random = new Random(seed, MASK_STREAM, loss?.exit ?? -1, t);
  return Int32Array.of(random.word(), random.word());
}

/** Keeps the draws of masks apart from other uses of a seed. */
const MASK_STREAM = 0xa77ac1;
