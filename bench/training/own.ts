import { rdi, TrainingStep } from "../library.js";

/** The same iteration in this package. Prints a JSON line for every iteration. */
const [name, ...counts] = process.argv.slice(2) as ["cpu" | "wasm", string, string];
const [threads, iterations] = counts.map(Number) as [number, number];
const BATCH = 128;

const model = rdi.modelByName("rdi-resnet38");
const backend = await rdi.createBackend({ backend: name, threads });
const net = new rdi.Network(model, backend, rdi.initialParams(model, 0));
const settings = { momentum: 0.9, weightDecay: 1e-4, exitWeights: Array<number>(model.exits).fill(1), dropout: false };
const step = new TrainingStep(net, settings, BATCH);
const images = Float32Array.from({ length: BATCH * 3072 }, (_, i) => ((i * 7919) % 256) / 255);
const labels = Int32Array.from({ length: BATCH }, (_, n) => n % 10);
for (let t = 0; t < iterations; t++) {
  const started = performance.now();
  const attack = rdi.attacks.average(rdi.attacks.pgd({ eps: 8 / 255, step: 2 / 255, steps: 10, seed: t }));
  const adversarial = await attack.perturb(net, images, labels, { batchSize: BATCH, mode: "train" });
  const batches = [
    { images, labels },
    { images: adversarial, labels },
  ];
  await step.run({ batches, learningRate: 0.1, maskSeed: Int32Array.of(0, 0) });
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, peakMiB }));
}
backend.dispose();
