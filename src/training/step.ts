import type { HostArray, ParamSet, Slot } from "../backends/backend.js";
import type { Graph } from "../graph/types.js";
import { Executable } from "../nn/executable.js";
import { imageSpec, tracedScope, type ExitModel } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import { f32, i32, imageElements, type Spec } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import { gradients, trace } from "../tensor/trace.js";
import type { Disposable } from "../util/disposable.js";

export interface StepSettings {
  readonly momentum: number;
  readonly weightDecay: number;
  /** The weight of each exit's loss. */
  readonly exitWeights: readonly number[];
  readonly dropout: boolean;
}

/** Names the momentum of a parameter. */
const velocityOf = (param: string): string => `velocity.${param}`;

/**
 * A step of stochastic gradient descent on Σ w_i · mean ℓ_i over the batch, as PyTorch's SGD: g += decay · w, v = momentum · v + g, w −= lr · v.
 * Inputs `images`, `labels`, `lr` [], and where there is dropout `seed` [2] and `ids` [N]; weights and velocities are parameters that the step
 * replaces; the outputs to read are `exit<i>.loss` [N]. A batch of clean images followed by their adversarial ones gives ½(ℓ_i(x) + ℓ_i(x_adv)).
 */
export function trainingGraph(model: ExitModel, settings: StepSettings): Graph {
  return trace((tracer) => {
    const labels = tracer.input("labels", i32("N"));
    const random = settings.dropout
      ? { seed: tracer.input("seed", i32(2)), ids: tracer.input("ids", i32("N")) }
      : undefined;
    const scope = tracedScope(model, tracer, { ...(random && { random }) });
    const losses = model
      .forward(tracer.input("images", imageSpec(model)), scope)
      .map((logits) => F.crossEntropy(logits, labels));
    losses.forEach((loss, i) => tracer.output(`exit${i + 1}.loss`, loss));

    const total = losses.map((loss, i) => F.mul(F.meanBatch(loss), settings.exitWeights[i]!)).reduce(F.add);
    const names = [...model.params.keys()];
    const weights = names.map((name) => scope.param(name));
    const lr = tracer.input("lr", f32());
    gradients(total, weights).forEach((gradient, p) => {
      const name = names[p]!;
      const weight = weights[p]!;
      const velocity = tracer.param(velocityOf(name), weight.spec);
      const next = F.add(F.mul(velocity, settings.momentum), F.add(gradient, F.mul(weight, settings.weightDecay)));
      tracer.output(`${velocityOf(name)}.next`, next, velocityOf(name));
      tracer.output(`${name}.next`, F.sub(weight, F.mul(next, lr)), name);
    });
  });
}

export interface StepBatch {
  readonly images: Float32Array;
  readonly labels: Int32Array;
  readonly learningRate: number;
  /** [2]; what the dropout masks depend on. Without dropout it is not used. */
  readonly maskSeed: Int32Array;
}

/** The compiled training step of a network, with the optimizer's velocities, which begin at 0. It changes the network's weights in place. */
export class TrainingStep implements Disposable {
  readonly #velocities: ParamSet;
  readonly #program: Executable;
  readonly #model: ExitModel;
  readonly #rows: number;
  readonly #ids: Int32Array;

  /** @param rows images in every batch, adversarial ones included */
  constructor(net: Network, settings: StepSettings, rows: number) {
    const { model, backend } = net;
    this.#model = model;
    this.#rows = rows;
    this.#ids = Int32Array.from({ length: rows }, (_, n) => n);
    const zeros = [...model.params].map(
      ([name, { spec }]) => [velocityOf(name), { spec, data: new Float32Array(imageElements(spec)) }] as const,
    );
    this.#velocities = backend.bindParams(new Map(zeros));
    try {
      const params = new JoinedParams(net.params, this.#velocities);
      this.#program = new Executable(backend, trainingGraph(model, settings), params, { maxBatch: rows });
    } catch (error) {
      this.#velocities.dispose();
      throw error;
    }
  }

  /** Takes a step. Returns the loss of each image at each exit before it, by exit. */
  async run({ images, labels, learningRate, maskSeed }: StepBatch): Promise<Float32Array[]> {
    const masks = this.#program.graph.inputs.has("seed") ? { seed: maskSeed, ids: this.#ids } : {};
    const inputs = { images, labels, lr: Float32Array.of(learningRate), ...masks };
    const outputs = await this.#program.run(this.#rows, inputs);
    return Array.from({ length: this.#model.exits }, (_, i) => outputs.get(`exit${i + 1}.loss`) as Float32Array);
  }

  /** Copies the velocities out, by parameter. */
  async velocities(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const name of this.#model.params.keys())
      values.set(name, (await this.#velocities.get(velocityOf(name))) as Float32Array);
    return values;
  }

  setVelocities(values: ReadonlyMap<string, Float32Array>): void {
    for (const [name, data] of values) this.#velocities.set(velocityOf(name), data);
  }

  dispose(): void {
    this.#program.dispose();
    this.#velocities.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A network's weights and the optimizer's velocities as one set; both keep their owners. */
class JoinedParams implements ParamSet {
  readonly specs: ReadonlyMap<string, Spec>;

  constructor(
    readonly weights: ParamSet,
    readonly velocities: ParamSet,
  ) {
    this.specs = new Map([...weights.specs, ...velocities.specs]);
  }

  get version(): number {
    // Versions only grow, and no two sets share one.
    return Math.max(this.weights.version, this.velocities.version);
  }

  slot(name: string): Slot {
    return this.#ownerOf(name).slot(name);
  }

  set(name: string, data: HostArray): void {
    this.#ownerOf(name).set(name, data);
  }

  get(name: string): Promise<HostArray> {
    return this.#ownerOf(name).get(name);
  }

  touch(): void {
    this.weights.touch();
    this.velocities.touch();
  }

  dispose(): void {
    // The owners of the two sets dispose of them.
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #ownerOf(name: string): ParamSet {
    return this.velocities.specs.has(name) ? this.velocities : this.weights;
  }
}
