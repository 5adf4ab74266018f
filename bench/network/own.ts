import { rdi, TrainingStep } from "../library.js";
import type { Job, Library, Work } from "./protocol.js";
import {
  comparedSteps,
  firstLearningRate,
  images,
  joined,
  learningRate,
  logitsGraph,
  weights,
  workload,
} from "./workload.js";

/** This package, on one of its backends. */
export async function openOwn(name: "cpu" | "wasm", threads: number): Promise<Library> {
  const backend = await rdi.createBackend({ backend: name, threads });
  const jobs: Record<Work["kind"], (work: Work) => Job> = {
    forward: ({ model: name, batch }) => {
      const { model } = workload(name);
      const { x } = images(model, batch);
      const net = new rdi.Network(model, backend, weights(model));
      const program = net.executable("bench:logits", batch, () => logitsGraph(model));
      return {
        units: batch,
        run: async () => joined([...(await program.run(batch, { images: x })).values()] as Float32Array[]),
      };
    },
    "pgd-step": ({ model: name, batch, steps }) => {
      const { model, attack } = workload(name);
      const { x, y } = images(model, batch);
      const net = new rdi.Network(model, backend, weights(model));
      const attacked = (count: number): (() => Promise<Float32Array>) => {
        const pgd = rdi.attacks.average(rdi.attacks.pgd({ ...attack, steps: count, randomStart: false }));
        return () => pgd.perturb(net, x, y, { batchSize: batch });
      };
      return { units: batch * steps, run: attacked(steps), results: attacked(comparedSteps(steps)) };
    },
    "training-step": ({ model: name, batch }) => {
      const { model, training } = workload(name);
      const { x, y } = images(model, batch);
      const step = new TrainingStep(new rdi.Network(model, backend, weights(model)), training, batch);
      const input = { batches: [{ images: x, labels: y }], learningRate, maskSeed: Int32Array.of(0, 0) };
      const run = async (): Promise<Float32Array> => joined((await step.run(input)).flat());
      const results = async (): Promise<Float32Array> => {
        await step.run({ ...input, learningRate: firstLearningRate });
        return run();
      };
      return { units: batch, run, results };
    },
  };
  return { prepare: async (work) => jobs[work.kind](work) };
}

/** The instruction set that a backend uses here. @throws BackendError if it cannot be started */
export async function instructionSetOf(name: "cpu" | "wasm"): Promise<string> {
  const backend = await rdi.createBackend({ backend: name, threads: 1 });
  const { instructionSet = "" } = backend;
  backend.dispose();
  return instructionSet;
}
