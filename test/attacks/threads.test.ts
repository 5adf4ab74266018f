import { expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import { attackForm, pgd, wrm } from "../../src/attacks/index.js";
import { digits } from "../../src/data/digits.js";
import { rdiSmallcnn } from "../../src/models/smallcnn.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { fastBackends } from "../support/backends.js";

const COUNT = 11;
const { images, labels } = readFirst(digits({ split: "test", length: COUNT }), COUNT);
const available = fastBackends.filter(({ unavailable }) => unavailable === undefined);

it.each([
  ["average", pgd({ eps: 0.3, step: 0.1, steps: 3 })],
  ["max-average", pgd({ eps: 0.3, step: 0.1, steps: 2 })],
  ["main", wrm({ eps: 1, steps: 3 })],
])(`%s attacks on RDI-SmallCNN give the same images with 1 and 2 threads, in any batch`, async (form, method) => {
  // By machine code: different vectors round differently.
  const results = new Map<string | undefined, Float32Array[]>();
  for (const { title, open } of available) {
    // Of CUDA's emulator one form has to be enough.
    if (title.includes("emulated") && form !== "average") continue;
    const backend = await open();
    const own = results.get(backend.instructionSet) ?? [];
    results.set(backend.instructionSet, own);
    const net = new Network(rdiSmallcnn, backend, initialParams(rdiSmallcnn, 1));
    for (const batchSize of [COUNT, 8, 1])
      own.push(await attackForm(form, method).perturb(net, images, labels, { batchSize }));
    net.dispose();
    backend.dispose();
  }
  for (const [first, ...others] of results.values()) {
    for (const other of others) expect(other).toEqual(first);
    expect(first).not.toEqual(images);
  }
});
