import { batches, slice, type Dataset } from "../data/dataset.js";
import type { Network } from "../nn/network.js";
import { expectFloat, IMAGE_RANGE, layerInputGraph, type InputRange, type InputRanges } from "../nn/quantized-model.js";
import { ArgumentError } from "../util/errors.js";
import { nextTurn } from "../util/next-turn.js";
import { checkDataset } from "./calibrate.js";
import { quantizedNetwork, quantizeWeights, type QuantizedNetwork } from "./quantized-weights.js";

export interface QuantizeOptions {
  /** At most this many images, from the first on; all by default. */
  readonly limit?: number;
  /** Default 32. */
  readonly batchSize?: number;
  readonly onProgress?: (doneImages: number, totalImages: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Makes of a network of floats one that computes in integers of 8 bits, without training: weights are rounded with a scale an output channel, and the input
 * of each layer is given the range that it has on images of the kind that the network will meet.
 *
 * @param dataset images that the network was not tested on; some hundred are enough
 * @returns the model and its parameters, for `new AdaptiveNetwork(model, backend, parameters, policy)` on a backend of the processor
 * @throws ArgumentError if the dataset is empty or does not fit the model, or the network computes in integers already
 */
export async function quantize(
  net: Network,
  dataset: Dataset,
  options: QuantizeOptions = {},
): Promise<QuantizedNetwork> {
  expectFloat(net.model, "quantization");
  const ranges = await inputRanges(net, dataset, options);
  return quantizedNetwork(net.model, quantizeWeights(net.model, await net.weights(), ranges), net.model.name);
}

/** The largest magnitude of each layer's input over the images, and whether it is ever negative. */
export async function inputRanges(net: Network, dataset: Dataset, options: QuantizeOptions = {}): Promise<InputRanges> {
  const { limit, batchSize = 32, onProgress, signal } = options;
  const images = limit === undefined ? dataset : slice(dataset, 0, limit);
  checkDataset(net.model, images);
  const capacity = Math.min(batchSize, images.length);
  const program = net.executable("layer-inputs", capacity, () => layerInputGraph(net.model));
  const image = program.graph.inputs.get("images");
  const found = new Map<string, { low: number; high: number }>();
  let done = 0;
  for (const batch of batches(images, { batchSize })) {
    signal?.throwIfAborted();
    for (const [name, values] of await program.run(batch.size, { images: batch.images })) {
      const range = found.get(name) ?? { low: 0, high: 0 };
      for (const value of values) {
        if (value > range.high) range.high = value;
        else if (value < range.low) range.low = value;
      }
      found.set(name, range);
    }
    done += batch.size;
    onProgress?.(done, images.length);
    await nextTurn();
  }
  return new Map(
    [...found].map(([name, range]) => [
      name,
      program.graph.outputs.get(name) === image ? IMAGE_RANGE : rangeOf(name, range),
    ]),
  );
}

function rangeOf(layer: string, { low, high }: { readonly low: number; readonly high: number }): InputRange {
  const largest = Math.fround(Math.max(-low, high));
  if (!Number.isFinite(largest)) throw new ArgumentError(`Expected finite inputs of ${layer} but received ${largest}`);
  // A layer that never gets anything but zeros gets them as integers too, whatever they are worth.
  return { high: largest > 0 ? largest : 1, signed: low < 0 };
}
