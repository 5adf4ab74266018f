import { imageSpec, type ExitModel } from "../nn/exit-model.js";
import type { HostValues } from "../nn/executable.js";
import type { Network } from "../nn/network.js";
import * as F from "../tensor/functional.js";
import { trace } from "../tensor/trace.js";
import { drawsMasks, exitLosses, maskSeed, type AttackLoss } from "./attack-loss.js";
import type { AttackMethod, CraftBatch } from "./method.js";

/**
 * A form of attack: the losses that are raised, each by itself. Of several results the one with the largest cross-entropy summed over `exits` is
 * kept.
 */
export interface Form {
  readonly name: string;
  /** The exits that the attack is aimed at, numbered from 1; all of the model's if absent. */
  readonly exits?: readonly number[];
  /** @throws ArgumentError if the model lacks an exit that the form names. */
  losses(model: ExitModel): readonly AttackLoss[];
  /** Whether the kept loss's exit is reported. */
  readonly reportsChosen?: boolean;
  /** Whether the images are meant to cost more, not to be misclassified. */
  readonly slows?: boolean;
}

export interface Crafted {
  readonly images: Float32Array;
  /** The exit attacked. */
  readonly chosen: Int32Array;
  /** Forward passes of black-box methods, those for results that were not kept included. */
  readonly queries?: Int32Array;
}

/** The worst of the attacks on each of the losses, for each image, and the exit that it attacked; of equally bad ones the first. */
export async function craftBatch(net: Network, form: Form, method: AttackMethod, batch: CraftBatch): Promise<Crafted> {
  const [first, ...others] = form.losses(net.model) as [AttackLoss, ...AttackLoss[]];
  const { images, queries } = await method.search({ net, loss: first, method, batch });
  const chosen = new Int32Array(batch.size).fill(first.exit);
  if (others.length === 0) return { images, chosen, ...(queries && { queries }) };
  const best = await score(net, form, method, batch, images);
  const row = images.length / batch.size;
  for (const loss of others) {
    const candidates = await method.search({ net, loss, method, batch });
    candidates.queries?.forEach((count, n) => (queries![n]! += count));
    const scores = await score(net, form, method, batch, candidates.images);
    for (let n = 0; n < batch.size; n++) {
      if (!(scores[n]! > best[n]!)) continue;
      best[n] = scores[n]!;
      chosen[n] = loss.exit;
      images.set(candidates.images.subarray(n * row, (n + 1) * row), n * row);
    }
  }
  return { images, chosen, ...(queries && { queries }) };
}

/** Σ of each image's cross-entropies over the exits of the form. */
async function score(
  net: Network,
  { exits }: Form,
  method: AttackMethod,
  batch: CraftBatch,
  images: Float32Array,
): Promise<Float32Array> {
  const { size, capacity, mode, labels, ids, signal } = batch;
  const program = net.executable(`attack-score:${exits?.join() ?? "all"}:${mode}`, capacity, () =>
    trace((tracer) => {
      const x = tracer.input("x", imageSpec(net.model));
      const losses = exitLosses(net.model, tracer, x, mode, "cross-entropy");
      tracer.output("score", (exits?.map((exit) => losses[exit - 1]!) ?? losses).reduce(F.add));
    }),
  );
  const masks: HostValues = drawsMasks(program) ? { ids, seed: maskSeed(method, undefined, method.steps) } : {};
  const outputs = await program.run(size, { x: images, labels, ...masks }, { signal });
  return outputs.get("score") as Float32Array;
}
