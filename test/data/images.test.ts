import { encode as encodeJpeg } from "jpeg-js";
import { PNG } from "pngjs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { listImages } from "../../src/data/image-files.js";
import { decodeImage, encodePng, readImage } from "../../src/data/images.js";
import type { ImageShape } from "../../src/data/pixels.js";
import { fit, resize } from "../../src/data/resize.js";
import { withFolder } from "./idx-files.js";

/** A PNG of the given RGBA pixels. */
function png(width: number, height: number, rgba: readonly number[]): Uint8Array {
  const image = new PNG({ width, height });
  image.data.set(rgba);
  return PNG.sync.write(image);
}

const gray = (width: number, height: number, values: readonly number[]) => ({
  channels: 1,
  height,
  width,
  data: Float32Array.from(values),
});
const rounded = (values: Float32Array) => Array.from(values, (value) => Math.round(value * 1000) / 1000);

describe("decodeImage", () => {
  it("gives back what encodePng wrote, for gray and RGB", () => {
    const size = fc.integer({ min: 1, max: 9 });
    const shapes = fc.tuple(fc.constantFrom(1, 3), size, size);
    fc.assert(
      fc.property(shapes, fc.infiniteStream(fc.nat({ max: 255 })), (shape, bytes) => {
        const image = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => {
          return (bytes.next().value as number) / 255;
        });
        expect(decodeImage(encodePng(image, shape), "image", shape)).toEqual(image);
      }),
    );
  });

  it("reads every gray level as exactly level / 255, as datasets do", () => {
    const levels = Array.from({ length: 256 }, (_, level) => level);
    const bytes = png(
      256,
      1,
      levels.flatMap((level) => [level, level, level, 255]),
    );
    expect([...decodeImage(bytes, "image", [1, 1, 256])]).toEqual(levels.map((level) => Math.fround(level / 255)));
  });

  it("lays RGB out plane by plane", () => {
    const bytes = png(2, 1, [255, 0, 51, 255, 0, 102, 255, 255]);
    expect(rounded(decodeImage(bytes, "image", [3, 1, 2]))).toEqual([1, 0, 0, 0.4, 0.2, 1]);
  });

  it("makes gray of colours by their Rec. 601 luma", () => {
    const bytes = png(4, 1, [255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255, 255, 255, 255]);
    expect(rounded(decodeImage(bytes, "image", [1, 1, 4]))).toEqual([0.299, 0.587, 0.114, 1]);
  });

  it("composites alpha on black", () => {
    const bytes = png(2, 1, [255, 255, 255, 51, 255, 255, 255, 0]);
    expect(rounded(decodeImage(bytes, "image", [1, 1, 2]))).toEqual([0.2, 0]);
  });

  it("decodes JPEG, to within what JPEG keeps", () => {
    const rgba = Buffer.alloc(4 * 16 * 16, 255);
    for (let i = 0; i < 16 * 16; i++) rgba.fill(i % 16 < 8 ? 40 : 200, 4 * i, 4 * i + 3);
    const { data } = encodeJpeg({ width: 16, height: 16, data: rgba }, 95);
    const image = decodeImage(data, "image", [1, 16, 16]);
    for (const [i, value] of image.entries()) expect(value).toBeCloseTo((i % 16 < 8 ? 40 : 200) / 255, 1);
  });

  it("scales and pads to the wanted shape", () => {
    const white = png(4, 2, new Array<number>(32).fill(255));
    const image = decodeImage(white, "image", [1, 4, 4]);
    expect([...image]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  });

  it.each<[ImageShape]>([[[2, 4, 4]], [[1, 0, 4]], [[1, 4, 2.5]]])("refuses the shape %o", (shape) => {
    expect(() => decodeImage(png(1, 1, [0, 0, 0, 255]), "image", shape)).toThrow("Expected [1 or 3, height, width]");
  });
});

