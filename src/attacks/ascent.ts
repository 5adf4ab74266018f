import type { Graph } from "../graph/types.js";
import type { HostValues } from "../nn/executable.js";
import { imageSpec, type ExitModel } from "../nn/exit-model.js";
import { f32 } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { gradients, trace } from "../tensor/trace.js";
import { Random, seedOf } from "../util/random.js";
import {
  drawsMasks,
  exitLosses,
  maskSeed,
  meanLoss,
  randomSource,
  type AttackLoss,
  type LossName,
} from "./attack-loss.js";
import { BALLS } from "./ball.js";
import type { AttackSettings, CraftMode, Search, SearchContext } from "./method.js";

/** A value that each image carries from step to step. */
export interface StateSpec {
  /** A scalar [N], or one of an image's shape. */
  readonly shape: "scalar" | "image";
  /** What it begins with; `start`: the images that the search begins at. */
  readonly initial: number | "start" | ((settings: AttackSettings) => number);
}

/** What a step of an attack is computed from, inside a trace. */
export interface StepContext<S extends string, C extends string> {
  /** The images so far, [N,C,H,W]. */
  readonly x: Tensor;
  /** The clean images. */
  readonly origin: Tensor;
  /** What the attack raises, [N], at `x`, and its gradient with respect to `x`. */
  readonly loss: Tensor;
  readonly gradient: Tensor;
  /** ε and the step size, []. */
  readonly eps: Tensor;
  readonly step: Tensor;
  readonly state: Readonly<Record<S, Tensor>>;
  readonly constants: Readonly<Record<C, Tensor>>;
}

/** How an attack moves the images by gradients. Rules of one name are one function: compiled programs are kept by that name. */
export interface UpdateRule<S extends string = never, C extends string = never> {
  readonly name: string;
  readonly state: Readonly<Record<S, StateSpec>>;
  /** Scalars [] that follow from the settings, so that one program serves all of them. */
  readonly constants: Readonly<Record<C, (settings: AttackSettings) => number>>;
  /**
   * The state that holds the result. A step takes what it begins at into account there; so one more is run, for the images of the last. Absent: the
   * result is `x` after the last step.
   */
  readonly result?: S;
  /** The images and the state after the step. */
  next(context: StepContext<S, C>): { readonly x: Tensor; readonly state: Readonly<Record<S, Tensor>> };
}

const stateName = (name: string): string => `state.${name}`;
const constantName = (name: string): string => `constant.${name}`;

/** The search of a rule: all its steps run inside the backend. */
export function ascent<S extends string, C extends string>(rule: UpdateRule<S, C>): Search {
  return async (context) => {
    const { net, loss, method, batch } = context;
    const { size, capacity, mode, images } = batch;
    const program = net.executable(`attack:${rule.name}:${method.loss}:${loss.key}:${mode}`, capacity, () =>
      stepGraph(net.model, loss, method.loss, rule, mode),
    );
    const start = method.randomStart ? await randomStart(context) : images;
    const inputs = { ...stepInputs(rule, method, start, size), origin: images, labels: batch.labels };
    const result = rule.result === undefined ? "next" : `${stateName(rule.result)}.next`;
    const steps = method.steps + (rule.result === undefined ? 0 : 1);
    const run = (values: HostValues, repeat: number): ReturnType<typeof program.run> =>
      program.run(size, values, { repeat, outputs: [result], signal: batch.signal });
    let outputs: Awaited<ReturnType<typeof run>>;
    if (!drawsMasks(program)) {
      outputs = await run(inputs, steps);
    } else {
      outputs = await run({ ...inputs, ids: batch.ids, seed: maskSeed(method, loss, 0) }, 1);
      // What is not given anew keeps what the step before left.
      for (let t = 1; t < steps; t++) outputs = await run({ seed: maskSeed(method, loss, t) }, 1);
    }
    const adversarial = outputs.get(result) as Float32Array;
    if (method.norm !== undefined) BALLS[method.norm].projectImages(adversarial, images, method.eps, size);
    return { images: adversarial };
  };
}

