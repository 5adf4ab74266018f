import type { Backend } from "../../src/backends/backend.js";
import { rdi, TrainingStep } from "../library.js";
import type { Job, Library, Own, Work } from "./protocol.js";
import { comparedSteps, exitsOf, images, joined, learningRate, logitsGraph, weights, workload } from "./workload.js";

/** The instruction set is the widest of this processor, or what `RDI_ISA` names. */
const BACKENDS = {
  cpu: { backend: "cpu" },
  wasm: { backend: "wasm", instructionSet: "simd128" },
  "wasm-relaxed": { backend: "wasm", instructionSet: "relaxed-simd" },
} as const;

/** One of this package's backends. @throws BackendError if it cannot be started */
export function startOwn(name: Own, threads: number): Promise<Backend> {
  return rdi.createBackend({ ...BACKENDS[name], threads });
}

/** This package, on one of its backends. */
export async function openOwn(name: Own, threads: number): Promise<Library> {
  const backend = await startOwn(name, threads);
  const jobs: Record<Work["kind"], (work: Work) => Job> = {
    forward: (work) => {
      const { model } = workload(work.model);
      const { x } = images(model, work.batch);
      const net = new rdi.Network(model, backend, weights(model));
      const program = net.executable("bench:logits", work.batch, () => logitsGraph(model, exitsOf(work)));
      return {
        units: work.batch,
        run: async () => joined([...(await program.run(work.batch, { images: x })).values()] as Float32Array[]),
      };
    },
    "pgd-step": (work) => ({ ...attackJob(backend, work), units: work.batch * work.steps }),
    "max-average": (work) => attackJob(backend, work),
    "training-step": ({ model: name, batch }) => {
      const { model, training } = workload(name);
      const { x, y } = images(model, batch);
      const step = new TrainingStep(new rdi.Network(model, backend, weights(model)), training, batch);
      const input = { batches: [{ images: x, labels: y }], learningRate, maskSeed: Int32Array.of(0, 0) };
      const run = async (): Promise<Float32Array> => joined((await step.run(input)).flat());
      const results = async (): Promise<Float32Array> => {
        await step.run({ ...input, learningRate: training.firstLearningRate });
        return run();
      };
      return { units: batch, run, results };
    },
  };
  return { prepare: async (work) => jobs[work.kind](work) };
}

function attackJob(backend: Backend, { kind, model: name, batch, steps, exit }: Work): Job {
  const { model, attack } = workload(name);
  const { average, maxAverage, pgd, single } = rdi.attacks;
  const { x, y } = images(model, batch);
  const net = new rdi.Network(model, backend, weights(model));
  const attacked = (count: number): (() => Promise<Float32Array>) => {
    const method = pgd({ ...attack, steps: count, randomStart: false });
    const form =
      kind === "max-average" ? maxAverage(method) : exit === undefined ? average(method) : single(exit, method);
    return () => form.perturb(net, x, y, { batchSize: batch });
  };
  return { units: batch, run: attacked(steps), results: attacked(comparedSteps(steps)) };
}

/** The instruction set that a backend uses here. @throws BackendError if it cannot be started */
export async function instructionSetOf(name: Own): Promise<string> {
  const backend = await startOwn(name, 1);
  const { instructionSet = "" } = backend;
  backend.dispose();
  return instructionSet;
}
