import type { Backend } from "../../src/backends/backend.js";
import type { Network } from "../../src/nn/network.js";
import { rdi, TrainingStep } from "../library.js";
import { slotsOf } from "../adaptive-runs.js";
import { comparedSteps, images, joined, learningRate, logitsGraph, weights, workload } from "../network/workload.js";
import type { GpuWork } from "./work.js";

/** A work of ours, ready to be done; and what of it is compared. */
export interface OwnJob {
  readonly run: () => Promise<unknown>;
  readonly results: () => Promise<Float32Array>;
  readonly dispose: () => void;
}

/** A work of ours on a backend. */
export function prepareJob(backend: Backend, work: GpuWork): OwnJob {
  const { model } = workload(work.model);
  const net = new rdi.Network(model, backend, weights(model));
  try {
    const prepare = work.kind === "forward" ? forward : work.kind === "training" ? training : attack;
    const job = prepare(net, work);
    const dispose = (): void => {
      job.dispose();
      net.dispose();
    };
    return { ...job, dispose };
  } catch (error) {
    net.dispose();
    throw error;
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
      return joined(await Promise.all(logits));
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
      await iterate(comparedSteps(steps), training.firstLearningRate);
      return iterate(comparedSteps(steps), learningRate);
    },
    dispose: () => step.dispose(),
  };
}
