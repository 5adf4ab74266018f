import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFirst } from "../../src/data/dataset.js";
import { attackForm, fgsm, pgd, wrm } from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { calibrate, classify, evaluate, load, save } from "../../src/inference/index.js";
import { rdiSmallcnn } from "../../src/models/smallcnn.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { train } from "../../src/training/index.js";
import { allBackends, titleOf } from "../support/backends.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

const dataset = tinyDataset(12);
const { images, labels } = readFirst(dataset, 12);
const policy = { exits: [1, 3], thresholds: [1] };
const gentle = pgd({ eps: 0.1, step: 0.1, steps: 1 });
const training = { model: "rdi-tiny", epochs: 1, batchSize: 4, validationFraction: 0.3, checkpointEvery: 1 };
const attack = { method: "pgd", form: "max-average", eps: 0.1, step: 0.1, steps: 1 } as const;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-leak-"));
});
afterAll(() => rm(root, { recursive: true }));

/** A file name of its own for each use. */
let files = 0;
const path = (): string => join(root, `${++files}`);

/** What a network is asked to do: after the first time, which may compile programs, no call may leave memory behind. */
const calls: [string, (net: Network) => Promise<unknown>][] = [
  ["classify", (net) => classify(net, policy, images)],
  ["classify in batches", (net) => classify(net, policy, images, { batchSize: 5 })],
  ["evaluate", (net) => evaluate(net, dataset, { policy })],
  ["evaluate under attack", (net) => evaluate(net, dataset, { policy, attack: attackForm("average", gentle) })],
  ["calibrate", (net) => calibrate(net, dataset)],
  ...["single:1", "main", "average", "max-average"].flatMap((form) =>
    [gentle, fgsm({ eps: 0.1 }), wrm({ eps: 1, steps: 1 })].map((method): (typeof calls)[number] => {
      const whole = attackForm(form, method);
      return [String(whole), (net) => whole.craft(net, images, labels)];
    }),
  ),
  ["an attack in train mode", (net) => attackForm("average", gentle).craft(net, images, labels, { mode: "train" })],
  ["save", (net) => save(path(), net, { policy: { exits: [3], thresholds: [] } })],
  ["train", (net) => train(net, dataset, { ...training, attack }, { out: path() })],
  ["train on clean images", (net) => train(net, dataset, { ...training, attack: null }, { out: path() })],
  [
    "a training run that is stopped",
    (net) => train(net, dataset, { ...training, attack }, { out: path(), timeLimit: 0 }),
  ],
  [
    "a training run that fails",
    (net) =>
      expect(
        train(net, dataset, { ...training, attack: { ...attack, form: "single:9" } }, { out: path() }),
      ).rejects.toThrow("exit 9"),
  ],
  ["a refused image", (net) => expect(classify(net, policy, images.with(0, NaN))).rejects.toThrow("NaN")],
];

for (const under of allBackends) {
  describe.skipIf(under.unavailable !== undefined)(`live bytes on ${titleOf(under)}`, () => {
    let backend: Backend;
    let net: Network;
    let bare: number;
    beforeAll(async () => {
      backend = await under.open();
      net = new Network(tinyModel, backend, initialParams(tinyModel, 0));
      bare = backend.liveBytes();
    });
    afterAll(() => backend.dispose());

    it.each(calls)("are after %s what they were before", async (_name, call) => {
      await call(net);
      const before = backend.liveBytes();
      await call(net);
      expect(backend.liveBytes()).toBe(before);
    });

    it("are those of the weights once the programs are released, and none once the network is disposed of", async () => {
      await classify(net, policy, images);
      expect(backend.liveBytes()).toBeGreaterThan(bare);
      net.releasePrograms();
      expect(backend.liveBytes()).toBe(bare);
      net.dispose();
      expect(backend.liveBytes()).toBe(0);
    });

    it("are none after a network was loaded, used and disposed of", async () => {
      const file = path();
      {
        using original = new Network(rdiSmallcnn, backend, initialParams(rdiSmallcnn, 0));
        await save(file, original, { policy });
      }
      {
        using loaded = await load(file, { backend });
        await loaded.classify(new Float32Array(784));
        expect(backend.liveBytes()).toBeGreaterThan(0);
      }
      expect(backend.liveBytes()).toBe(0);
    });
  });
}
