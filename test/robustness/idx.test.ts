import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIdx } from "../../src/data/idx.js";
import { mnist } from "../../src/data/mnist.js";
import { FormatError } from "../../src/util/errors.js";
import { idx, withFolder } from "../data/idx-files.js";

const IMAGES = "train-images-idx3-ubyte";
const LABELS = "train-labels-idx1-ubyte";
const images = idx([2, 28, 28], new Uint8Array(2 * 784));
const labels = idx([2], Uint8Array.of(1, 2));
const trailing = (bytes: Uint8Array) => Uint8Array.from([...bytes, 0]);

/** The start of the gzip file with its middle garbled, so that it unpacks to other bytes or not at all. */
function garbled(bytes: Uint8Array): Uint8Array {
  const packed = Uint8Array.from(gzipSync(bytes));
  for (let i = 12; i < packed.length - 8; i++) packed[i] = (packed[i] as number) ^ 0x5a;
  return packed;
}

describe("broken MNIST files", () => {
  it.each([
    ["no files", {}, "", ["train-images-idx3-ubyte or train-images-idx3-ubyte.gz", "MNIST/raw", "no such file"]],
    ["no labels", { [IMAGES]: images }, "", ["Expected one of train-labels-idx1-ubyte", "no such file"]],
    ["no images", { [LABELS]: labels }, "", ["Expected one of train-images-idx3-ubyte", "no such file"]],
    ["empty images", { [IMAGES]: new Uint8Array(), [LABELS]: labels }, IMAGES, ["header of 16 bytes", "0 bytes"]],
    ["a cut header", { [IMAGES]: images.subarray(0, 9), [LABELS]: labels }, IMAGES, ["16 bytes", "9 bytes"]],
    ["labels as images", { [IMAGES]: labels, [LABELS]: labels }, IMAGES, ["0x00000803", "0x00000801"]],
    ["images as labels", { [IMAGES]: images, [LABELS]: images }, LABELS, ["0x00000801", "0x00000803"]],
    ["floats", { [IMAGES]: idx([2, 28, 28], images, 0xd03), [LABELS]: labels }, IMAGES, ["0x00000803", "0x00000d03"]],
    [
      "truncated images",
      { [IMAGES]: images.subarray(0, 1000), [LABELS]: labels },
      IMAGES,
      ["1568", "984", "truncated"],
    ],
    ["truncated labels", { [IMAGES]: images, [LABELS]: labels.subarray(0, 9) }, LABELS, ["2 bytes", "1", "truncated"]],
    ["trailing images", { [IMAGES]: trailing(images), [LABELS]: labels }, IMAGES, ["1568", "1569", "trailing"]],
    ["trailing labels", { [IMAGES]: images, [LABELS]: trailing(labels) }, LABELS, ["2", "3", "trailing"]],
    ["too few labels", { [IMAGES]: images, [LABELS]: idx([1], Uint8Array.of(1)) }, LABELS, ["2 labels", "received 1"]],
    ["a label of 10", { [IMAGES]: images, [LABELS]: idx([2], Uint8Array.of(1, 10)) }, LABELS, ["0 to 9", "10 at 1"]],
    ["other sizes", { [IMAGES]: idx([2, 8, 9], new Uint8Array(144)), [LABELS]: labels }, IMAGES, ["28 × 28", "8 × 9"]],
    ["no image", { [IMAGES]: idx([0, 28, 28], new Uint8Array()), [LABELS]: labels }, IMAGES, ["at least one", "none"]],
    [
      "a size beyond all memory",
      { [IMAGES]: idx([0xffffffff, 0xffffffff, 0xffffffff], new Uint8Array()), [LABELS]: labels },
      IMAGES,
      ["truncated"],
    ],
    ["garbled gzip", { [`${IMAGES}.gz`]: garbled(images), [LABELS]: labels }, `${IMAGES}.gz`, ["intact gzip"]],
    [
      "cut gzip",
      { [`${IMAGES}.gz`]: gzipSync(images).subarray(0, -9), [LABELS]: labels },
      `${IMAGES}.gz`,
      ["intact gzip", "unexpected end"],
    ],
    [
      "text called .gz",
      { [`${IMAGES}.gz`]: Buffer.from("not gzip"), [LABELS]: labels },
      `${IMAGES}.gz`,
      ["0x6e6f7420"],
    ],
  ])("%s: a FormatError that names the file and both sides", async (_, files, named, parts) => {
    await withFolder(files, async (dir) => {
      const error: unknown = await mnist({ dir, split: "train" }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FormatError);
      const { message } = error as FormatError;
      expect(message.startsWith(`${dir}${named === "" ? "" : `/${named}`}: `)).toBe(true);
      for (const part of ["Expected ", "received", ...parts]) expect(message).toContain(part);
    });
  });

  it("a missing folder, and a file in its place", async () => {
    await withFolder({ file: labels }, async (dir) => {
      await expect(mnist({ dir: `${dir}/none`, split: "train" })).rejects.toThrow("received nothing there");
      await expect(mnist({ dir: `${dir}/file`, split: "train" })).rejects.toThrow("received a file");
    });
  });
});

it("parseIdx takes any bytes as a file or refuses them with a FormatError", () => {
  const original = idx([2, 3, 4], new Uint8Array(24));
  fc.assert(
    fc.property(
      fc.nat({ max: original.length }),
      fc.array(fc.tuple(fc.nat({ max: 39 }), fc.nat({ max: 255 }))),
      (length, edits) => {
        const bytes = original.slice(0, length);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        try {
          const { shape, data } = parseIdx(bytes, "bytes", 3);
          expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      },
    ),
  );
});
