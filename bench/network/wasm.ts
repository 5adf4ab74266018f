import { rdi, TrainingStep } from "../library.js";
import type { Job, Library, Work } from "./protocol.js";
import { attack, images, joined, learningRate, logitsGraph, model, training, weights } from "./workload.js";

/** This package's WebAssembly engine. */
export async function openWasm(threads: number): Promise<Library> {
  const backend = await rdi.createBackend({ backend: "wasm", threads });
  const network = (): InstanceType<typeof rdi.Network> => new rdi.Network(model, backend, weights());
  const jobs: Record<Work["kind"], (work: Work) => Job> = {
    forward: ({ batch }) => {
      const { x } = images(batch);
      const program = network().executable("bench:logits", batch, logitsGraph);
      return {
        units: batch,
        run: async () => joined([...(await program.run(batch, { images: x })).values()] as Float32Array[]),
      };
    },
    "pgd-step": ({ batch, steps }) => {
      const { x, y } = images(batch);
      const net = network();
      const pgd = rdi.attacks.average(rdi.attacks.pgd({ ...attack, steps, randomStart: false }));
      return { units: batch * steps, run: () => pgd.perturb(net, x, y, { batchSize: batch }) };
    },
    "training-step": ({ batch }) => {
      const { x, y } = images(batch);
      const step = new TrainingStep(network(), training, batch);
      const input = { batches: [{ images: x, labels: y }], learningRate, maskSeed: Int32Array.of(0, 0) };
      return { units: batch, run: async () => joined((await step.run(input)).flat()) };
    },
  };
  return { prepare: async (work) => jobs[work.kind](work) };
}
