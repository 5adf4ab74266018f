import { encode as encodeJpeg } from "jpeg-js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listImages } from "../../src/data/image-files.js";
import { decodeImage, encodePng, readImage } from "../../src/data/images.js";
import { FormatError } from "../../src/util/errors.js";
import { withFolder } from "../data/idx-files.js";

const pngBytes = encodePng(
  Float32Array.from({ length: 400 }, (_, i) => (i % 17) / 16),
  [1, 20, 20],
);
const pixels = Buffer.from(Array.from({ length: 4 * 400 }, (_, i) => (i * 37) % 256));
const jpegBytes = Uint8Array.from(encodeJpeg({ width: 20, height: 20, data: pixels }, 80).data);

/** The PNG with another size in its header; the checksum of the header no longer fits, which is found later. */
function claiming(width: number, height: number): Uint8Array {
  const bytes = pngBytes.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return bytes;
}

describe("broken images", () => {
  it.each([
    ["no bytes", new Uint8Array(), "Expected a PNG or JPEG image but received no bytes"],
    ["text", Buffer.from("hello, image"), "Expected a PNG or JPEG image but received 68 65 6c 6c 6f 2c 20 69"],
    ["a PNG signature alone", pngBytes.subarray(0, 8), "Expected an intact image"],
    ["a PNG cut in its data", pngBytes.subarray(0, 60), "Expected an intact image"],
    ["a PNG without its end", pngBytes.subarray(0, -12), "Expected an intact image"],
    ["a PNG with a broken checksum", claiming(21, 20), "Expected an intact image"],
    ["a PNG of 10 gigapixels", claiming(100_000, 100_000), "over 64 megapixels"],
    ["a JPEG signature alone", jpegBytes.subarray(0, 3), "Expected an intact image"],
    ["a JPEG cut in its header", jpegBytes.subarray(0, 100), "Expected an intact image"],
    ["a JPEG cut in its data", jpegBytes.subarray(0, jpegBytes.length >> 1), "Expected an intact image"],
  ])("%s", (_, bytes, message) => {
    const decode = () => decodeImage(bytes, "photo", [1, 28, 28]);
    expect(decode).toThrow(FormatError);
    expect(decode).toThrow("photo: Expected");
    expect(decode).toThrow(message);
  });

  it.each([
    ["PNG", pngBytes],
    ["JPEG", jpegBytes],
  ])("a %s changed anywhere is decoded or refused with a FormatError, never anything else", (_, sound) => {
    const edit = fc.tuple(fc.nat({ max: sound.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 4 }), fc.nat({ max: sound.length }), (edits, cut) => {
        const bytes = sound.slice(0, cut % 3 === 0 ? cut : sound.length);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        try {
          const image = decodeImage(bytes, "bytes", [3, 8, 8]);
          expect(image.length).toBe(192);
          expect(image.every((value) => value >= 0 && value <= 1.0001)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("missing files and folders without images", async () => {
    await withFolder({ "notes.txt": Buffer.from("x") }, async (dir) => {
      await expect(listImages(dir)).rejects.toThrow("Expected PNG or JPEG files in the folder but received none");
      await expect(listImages(`${dir}/none`)).rejects.toThrow("received nothing there");
      await expect(readImage(`${dir}/none.png`, [1, 28, 28])).rejects.toThrow(
        "Expected an image but received no such file",
      );
      await expect(readImage(dir, [1, 28, 28])).rejects.toThrow(FormatError);
      await expect(readImage(`${dir}/notes.txt`, [1, 28, 28])).rejects.toThrow("notes.txt: Expected a PNG or JPEG");
    });
  });
});
