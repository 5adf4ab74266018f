import { f32, type Spec } from "../ops/spec.js";
import type { Graph } from "../graph/types.js";
import { exitMacs, type Macs } from "../graph/cost.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { trace, type Tracer } from "../tensor/trace.js";
import { Random } from "../util/random.js";
import type { ParamSpec, Scope } from "./layers.js";

/**
 * A network with one or more exits: all that attacks, training and inference know of a model. Exits are numbered 1 … N in the order in which an
 * image meets them; exit N is the backbone's own output.
 */
export interface ExitModel {
  readonly name: string;
  /** The model without early exits, against which savings are counted; itself, if it has none. */
  readonly backbone: ExitModel;
  readonly classes: number;
  /** Channels, height and width of an image with values in [0, 1]. */
  readonly inputShape: readonly [number, number, number];
  readonly exits: number;
  readonly params: ReadonlyMap<string, ParamSpec>;
  /** Tensors that checkpoints of the authors hold although the network never uses them. */
  readonly ignoredWeights?: readonly string[];
  /** Of a model that computes in integers (see quantized-model.ts): what it was made of. */
  readonly quantization?: {
    readonly float: ExitModel;
    /** The values that the input of each layer takes. */
    readonly ranges: ReadonlyMap<string, { readonly high: number; readonly signed: boolean }>;
  };
  /** The logits [N, classes] of exits 1 … N. */
  forward(x: Tensor, scope: Scope): Tensor[];
}

export function imageSpec(model: ExitModel): Spec {
  return f32("N", ...model.inputShape);
}

/** A scope that takes its parameters from a trace: as at inference, or in train mode, where new statistics replace the old ones. */
export function tracedScope(model: ExitModel, tracer: Tracer, training?: { readonly random?: F.RandomSource }): Scope {
  return {
    param(name) {
      const param = model.params.get(name);
      if (param === undefined) throw new Error(`The model ${model.name} asked for ${name}, which it does not declare`);
      return tracer.param(name, param.spec);
    },
    ...(training && {
      training: {
        get random() {
          return training.random;
        },
        update: (name, value) => tracer.output(`${name}.next`, value, name),
      },
    }),
  };
}

/** The parameters that are learned. */
export function learnedParams(model: ExitModel): Map<string, ParamSpec> {
  return new Map([...model.params].filter(([, { statistic }]) => statistic !== true));
}

/**
 * The inference graph: input `images`, and for each exit i the outputs `exit<i>.logits`, `exit<i>.probabilities` and `exit<i>.entropy`.
 */
export function inferenceGraph(model: ExitModel): Graph {
  return trace((tracer) => {
    const images = tracer.input("images", imageSpec(model));
    model.forward(images, tracedScope(model, tracer)).forEach((logits, i) => {
      tracer.output(`exit${i + 1}.logits`, logits);
      tracer.output(`exit${i + 1}.probabilities`, F.softmax(logits));
      tracer.output(`exit${i + 1}.entropy`, F.entropy(logits));
    });
  });
}

/** The numbers of its exits: 1 … N. */
export function exitNumbers({ exits }: Pick<ExitModel, "exits">): number[] {
  return Array.from({ length: exits }, (_, i) => i + 1);
}

/** Names of the logits of every exit in an inference graph, in order. */
export function logitNames(model: ExitModel): string[] {
  return exitNumbers(model).map((exit) => `exit${exit}.logits`);
}

/** What leaving at each exit costs, in both ledgers. */
export function costOfExits(model: ExitModel): Macs[] {
  return exitMacs(inferenceGraph(model), logitNames(model));
}

/** What the plain backbone costs. */
export function costOfBackbone(model: ExitModel): Macs {
  return costOfExits(model.backbone).at(-1)!;
}

/** 1 − macs ÷ the plain backbone's, in each ledger. */
export function savingsOf(model: ExitModel, { paper, full }: Macs): Macs {
  const whole = costOfBackbone(model);
  return { paper: 1 - paper / whole.paper, full: 1 - full / whole.full };
}

/** Initial parameters; a function of the seed. */
export function initialParams(model: ExitModel, seed: number): Map<string, Float32Array> {
  return new Map(
    [...model.params].map(([name, { spec, init }], i) => [name, init(spec, new Random(seed, INIT_STREAM, i))]),
  );
}

/** Keeps the draws for initial weights apart from other uses of a seed. */
const INIT_STREAM = 0x1417;
