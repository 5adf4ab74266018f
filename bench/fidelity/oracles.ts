import { join } from "node:path";

import type { Backend } from "../../src/backends/backend.js";
import type { Safetensors } from "../../src/formats/safetensors.js";
import type { Network } from "../../src/nn/network.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { imageSpec, rdi, runAllExits, tracedScope, TrainingStep } from "../library.js";
import { authorsNetwork, model, shared } from "./subject.js";

/** How far our results are from PyTorch's on tensors of its: the largest over exits, unless said otherwise. */
export interface Agreement {
  readonly precision: "fast" | "strict";
  /** ‖a − b‖ ÷ ‖b‖. */
  readonly logits: number;
  readonly entropies: number;
  /** Of the input gradients, image by image: the median, how many of the images × (exits and their average) are within 1e-4, and the worst. */
  readonly gradients: { readonly median: number; readonly within: number; readonly of: number; readonly worst: number };
  /** Fractions of the pixels that differ after 5 PGD steps against exits 1, 4, 7, and the average. */
  readonly pixels: readonly number[];
  /** Of max-average: images for which the same exit is chosen. */
  readonly chosen: { readonly same: number; readonly of: number };
  /** Of a step in train mode: losses, gradients of the parameters, running statistics. */
  readonly step: { readonly losses: number; readonly gradients: number; readonly statistics: number };
  /** Of RDI-MobileNetV2: logits, and the loss averaged over the exits. */
  readonly mobilenet: { readonly logits: number; readonly loss: number };
}

const EXITS = 7;

const read = (name: string): Promise<Safetensors> => rdi.readSafetensors(join(shared, "oracle", `${name}.safetensors`));
const floats = (file: Safetensors, name: string): Float32Array => file.tensors.get(name)!.data as Float32Array;
const labelsOf = (file: Safetensors): Int32Array => file.tensors.get("labels")!.data as Int32Array;

function part(values: Float32Array, i: number, parts: number): Float32Array {
  return values.subarray((i * values.length) / parts, ((i + 1) * values.length) / parts);
}

function distance(a: Float32Array, b: Float32Array): number {
  const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i]!)) / norm(b);
}

export async function agreement(backend: Backend, precision: Agreement["precision"]): Promise<Agreement> {
  using net = await authorsNetwork(backend);
  return {
    precision,
    ...(await forward(net)),
    gradients: await inputGradients(net),
    ...(await attacks(net)),
    step: await trainingStep(net),
    mobilenet: await mobileNet(backend),
  };
}

async function forward(net: Network): Promise<Pick<Agreement, "logits" | "entropies">> {
  const oracle = await read("resnet38-forward");
  const { logits, entropies } = await runAllExits(net, floats(oracle, "images"), 16, 16);
  const worst = (own: readonly Float32Array[], name: string): number =>
    Math.max(...own.map((values, k) => distance(values, part(floats(oracle, name), k, EXITS))));
  return { logits: worst(logits, "logits"), entropies: worst(entropies, "entropy") };
}

async function inputGradients(net: Network): Promise<Agreement["gradients"]> {
  const oracle = await read("resnet38-input-grad");
  const F = rdi.functional;
  const distances: number[] = [];
  for (let k = 0; k <= EXITS; k++) {
    const program = net.executable(`fidelity:gradient:${k}`, 8, () =>
      rdi.trace((tracer) => {
        const x = tracer.input("images", imageSpec(model));
        const labels = tracer.input("labels", { shape: ["N"], dtype: "i32" });
        const losses = model
          .forward(x, tracedScope(model, tracer))
          .map((logits: Tensor) => F.crossEntropy(logits, labels));
        const loss = k === EXITS ? F.mul(losses.reduce(F.add), 1 / EXITS) : losses[k]!;
        tracer.output("gradient", rdi.gradients(F.meanBatch(loss), [x])[0]!);
      }),
    );
    const outputs = await program.run(8, { images: floats(oracle, "images"), labels: labelsOf(oracle) });
    const expected = k === EXITS ? floats(oracle, "grad_average") : part(floats(oracle, "grad"), k, EXITS);
    for (let n = 0; n < 8; n++)
      distances.push(distance(part(outputs.get("gradient") as Float32Array, n, 8), part(expected, n, 8)));
  }
  distances.sort((a, b) => a - b);
  const within = distances.filter((value) => value <= 1e-4).length;
  return { median: distances[distances.length >> 1]!, within, of: distances.length, worst: distances.at(-1)! };
}

