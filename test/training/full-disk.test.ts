import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { JsonLog } from "../../src/training/log.js";
import { train, type TrainConfigInput } from "../../src/training/index.js";
import { RdiError } from "../../src/util/errors.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  return { ...original, open: vi.fn(original.open) };
});

const { open } = await vi.importActual<typeof fs>("node:fs/promises");

/** From now on, a file has room for its first bytes only. */
function fillDisk(): void {
  vi.mocked(fs.open).mockImplementation(async (...args) => {
    const file = await open(...args);
    file.writeFile = async () => {
      await file.write("RDI");
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    return file;
  });
}

let root: string;
beforeAll(async () => {
  root = await fs.mkdtemp(join(tmpdir(), "rdi-disk-"));
});
afterAll(() => fs.rm(root, { recursive: true }));

const config: TrainConfigInput = {
  model: "rdi-tiny",
  epochs: 4,
  batchSize: 4,
  validationFraction: 0.2,
  attack: null,
  checkpointEvery: 2,
};
const dataset = tinyDataset(20);

it("stops with a clear error when the disk fills up, and loses nothing that was written", async () => {
  const newNetwork = (): Network =>
    new Network(tinyModel, new ReferenceBackend("float32"), initialParams(tinyModel, 0));
  const out = join(root, "out");
  using full = newNetwork();
  const run = train(full, dataset, config, { out, onProgress: ({ iteration }) => iteration === 5 && fillDisk() });
  await expect(run).rejects.toThrow(RdiError);
  await expect(run).rejects.toThrow(/Cannot write .*checkpoint\.safetensors: the disk is full/);
  expect((await fs.readdir(out)).sort()).toEqual(["checkpoint.safetensors", "log.jsonl"]);

  const elsewhere = join(root, "elsewhere");
  using other = newNetwork();
  await expect(train(other, dataset, config, { out: elsewhere })).rejects.toThrow("the disk is full");

  vi.mocked(fs.open).mockImplementation(open);
  using resumed = newNetwork();
  await train(resumed, dataset, config, { out, resume: true });
  using whole = newNetwork();
  await train(whole, dataset, config, { out: join(root, "whole") });
  expect(await resumed.weights()).toEqual(await whole.weights());
});

it.skipIf(process.platform !== "linux")("names the log where there is no room for it", async () => {
  const run = new JsonLog("/dev/full").append({ iteration: 1 });
  await expect(run).rejects.toThrow(RdiError);
  await expect(run).rejects.toThrow(/Cannot write \/dev\/full: ENOSPC/);
});