/** One step of an attack: input `x` is replaced by output `next`, and `state.<name>` by `state.<name>.next`. */
export function stepGraph<S extends string, C extends string>(
  model: ExitModel,
  attackLoss: AttackLoss,
  methodLoss: LossName,
  rule: UpdateRule<S, C>,
  mode: CraftMode,
): Graph {
  return trace((tracer) => {
    const x = tracer.input("x", imageSpec(model));
    const loss = meanLoss(attackLoss, exitLosses(model, tracer, x, mode, attackLoss.of ?? methodLoss));
    const [gradient] = gradients(loss, [x]);
    const next = rule.next({
      x,
      loss,
      gradient: gradient!,
      origin: tracer.input("origin", imageSpec(model)),
      eps: tracer.input("eps", f32()),
      step: tracer.input("step", f32()),
      state: mapRecord(rule.state, ({ shape }, name) =>
        tracer.input(stateName(name), shape === "scalar" ? f32("N") : imageSpec(model)),
      ),
      constants: mapRecord(rule.constants, (_, name) => tracer.input(constantName(name), f32())),
    });
    tracer.output("next", next.x, "x");
    for (const [name, value] of Object.entries<Tensor>(next.state))
      tracer.output(`${stateName(name)}.next`, value, stateName(name));
  });
}

/** The inputs of the first step on `size` images, but for the clean images and the labels. */
export function stepInputs<S extends string, C extends string>(
  rule: UpdateRule<S, C>,
  settings: AttackSettings,
  start: Float32Array,
  size: number,
): HostValues {
  const inputs: Record<string, Float32Array> = {
    x: start,
    eps: Float32Array.of(settings.eps),
    step: Float32Array.of(settings.step),
  };
  for (const [name, { shape, initial }] of Object.entries<StateSpec>(rule.state)) {
    const value = typeof initial === "function" ? initial(settings) : initial;
    inputs[stateName(name)] =
      value === "start" ? start : new Float32Array(shape === "scalar" ? size : start.length).fill(value);
  }
  for (const [name, value] of Object.entries<(settings: AttackSettings) => number>(rule.constants))
    inputs[constantName(name)] = Float32Array.of(value(settings));
  return inputs;
}

function mapRecord<K extends string, A, B>(
  record: Readonly<Record<K, A>>,
  f: (value: A, key: K) => B,
): Readonly<Record<K, B>> {
  const entries = Object.entries<A>(record).map(([key, value]) => [key, f(value, key as K)] as const);
  return Object.fromEntries(entries) as Record<K, B>;
}

/** Each image moved at random inside the ball and clipped to [0, 1]: a function of (seed, image id, exit attacked). */
function randomStart(context: SearchContext): Promise<Float32Array> {
  return context.method.norm === "l2" ? Promise.resolve(startInSphere(context)) : startInCube(context);
}

/** Uniform inside ±ε. */
async function startInCube({ net, loss: { exit }, method, batch }: SearchContext): Promise<Float32Array> {
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

/** Uniform inside the Euclidean ball: a normal vector's direction, and the radius of which the volume is uniform. */
function startInSphere({ loss: { exit }, method: { eps, seed }, batch }: SearchContext): Float32Array {
  const start = batch.images.slice();
  const row = start.length / batch.size;
  for (let n = 0; n < batch.size; n++) {
    const random = new Random(seed, START_STREAM + exit, batch.ids[n]!);
    const radius = eps * random.uniform() ** (1 / row);
    const noise = Float64Array.from({ length: row }, () => random.normal());
    const scale = radius / Math.sqrt(noise.reduce((sum, v) => sum + v * v, 0));
    for (let i = 0; i < row; i++)
      start[n * row + i] = Math.min(Math.max(start[n * row + i]! + scale * noise[i]!, 0), 1);
  }
  return start;
}

/** Keeps the draws of starts apart from other uses of a seed. */
const START_STREAM = 0xa77ac0;