async function attacks(net: Network): Promise<Pick<Agreement, "pixels" | "chosen">> {
  const oracle = await read("resnet38-pgd");
  const [images, labels] = [floats(oracle, "images"), labelsOf(oracle)];
  const method = rdi.attacks.pgd({ eps: 8 / 255, step: 2 / 255, steps: 5, randomStart: false });
  const pixels: number[] = [];
  for (const [form, name] of [
    ["single:1", "adv_k0"],
    ["single:4", "adv_k3"],
    ["main", "adv_k6"],
    ["average", "adv_average"],
  ] as const) {
    const expected = floats(oracle, name);
    const adversarial = await rdi.attacks.attackForm(form, method).perturb(net, images, labels);
    pixels.push(adversarial.filter((value, i) => Math.abs(value - expected[i]!) > 1e-4).length / images.length);
  }
  const { chosen } = await rdi.attacks.maxAverage(method).craft(net, images, labels);
  const expected = oracle.tensors.get("max_index")!.data as Int32Array;
  return { pixels, chosen: { same: chosen!.filter((exit, n) => exit === expected[n]! + 1).length, of: labels.length } };
}

async function trainingStep(net: Network): Promise<Agreement["step"]> {
  const oracle = await read("resnet38-train-step");
  using trained = new rdi.Network(model, net.backend, await net.weights());
  const settings = { momentum: 0, weightDecay: 0, exitWeights: Array<number>(EXITS).fill(1), dropout: false };
  // Without momentum and decay, the velocities after one step of rate 0 are the gradients.
  using step = new TrainingStep(trained, settings, 16);
  const batches = [{ images: floats(oracle, "images"), labels: labelsOf(oracle) }];
  const [losses] = await step.run({ batches, learningRate: 0, maskSeed: new Int32Array(2) });
  const means = losses!.map((own) => own.reduce((sum, value) => sum + value, 0) / own.length);
  const gradients = [...(await step.velocities())].map(([name, own]) => distance(own, floats(oracle, `grad.${name}`)));
  const statistics = [...(await trained.weights())]
    .filter(([name]) => model.params.get(name)!.statistic === true)
    .map(([name, own]) => distance(own, floats(oracle, `after.${name}`)));
  return {
    losses: Math.max(...means.map((own, k) => Math.abs(own / floats(oracle, "ce")[k]! - 1))),
    gradients: Math.max(...gradients),
    statistics: Math.max(...statistics),
  };
}

async function mobileNet(backend: Backend): Promise<Agreement["mobilenet"]> {
  const mobile = rdi.modelByName("rdi-mobilenetv2");
  const { weights } = await rdi.importCheckpoint(join(shared, "oracle/mobilenetv2-1-state.safetensors"), mobile);
  using net = new rdi.Network(mobile, backend, weights);
  const oracle = await read("mobilenetv2-1-forward");
  const labels = labelsOf(oracle);
  const { logits } = await runAllExits(net, floats(oracle, "images"), 4, 4);
  const losses = logits.flatMap((own) => [...labels].map((label, n) => crossEntropy(part(own, n, 4), label)));
  const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
  return {
    logits: Math.max(...logits.map((own, k) => distance(own, part(floats(oracle, "logits"), k, EXITS)))),
    loss: Math.abs(loss / floats(oracle, "loss_average")[0]! - 1),
  };
}

function crossEntropy(logits: Float32Array, label: number): number {
  return Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0)) - logits[label]!;
}
