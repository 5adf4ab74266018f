import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Backend } from "../../src/backends/backend.js";
import type { Dataset } from "../../src/data/dataset.js";
import type { AdaptiveNetwork, ExitPolicy } from "../../src/inference/index.js";
import { byteDataset, rdi, slice } from "../library.js";

/** The folder of data and oracles that do not come with the repository. */
export const shared = process.env.RDI_SHARED ?? "../shared";

export const model = rdi.modelByName("rdi-resnet38");

/** The authors' network, from the file that they published. */
export async function authorsNetwork(backend: Backend, policy?: ExitPolicy): Promise<AdaptiveNetwork> {
  const path = join(shared, "data/checkpoints/rdi-resnet38-cifar10.pth.tar");
  const { weights } = await rdi.importCheckpoint(path, model);
  return new rdi.AdaptiveNetwork(model, backend, weights, policy);
}

const RECORD = 3073;

/** The first records of a file of CIFAR-10's binary form. */
export async function testImages(data: "test" | "lossless", images: number): Promise<Dataset> {
  const file = data === "test" ? "cifar-10-batches-bin/test_batch.bin" : "cifar-10-lossless/test_batch_first1017.bin";
  const bytes = await readFile(join(shared, "data", file));
  const all = byteDataset({
    name: "cifar10",
    classes: 10,
    imageShape: [3, 32, 32],
    length: bytes.length / RECORD,
    pixels: (i) => bytes.subarray(i * RECORD + 1, (i + 1) * RECORD),
    label: (i) => bytes[i * RECORD]!,
  });
  return slice(all, 0, images);
}
