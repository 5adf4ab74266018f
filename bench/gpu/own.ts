import type { Backend } from "../../src/backends/backend.js";
import type { MatrixPrecision } from "../../src/backends/native/addon-engine.js";
import type { Network } from "../../src/nn/network.js";
import { rdi, TrainingStep } from "../library.js";
import { slotsOf } from "../adaptive-runs.js";
import {
  comparedSteps,
  firstLearningRate,
  images,
  joined,
  learningRate,
  logitsGraph,
  weights,
  workload,
} from "../network/workload.js";
import type { GpuWork } from "./work.js";

/** A work of ours, ready to be done; and what of it is compared. */
export interface OwnJob {
  readonly run: () => Promise<unknown>;
  readonly results: () => Promise<Float32Array>;
  readonly dispose: () => void;
}

/** Our side, on the backend `cuda`, with an engine for each precision. */
export class Own {
  readonly #backends = new Map<MatrixPrecision, Backend>();

  async backend(precision: MatrixPrecision): Promise<Backend> {
    const known = this.#backends.get(precision);
    if (known !== undefined) return known;
    const backend = await rdi.createBackend({ backend: "cuda", precision });
    this.#backends.set(precision, backend);
    return backend;
  }

  async prepare(work: GpuWork): Promise<OwnJob> {
    const { model } = workload(work.model);
    const net = new rdi.Network(model, await this.backend(work.precision), weights(model));
    try {
      const prepare = work.kind === "forward" ? forward : work.kind === "training" ? training : attack;
      const job = prepare(net, work);
      return { ...job, dispose: () => (job.dispose(), net.dispose()) };
    } catch (error) {
      net.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const backend of this.#backends.values()) backend.dispose();
  }
}

function forward({ backend, model, params }: Network, { batch }: GpuWork): OwnJob {
  const graph = logitsGraph(model);
  const plan = backend.compile(graph, params, { maxBatch: batch });
  const slots = slotsOf(backend, graph, batch);
  backend.write(slots.get("images")!, images(model, batch).x);
  const run = async (): Promise<void> => {
    plan.run(batch, slots);
    await plan.sync();
  };
  return {
    run,
    results: async () => {
      await run();
      const logits = [...graph.outputs.keys()].map((name) =>
        backend.read(slots.get(name)!, "f32", batch * model.classes),
      );
      return joined((await Promise.all(logits)) as Float32Array[]);
    },
    dispose: () => {
      plan.dispose();
      for (const slot of slots.values()) backend.free(slot);
    },
  };
}

function attack(net: Network, { kind, model: name, images: count, batch, steps }: GpuWork): OwnJob {
  const { model, attack } = workload(name);
  const { x, y } = images(model, count);
  const form = rdi.attacks[kind === "max-average" ? "maxAverage" : kind === "main" ? "main" : "average"];
  const craft = (made: number) => (): Promise<Float32Array> =>
    form(rdi.attacks.pgd({ ...attack, steps: made, randomStart: false })).perturb(net, x, y, { batchSize: batch });
  return { run: craft(steps), results: craft(comparedSteps(steps)), dispose: () => undefined };
}

function training(net: Network, { model: name, batch, steps }: GpuWork): OwnJob {
  const { model, attack, training } = workload(name);
  const { x, y } = images(model, batch);
  const step = new TrainingStep(net, training, batch);
  // A network without batch norm has nothing but dropout in train mode, which PyTorch's has not here.
  const mode = name === "rdi-resnet38" ? "train" : "eval";
  const iterate = async (made: number, rate: number): Promise<Float32Array> => {
    const pgd = rdi.attacks.pgd({ ...attack, steps: made, randomStart: false });
    const moved = await rdi.attacks.average(pgd).perturb(net, x, y, { batchSize: batch, mode });
    const batches = [x, moved].map((part) => ({ images: part, labels: y }));
    return joined((await step.run({ batches, learningRate: rate, maskSeed: Int32Array.of(0, 0) })).flat());
  };
  return {
    run: () => iterate(steps, learningRate),
    results: async () => {
      await iterate(comparedSteps(steps), firstLearningRate);
      return iterate(comparedSteps(steps), learningRate);
    },
    dispose: () => step.dispose(),
  };
}
