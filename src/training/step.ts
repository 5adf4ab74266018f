import type { HostArray, ParamSet, Slot } from "../backends/backend.js";
import type { Graph } from "../graph/types.js";
import { Executable } from "../nn/executable.js";
import { imageSpec, learnedParams, tracedScope, type ExitModel } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import { f32, i32, imageElements, type Spec } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { gradients, trace } from "../tensor/trace.js";
import type { Disposable } from "../util/disposable.js";

export interface StepSettings {
  readonly momentum: number;
  readonly weightDecay: number;
  /** The weight of each exit's loss. */
  readonly exitWeights: readonly number[];
  readonly dropout: boolean;
}

/** Names the momentum of a parameter, and where its gradient is summed. */
const velocityOf = (param: string): string => `velocity.${param}`;
const gradientOf = (param: string): string => `gradient.${param}`;

/**
 * Adds to the summed gradients that of share · Σ w_i · mean ℓ_i over a batch, with the network in train mode. Inputs `images`, `labels`, `share` [], and where
 * there is dropout `seed` [2] and `ids` [N]; the outputs to read are `exit<i>.loss` [N]. Statistics of the network are updated.
 */
export function gradientGraph(model: ExitModel, settings: StepSettings): Graph {
  return trace((tracer) => {
    const labels = tracer.input("labels", i32("N"));
    const random = settings.dropout && { seed: tracer.input("seed", i32(2)), ids: tracer.input("ids", i32("N")) };
    const scope = tracedScope(model, tracer, { ...(random && { random }) });
    const losses = model
      .forward(tracer.input("images", imageSpec(model)), scope)
      .map((logits) => F.crossEntropy(logits, labels));
    losses.forEach((loss, i) => tracer.output(`exit${i + 1}.loss`, loss));

    const total = losses.map((loss, i) => F.mul(F.meanBatch(loss), settings.exitWeights[i]!)).reduce(F.add);
    const names = [...learnedParams(model).keys()];
    const weights = names.map((name) => scope.param(name));
    gradients(F.mul(total, tracer.input("share", f32())), weights).forEach((gradient, p) => {
      const sum = gradientOf(names[p]!);
      tracer.output(`${sum}.next`, F.add(tracer.param(sum, gradient.spec), gradient), sum);
    });
  });
}

/** A step by the summed gradients, as PyTorch's SGD: g += decay · w, v = momentum · v + g, w −= lr · v; the sums are zero again. Input `lr` []. */
function updateGraph(model: ExitModel, { momentum, weightDecay }: StepSettings): Graph {
  return trace((tracer) => {
    const lr = tracer.input("lr", f32());
    for (const [name, { spec }] of learnedParams(model)) {
      const [weight, velocity, sum] = [name, velocityOf(name), gradientOf(name)].map((param) =>
        tracer.param(param, spec),
      ) as [Tensor, Tensor, Tensor];
      const next = F.add(F.mul(velocity, momentum), F.add(sum, F.mul(weight, weightDecay)));
      tracer.output(`${velocityOf(name)}.next`, next, velocityOf(name));
      tracer.output(`${name}.next`, F.sub(weight, F.mul(next, lr)), name);
      tracer.output(`${gradientOf(name)}.next`, F.mul(sum, 0), gradientOf(name));
    }
  });
}

/** Images that are passed through the network together: batch norm sees these and no others. */
export interface StepBatch {
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

export interface StepInput {
  /** Each of as many images: the clean ones and the adversarial ones, say. */
  readonly batches: readonly StepBatch[];
  readonly learningRate: number;
  /** [2]; what the dropout masks depend on. Without dropout it is not used. */
  readonly maskSeed: Int32Array;
}

/**
 * The compiled training step of a network: stochastic gradient descent on the mean over the batches of Σ w_i · mean ℓ_i. It holds the optimizer's velocities,
 * which begin at 0, and changes the network's weights and statistics in place.
 */
export class TrainingStep implements Disposable {
  readonly #state: ParamSet;
  readonly #gradient: Executable;
  readonly #update: Executable;
  readonly #model: ExitModel;
  readonly #rows: number;
  readonly #dropout: boolean;

  /** @param rows images in every batch */
  constructor(net: Network, settings: StepSettings, rows: number) {
    const { model, backend } = net;
    this.#model = model;
    this.#rows = rows;
    this.#dropout = settings.dropout;
    const zeros = [...learnedParams(model)].flatMap(([name, { spec }]) =>
      [velocityOf(name), gradientOf(name)].map(
        (param) => [param, { spec, data: new Float32Array(imageElements(spec)) }] as const,
      ),
    );
    this.#state = backend.bindParams(new Map(zeros));
    const params = new JoinedParams(net.params, this.#state);
    let gradient: Executable | undefined;
    try {
      gradient = new Executable(backend, gradientGraph(model, settings), params, { maxBatch: rows });
      this.#update = new Executable(backend, updateGraph(model, settings), params, { maxBatch: 1 });
    } catch (error) {
      gradient?.dispose();
      this.#state.dispose();
      throw error;
    }
    this.#gradient = gradient;
  }

  /** Takes a step. Returns the loss of each image before it: by batch, then by exit. */
  async run({ batches, learningRate, maskSeed }: StepInput): Promise<Float32Array[][]> {
    const losses: Float32Array[][] = [];
    for (const [b, { images, labels }] of batches.entries()) {
      // Images of different batches have different masks.
      const ids = Int32Array.from({ length: this.#rows }, (_, n) => b * this.#rows + n);
      const masks = this.#dropout ? { seed: maskSeed, ids } : {};
      const inputs = { images, labels, share: Float32Array.of(1 / batches.length), ...masks };
      const outputs = await this.#gradient.run(this.#rows, inputs);
      losses.push(
        Array.from({ length: this.#model.exits }, (_, i) => outputs.get(`exit${i + 1}.loss`) as Float32Array),
      );
    }
    await this.#update.run(1, { lr: Float32Array.of(learningRate) });
    return losses;
  }

  /** Copies the velocities out, by parameter. */
  async velocities(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const name of learnedParams(this.#model).keys())
      values.set(name, (await this.#state.get(velocityOf(name))) as Float32Array);
    return values;
  }

  setVelocities(values: ReadonlyMap<string, Float32Array>): void {
    for (const [name, data] of values) this.#state.set(velocityOf(name), data);
  }

  dispose(): void {
    this.#gradient.dispose();
    this.#update.dispose();
    this.#state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A network's weights and the optimizer's state as one set; both keep their owners. */
class JoinedParams implements ParamSet {
  readonly specs: ReadonlyMap<string, Spec>;

  constructor(
    readonly weights: ParamSet,
    readonly state: ParamSet,
  ) {
    this.specs = new Map([...weights.specs, ...state.specs]);
  }

  get version(): number {
    // Versions only grow, and no two sets share one.
    return Math.max(this.weights.version, this.state.version);
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
    this.state.touch();
  }

  dispose(): void {
    // The owners of the two sets dispose of them.
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #ownerOf(name: string): ParamSet {
    return this.state.specs.has(name) ? this.state : this.weights;
  }
}
