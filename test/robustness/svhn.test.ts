import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { svhn } from "../../src/data/svhn.js";
import { FormatError } from "../../src/util/errors.js";
import { withFolder } from "../data/idx-files.js";
import { compressed, matArray, matFile, part, svhnPixels } from "../data/mat-files.js";

const FILE = "test_32x32.mat";
const X = matArray("X", [32, 32, 3, 2], svhnPixels(2));
const y = matArray("y", [2, 1], Uint8Array.of(1, 2));
const whole = matFile([compressed(X), compressed(y)]);
const labels = (...values: number[]) => matArray("y", [values.length, 1], Uint8Array.from(values));

describe("broken SVHN files", () => {
  it.each([
    ["no bytes", new Uint8Array(), ["intact MATLAB 5", "128 bytes too early"]],
    ["text", Buffer.from("no MATLAB file".repeat(20)), ["intact MATLAB 5", "a header of version"]],
    ["a file of version 7.3", matFile([X, y], 2), ["a header of version 2"]],
    ["the other byte order", matFile([X, y], 1, "MI"), ['byte order "MI"']],
    ["no arrays", matFile([]), ["the array X, y", "received none"]],
    ["no labels", matFile([X]), ["the array y", "received none"]],
    ["a cut file", whole.subarray(0, -20), ["truncated"]],
    ["a cut tag", matFile([X, y, Buffer.alloc(3)]), ["5 bytes too early"]],
    ["garbled compression", matFile([garbled(compressed(X)), y]), ["intact MATLAB 5"]],
    ["a matrix that ends early", matFile([compressed(X.subarray(0, 3000)), y]), ["too early"]],
    ["bytes after an array", matFile([compressed(Buffer.concat([X, Buffer.alloc(8)])), y]), ["bytes after"]],
    ["no array in an element", matFile([part(6, Buffer.alloc(8))]), ["an element of type 6"]],
    ["fewer values than the shape", matFile([matArray("X", [32, 32, 3, 2], Buffer.alloc(9)), y]), ["in 9 bytes"]],
    [
      "a size beyond all memory",
      matFile([compressed(matArray("X", [2 ** 30, 2 ** 30, 3, 2], svhnPixels(2))), y]),
      ["the array X of 1073741824"],
    ],
    ["text as pixels", matFile([matArray("X", [3, 1], Buffer.from("abcdef"), 4), y]), ["the value 25185"]],
    ["an unknown type", matFile([matArray("X", [8, 1], Buffer.alloc(8), 16), y]), ["of type 16"]],
    ["other sizes", matFile([matArray("X", [16, 16, 3, 1], Buffer.alloc(768)), y]), ["32 × 32 × 3", "16 × 16 × 3 × 1"]],
    ["no image", matFile([matArray("X", [32, 32, 3], Buffer.alloc(3072)), y]), ["32 × 32 × 3 × images"]],
    ["too few labels", matFile([X, labels(1)]), ["2 labels y", "received 1"]],
    ["label 0", matFile([X, labels(1, 0)]), ["from 1 to 10", "0 at 1"]],
    ["label 11", matFile([X, labels(11, 1)]), ["from 1 to 10", "11 at 0"]],
  ])("%s: a FormatError that names the file and both sides", async (_, bytes, parts) => {
    await withFolder({ [FILE]: bytes }, async (dir) => {
      const error: unknown = await svhn({ dir, split: "test" }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(FormatError);
      const { message } = error as FormatError;
      expect(message.startsWith(`${dir}/${FILE}: Expected `)).toBe(true);
      for (const text of ["received", ...parts]) expect(message).toContain(text);
    });
  });

  it("a missing folder, and a file in its place", async () => {
    await withFolder({ [FILE]: whole }, async (dir) => {
      await expect(svhn({ dir: `${dir}/none`, split: "test" })).rejects.toThrow("received nothing there");
      await expect(svhn({ dir: `${dir}/${FILE}`, split: "test" })).rejects.toThrow("received a file");
    });
  });

  it("a file changed anywhere is read or refused with a FormatError, never anything else", async () => {
    const plain = matFile([X, y]);
    const positions = fc.oneof(fc.nat({ max: 200 }), fc.integer({ min: plain.length - 80, max: plain.length - 1 }));
    const edits = fc.array(fc.tuple(positions, fc.nat({ max: 255 })), { maxLength: 4 });
    const property = fc.asyncProperty(edits, fc.nat({ max: plain.length }), async (changes, cut) => {
      const bytes = plain.slice(0, cut % 3 === 0 ? cut : plain.length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      await withFolder({ [FILE]: bytes }, async (dir) => {
        const result: unknown = await svhn({ dir, split: "test" }).catch((reason: unknown) => reason);
        if (result instanceof Error) expect(result).toBeInstanceOf(FormatError);
      });
    });
    await fc.assert(property, { numRuns: 100 });
  });
});

/** An element with its middle changed. */
function garbled(element: Uint8Array): Uint8Array {
  return element.map((byte, i) => (i > 20 && i < element.length - 20 ? byte ^ 0x5a : byte));
}