describe("resize", () => {
  it("averages the area that a new pixel covers when it shrinks", () => {
    expect(rounded(resize(gray(4, 1, [0, 0.2, 0.4, 1]), 1, 2).data)).toEqual([0.1, 0.7]);
    // Each new pixel covers one and a half old ones.
    expect(rounded(resize(gray(3, 1, [0, 0.6, 0.9]), 1, 2).data)).toEqual([0.2, 0.8]);
    expect(rounded(resize(gray(2, 2, [0, 1, 0.5, 0.5]), 1, 1).data)).toEqual([0.5]);
  });

  it("interpolates between pixel centres when it grows", () => {
    expect(rounded(resize(gray(2, 1, [0, 1]), 1, 4).data)).toEqual([0, 0.25, 0.75, 1]);
    expect(rounded(resize(gray(1, 1, [0.3]), 2, 2).data)).toEqual([0.3, 0.3, 0.3, 0.3]);
  });

  it("keeps constant images constant and the range of any image", () => {
    const size = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(size, size, size, size, fc.integer(), (w, h, toW, toH, salt) => {
        const values = Array.from({ length: w * h }, (_, i) => Math.abs(Math.sin(salt + i)));
        const out = resize(gray(w, h, values), toH, toW);
        expect(out.data.length).toBe(toW * toH);
        expect(Math.max(...out.data)).toBeLessThanOrEqual(Math.max(...values) + 1e-6);
        expect(Math.min(...out.data)).toBeGreaterThanOrEqual(Math.min(...values) - 1e-6);
        const flat = resize(gray(w, h, new Array<number>(w * h).fill(0.7)), toH, toW);
        for (const value of flat.data) expect(value).toBeCloseTo(0.7, 5);
      }),
    );
  });
});

describe("fit", () => {
  it("keeps the aspect, centres, and pads each channel with black", () => {
    const tall = { channels: 2, height: 2, width: 1, data: Float32Array.of(0.1, 0.2, 0.3, 0.4) };
    expect(rounded(fit(tall, 2, 4).data)).toEqual([0, 0.1, 0, 0, 0, 0.2, 0, 0, 0, 0.3, 0, 0, 0, 0.4, 0, 0]);
  });

  it("keeps a thin image at least a pixel thick", () => {
    const line = fit(gray(100, 1, new Array<number>(100).fill(1)), 4, 4);
    expect(rounded(line.data)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("encodePng", () => {
  it("enlarges every pixel, clips, and writes gray for one channel", () => {
    const decoded = PNG.sync.read(Buffer.from(encodePng(Float32Array.of(-1, 2), [1, 1, 2], 2)));
    expect([decoded.width, decoded.height, decoded.color]).toEqual([4, 2, false]);
    expect([...decoded.data].filter((_, i) => i % 4 === 0)).toEqual([0, 0, 255, 255, 0, 0, 255, 255]);
  });

  it("refuses an image of another size", () => {
    expect(() => encodePng(new Float32Array(3), [1, 2, 2])).toThrow("Expected 4 values for image but received 3");
  });
});

describe("listImages", () => {
  const dot = png(1, 1, [255, 255, 255, 255]);

  it("lists the images of a folder, sorted, by extension or content, not those below it", async () => {
    const files = { "b.PNG": dot, "a.jpeg": dot, c: dot, "notes.txt": Buffer.from("x"), ".d.png": dot, "e/f.png": dot };
    await withFolder(files, async (dir) => {
      expect(await listImages(dir)).toEqual(["a.jpeg", "b.PNG", "c"].map((name) => `${dir}/${name}`));
      // a.jpeg is a PNG: content decides.
      expect([...(await readImage(`${dir}/a.jpeg`, [1, 1, 1]))]).toEqual([1]);
    });
  });

  it("lists a file as itself", async () => {
    await withFolder({ "notes.txt": Buffer.from("x") }, async (dir) => {
      expect(await listImages(`${dir}/notes.txt`)).toEqual([`${dir}/notes.txt`]);
    });
  });
});
