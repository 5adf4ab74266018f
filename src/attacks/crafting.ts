import type { Graph } from "../graph/types.js";
import { imageSpec, tracedScope, type ExitModel } from "../nn/exit-model.js";
import type { Executable, HostValues } from "../nn/executable.js";
import type { Network } from "../nn/network.js";
import { f32, i32 } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { gradients, trace, type Tracer } from "../tensor/trace.js";
import { Random, seedOf } from "../util/random.js";
import type { AttackMethod, UpdateRule } from "./method.js";

/** Whether the network runs as at inference or as while it is trained. */
export type CraftMode = "eval" | "train";

/** A loss of each image that an attack raises. Losses of one key are one function of the model. */
export interface AttackLoss {
  readonly key: string;
  /** The exit attacked, or 0 where it is no single one; names the random start, so that the attacks of max-average begin apart. */
  readonly exit: number;
  /** From the cross-entropies [N] of exits 1 … N. */
  of(losses: readonly Tensor[]): Tensor;
}

/** A form of attack: the losses that are raised, each by itself. Of several results the one with the largest loss summed over `exits` is kept. */
export interface Form {
  readonly name: string;
  /** The exits that the attack is aimed at, numbered from 1; all of the model's if absent. */
  readonly exits?: readonly number[];
  /** @throws ArgumentError if the model lacks an exit that the form names. */
  losses(model: ExitModel): readonly AttackLoss[];
  readonly reportsChosen: boolean;
}

/** Images on their way through an attack. */
export interface CraftBatch {
  readonly size: number;
  /** The batch that programs are compiled for. */
  readonly capacity: number;
  readonly mode: CraftMode;
  readonly images: Float32Array;
  readonly labels: Int32Array;
  readonly ids: Int32Array;
}

/** The worst of the attacks on each of the losses, for each image, and the exit that it attacked; of equally bad ones the first. */
export async function craftBatch(
  net: Network,
  form: Form,
  method: AttackMethod,
  batch: CraftBatch,
): Promise<{ images: Float32Array; chosen: Int32Array }> {
  const [first, ...others] = form.losses(net.model) as [AttackLoss, ...AttackLoss[]];
  const images = await ascend(net, first, method, batch);
  const chosen = new Int32Array(batch.size).fill(first.exit);
  if (others.length === 0) return { images, chosen };
  const best = await score(net, form, method, batch, images);
  const row = images.length / batch.size;
  for (const loss of others) {
    const candidates = await ascend(net, loss, method, batch);
    const scores = await score(net, form, method, batch, candidates);
    for (let n = 0; n < batch.size; n++) {
      if (!(scores[n]! > best[n]!)) continue;
      best[n] = scores[n]!;
      chosen[n] = loss.exit;
      images.set(candidates.subarray(n * row, (n + 1) * row), n * row);
    }
  }
  return { images, chosen };
}

/** All the steps of the attack on one loss. */
async function ascend(net: Network, loss: AttackLoss, method: AttackMethod, batch: CraftBatch): Promise<Float32Array> {
  const { rule, steps } = method;
  const { size, capacity, mode, images, labels } = batch;
  const program = net.executable(`attack:${rule.name}:${loss.key}:${mode}`, capacity, () =>
    stepGraph(net.model, loss, rule, mode),
  );
  const inputs: HostValues = {
    x: method.randomStart ? await randomStart(net, loss, method, batch) : images,
    origin: images,
    labels,
    eps: Float32Array.of(method.eps),
    step: Float32Array.of(method.step),
    ...Object.fromEntries(rule.counters.map((name) => [name, new Float32Array(size)])),
  };
  const run = (values: HostValues, repeat: number): ReturnType<typeof program.run> =>
    program.run(size, values, { repeat, outputs: ["next"] });
  let result: Awaited<ReturnType<typeof run>>;
  if (!masked(program)) {
    result = await run(inputs, steps);
  } else {
    result = await run({ ...inputs, ids: batch.ids, seed: maskSeed(method, loss, 0) }, 1);
    // What is not given anew keeps what the step before left.
    for (let t = 1; t < steps; t++) result = await run({ seed: maskSeed(method, loss, t) }, 1);
  }
  const adversarial = result.get("next") as Float32Array;
  if (rule.bounded) project(adversarial, images, method.eps);
  return adversarial;
}

