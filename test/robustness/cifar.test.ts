import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cifar10, cifar100 } from "../../src/data/cifar.js";
import { FormatError } from "../../src/util/errors.js";
import { CIFAR10_TRAIN, records, tar, tarGz } from "../data/cifar-files.js";
import { withFolder } from "../data/idx-files.js";

const two = records([[1], [2]]);
const trailing = Uint8Array.from([...two, 0]);
const fourBatches = Object.fromEntries(Object.entries(CIFAR10_TRAIN).filter(([name]) => name !== "data_batch_3.bin"));
const ARCHIVE = "cifar-10-binary.tar.gz";
const packed = await tarGz("cifar-10-batches-bin", { "test_batch.bin": two });
const unpacked = await tar("cifar-10-batches-bin", { "test_batch.bin": two });

/** The archive with a claim of another size of its second entry, and a checksum of the header that fits. */
function claiming(size: number): Uint8Array {
  const bytes = unpacked.slice();
  const header = bytes.subarray(512, 1024);
  header.set(Buffer.from(`${size.toString(8).padStart(11, "0")}\0`), 124);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return bytes;
}

describe("broken CIFAR files", () => {
  it.each([
    ["no files", "test", {}, "", ["test_batch.bin", "cifar-10-batches-bin", ARCHIVE, "no such file"]],
    ["a missing batch", "train", fourBatches, "data_batch_3.bin", ["no such file"]],
    ["an empty file", "test", { "test_batch.bin": new Uint8Array() }, "test_batch.bin", ["3073 bytes", "0 bytes"]],
    ["a cut record", "test", { "test_batch.bin": two.subarray(0, -1) }, "test_batch.bin", ["6145 bytes", "truncated"]],
    ["a trailing byte", "test", { "test_batch.bin": trailing }, "test_batch.bin", ["6147 bytes", "trailing"]],
    ["label 10", "test", { "test_batch.bin": records([[9], [10]]) }, "test_batch.bin", ["0 to 9", "10 in record 1"]],
    [
      "nine class names",
      "test",
      { "test_batch.bin": two, "batches.meta.txt": Buffer.from("a\n".repeat(9)) },
      "batches.meta.txt",
      ["10 class names", "received 9"],
    ],
    ["a cut archive", "test", { [ARCHIVE]: packed.subarray(0, -9) }, ARCHIVE, ["intact tar", "unexpected end"]],
    [
      "a cut tar in whole gzip",
      "test",
      { [ARCHIVE]: gzipSync(unpacked.subarray(0, 3000)) },
      ARCHIVE,
      ["intact tar", "truncated"],
    ],
    ["no tar at all", "test", { [ARCHIVE]: Buffer.from("these are no images") }, ARCHIVE, ["intact tar"]],
    ["an empty archive", "test", { [ARCHIVE]: new Uint8Array() }, ARCHIVE, ["intact tar"]],
    [
      "an archive without the file",
      "train",
      { [ARCHIVE]: packed },
      ARCHIVE,
      ["data_batch_1.bin", "in the archive", "no such file"],
    ],
    ["an archive that claims a huge file", "test", { [ARCHIVE]: claiming(2 ** 31) }, ARCHIVE, ["1073741824", "larger"]],
  ] as const)("%s: a FormatError that names the file and both sides", async (_, split, files, named, parts) => {
    await withFolder(files, async (dir) => {
      const error: unknown = await cifar10({ dir, split }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FormatError);
      const { message } = error as FormatError;
      expect(message.startsWith(`${dir}${named === "" ? "" : `/${named}`}: `)).toBe(true);
      for (const part of ["Expected ", "received", ...parts]) expect(message).toContain(part);
    });
  });

  it("refuses an archive that unpacks to far more than it is, without unpacking all of it", async () => {
    // A gzip file may have several members: 1.25 GB of zeros in 1.2 MB.
    const member = gzipSync(new Uint8Array(2 ** 25));
    await withFolder({ [ARCHIVE]: Buffer.concat(new Array<Uint8Array>(40).fill(member)) }, async (dir) => {
      await expect(cifar10({ dir, split: "test" })).rejects.toThrow("at most 1073741824 bytes");
    });
  });

  it("a record of CIFAR-100 has two labels, both in their ranges", async () => {
    await withFolder({ "test.bin": records([[19, 100]]) }, async (dir) => {
      await expect(cifar100({ dir, split: "test" })).rejects.toThrow(
        "labels from 0 to 99 but received 100 in record 0",
      );
    });
    await withFolder({ "test.bin": records([[20, 9]]) }, async (dir) => {
      await expect(cifar100({ dir, split: "test" })).rejects.toThrow("labels from 0 to 19 but received 20 in record 0");
    });
    await withFolder({ "test.bin": two }, async (dir) => {
      await expect(cifar100({ dir, split: "test" })).rejects.toThrow("3074 bytes (coarse label, fine label, 3072");
    });
  });

  it("an archive changed anywhere is read or refused with a FormatError, never anything else", async () => {
    const edit = fc.tuple(fc.nat({ max: 1100 }), fc.nat({ max: 255 }));
    const property = fc.asyncProperty(
      fc.array(edit, { maxLength: 4 }),
      fc.nat({ max: unpacked.length }),
      async (edits, cut) => {
        const bytes = unpacked.slice(0, cut % 3 === 0 ? cut : unpacked.length);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        await withFolder({ [ARCHIVE]: bytes }, async (dir) => {
          const result: unknown = await cifar10({ dir, split: "test" }).catch((reason: unknown) => reason);
          if (result instanceof Error) expect(result).toBeInstanceOf(FormatError);
        });
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});
