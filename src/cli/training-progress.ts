import type { Dataset } from "../data/dataset.js";
import type { Network } from "../nn/network.js";
import {
  train,
  type TrainConfigInput,
  type TrainOptions,
  type TrainProgress,
  type TrainResult,
} from "../training/index.js";
import { startProgress } from "./progress.js";

/** Trains a network and shows how far it has come. */
export async function trainWithProgress(
  title: string,
  net: Network,
  images: Dataset,
  config: TrainConfigInput,
  options: Omit<TrainOptions, "onProgress">,
): Promise<TrainResult> {
  using progress = startProgress(title);
  return await train(net, images, config, {
    ...options,
    onProgress: (state) => progress.update(state.iteration, state.iterations, trainingDetail(state)),
  });
}

function trainingDetail({ loss, lossClean, lossAdversarial, eps, imagesPerSecond }: TrainProgress): string {
  const attacked = lossAdversarial === undefined ? [] : [`attacked ${lossAdversarial.toFixed(3)}`];
  const ball = eps === undefined ? [] : [`ε ${eps.toFixed(3)}`];
  return [
    `loss ${loss.toFixed(3)}`,
    `clean ${lossClean.toFixed(3)}`,
    ...attacked,
    ...ball,
    `${imagesPerSecond.toFixed(0)} images/s`,
  ].join("  ");
}
