import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { train, type TrainConfigInput } from "../../src/training/index.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

/** A run that its test kills: far longer than the test lets it live, with a checkpoint at every iteration. */
export const config: TrainConfigInput = {
  model: "rdi-tiny",
  epochs: 100_000,
  batchSize: 2,
  validationFraction: 0.5,
  attack: null,
  checkpointEvery: 1,
};

export const dataset = tinyDataset(8);

export function newNetwork(): Network {
  return new Network(tinyModel, new ReferenceBackend("float32"), initialParams(tinyModel, 0));
}

/** For the child process, which reports the iterations it has done. */
export async function run(out: string): Promise<void> {
  await train(newNetwork(), dataset, config, { out, onProgress: ({ iteration }) => process.send?.(iteration) });
}
