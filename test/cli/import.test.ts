import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { models } from "../../src/models/index.js";
import { smallcnn } from "../../src/models/smallcnn.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { concreteShape } from "../../src/ops/spec.js";
import { bytesOf, call, dict, floatTensors, global, int, text, zipFile } from "../support/pytorch-files.js";
import { sharedPath } from "../support/shared-data.js";
import { describeCli, rdi, temporaryFolder } from "./rdi.js";

let folder: string;
let checkpoint: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  checkpoint = join(folder, "smallcnn.pt");
  const weights = initialParams(smallcnn, 1);
  const { storages, entries } = floatTensors(
    new Map(
      [...smallcnn.params].map(([name, { spec }]) => [
        `module.${name}`,
        { shape: concreteShape(spec, 1), data: weights.get(name)! },
      ]),
    ),
  );
  await writeFile(checkpoint, zipFile(dict({ iteration: int(5), model: dict(entries) }), storages));
});

const importing = (file: string, out: string, ...options: string[]) =>
  rdi("import", file, "--model", "smallcnn", "--out", out, ...options);

describeCli("import", () => {
  it("writes a weights file that the other commands take", async () => {
    const out = join(folder, "out.safetensors");
    const { status, stdout, stderr } = await importing(checkpoint, out, "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const source = {
      file: "smallcnn.pt",
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      format: "pytorch-zip",
      stateDict: "model",
      prefix: "module.",
      iteration: 5,
    };
    expect(JSON.parse(stdout)).toEqual({
      model: "smallcnn",
      source: { ...source, ignored: ["iteration"] },
      tensors: smallcnn.params.size,
      parameters: [...initialParams(smallcnn, 1).values()].reduce((sum, { length }) => sum + length, 0),
      dropped: [],
      out,
    });
    const { metadata } = await readSafetensors(out);
    expect(metadata).toMatchObject({ format: "rdi-net", model: "smallcnn", policy: '{"exits":[1],"thresholds":[]}' });
    expect(JSON.parse(metadata.training!)).toEqual({ source });
    const evaluated = await rdi(
      ...["evaluate", "--weights", out, "--dataset", "digits", "--limit", "8", "--threads", "1", "--json"],
    );
    expect(evaluated.status).toBe(0);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ model: "smallcnn", images: 8 });
  });

  it("replaces a file only if it is told to", async () => {
    const out = join(folder, "there.safetensors");
    await writeFile(out, "old");
    const refused = await importing(checkpoint, out);
    expect({ status: refused.status, stdout: refused.stdout }).toEqual({ status: 1, stdout: "" });
    expect(refused.stderr).toContain(`Expected no file at ${out} but found one; give --force`);
    expect(await readFile(out, "utf8")).toBe("old");
    const forced = await importing(checkpoint, out, "--force");
    expect(forced.status).toBe(0);
    expect(forced.stdout).toContain(
      "smallcnn: 14 tensors, 312202 parameters, from smallcnn.pt (pytorch-zip, under model, iteration 5)",
    );
    expect((await readSafetensors(out)).tensors.size).toBe(smallcnn.params.size);
  });

  it("runs nothing that is in a file, says what it would have run, and writes nothing", async () => {
    const evil = join(folder, "evil.pt");
    const out = join(folder, "none.safetensors");
    await writeFile(evil, zipFile(call(global("os", "system"), text("touch owned")), []));
    const { status, stdout, stderr } = await importing(evil, out, "--json");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(
      `error: ${evil}, data.pkl: Expected tensors and plain values but the pickle refers to os.system`,
    );
    await expect(readFile(out)).rejects.toThrow("ENOENT");
  });

  it("refuses an unknown model as wrong usage", async () => {
    const { status, stderr } = await rdi("import", checkpoint, "--model", "vgg", "--out", join(folder, "vgg"));
    expect(status).toBe(2);
    expect(stderr).toContain('but received "vgg"');
  });

  const authors = sharedPath("data", "checkpoints", "rdi-resnet38-cifar10.pth.tar");
  const reason = models.has("rdi-resnet38") ? "no shared data" : "no rdi-resnet38";
  const able = authors !== undefined && models.has("rdi-resnet38");
  it.skipIf(!able)(`imports the authors' checkpoint${able ? "" : ` (${reason})`}`, async () => {
    const out = join(folder, "resnet38.safetensors");
    const { status, stdout } = await rdi("import", authors!, "--model", "rdi-resnet38", "--out", out, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      source: { format: "pytorch-legacy", stateDict: "state_dict", prefix: "module.", iteration: 60000 },
    });
    const expected = await readSafetensors(sharedPath("data", "checkpoints", "rdi-resnet38-cifar10.safetensors")!);
    const { tensors } = await readSafetensors(out);
    const used = [...expected.tensors].filter(([name]) => !name.endsWith("num_batches_tracked"));
    expect([...tensors.keys()].sort()).toEqual(used.map(([name]) => name).sort());
    for (const [name, { data }] of used)
      expect(Buffer.from(bytesOf(tensors.get(name)!.data)).equals(bytesOf(data)), name).toBe(true);
  });
});