/** One step of an attack: input `x` is replaced by output `next`. */
function stepGraph(model: ExitModel, loss: AttackLoss, rule: UpdateRule, mode: CraftMode): Graph {
  return trace((tracer) => {
    const x = tracer.input("x", imageSpec(model));
    const [gradient] = gradients(loss.of(exitLosses(model, tracer, x, mode)), [x]);
    const next = rule.next({
      tracer,
      x,
      gradient: gradient!,
      origin: tracer.input("origin", imageSpec(model)),
      eps: tracer.input("eps", f32()),
      step: tracer.input("step", f32()),
    });
    tracer.output("next", next, "x");
  });
}

/** The cross-entropy [N] of every exit against the input `labels`. */
function exitLosses(model: ExitModel, tracer: Tracer, x: Tensor, mode: CraftMode): Tensor[] {
  const labels = tracer.input("labels", i32("N"));
  return model
    .forward(x, tracedScope(model, tracer, mode === "train" ? lazyRandom(tracer) : undefined))
    .map((logits) => F.crossEntropy(logits, labels));
}

/** A source of random masks whose inputs are made only if there are masks. */
function lazyRandom(tracer: Tracer): { readonly random: F.RandomSource } {
  return {
    get random() {
      return randomSource(tracer);
    },
  };
}

/** Whether a program in train mode needs new masks for every step. */
function masked(program: Executable): boolean {
  return program.graph.inputs.has("seed");
}

function randomSource(tracer: Tracer): F.RandomSource {
  return { seed: tracer.input("seed", i32(2)), ids: tracer.input("ids", i32("N")) };
}

/** Each image moved uniformly inside ±ε and clipped to [0, 1]: a function of (seed, image id, exit attacked). */
async function randomStart(
  net: Network,
  { exit }: AttackLoss,
  method: AttackMethod,
  batch: CraftBatch,
): Promise<Float32Array> {
  const program = net.executable(`attack-start:${exit}`, batch.capacity, () =>
    trace((tracer) => {
      const x = tracer.input("x", imageSpec(net.model));
      const noise = F.randomUniform(randomSource(tracer), x.spec.shape, -1, 1, START_STREAM + exit);
      tracer.output("start", F.clamp(F.add(x, F.mul(noise, tracer.input("eps", f32()))), 0, 1));
    }),
  );
  const { lo, hi } = seedOf(method.seed);
  const inputs = { x: batch.images, eps: Float32Array.of(method.eps), seed: Int32Array.of(lo, hi), ids: batch.ids };
  return (await program.run(batch.size, inputs)).get("start") as Float32Array;
}

/** Σ of each image's losses over the exits of the form. */
async function score(
  net: Network,
  { exits }: Form,
  method: AttackMethod,
  batch: CraftBatch,
  images: Float32Array,
): Promise<Float32Array> {
  const { size, capacity, mode, labels, ids } = batch;
  const program = net.executable(`attack-score:${exits?.join() ?? "all"}:${mode}`, capacity, () =>
    trace((tracer) => {
      const x = tracer.input("x", imageSpec(net.model));
      const losses = exitLosses(net.model, tracer, x, mode);
      tracer.output("score", (exits?.map((exit) => losses[exit - 1]!) ?? losses).reduce(F.add));
    }),
  );
  const masks: HostValues = masked(program) ? { ids, seed: maskSeed(method, undefined, method.steps) } : {};
  return (await program.run(size, { x: images, labels, ...masks })).get("score") as Float32Array;
}

/** The seed of the dropout masks of step t; `loss` undefined: of the scoring. */
function maskSeed({ seed }: AttackMethod, loss: AttackLoss | undefined, t: number): Int32Array {
  const random = new Random(seed, MASK_STREAM, loss?.exit ?? -1, t);
  return Int32Array.of(random.word(), random.word());
}

/** Streams that keep an attack's draws apart from other uses of a seed. */
const START_STREAM = 0xa77ac0;
const MASK_STREAM = 0xa77ac1;

/** Puts images back into the ε-ball around `origin` and into [0, 1], so that no backend's rounding can leave them. */
function project(images: Float32Array, origin: Float32Array, eps: number): void {
  for (let i = 0; i < images.length; i++) {
    images[i] = Math.min(Math.max(images[i]!, origin[i]! - eps, 0), origin[i]! + eps, 1);
  }
}
