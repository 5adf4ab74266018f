import { expectArgument } from "../util/errors.js";
import { expectShape, planesOf, type ImageShape } from "./pixels.js";
import { fit } from "./resize.js";

/** What a browser can show; of a video, the frame that it shows now. */
export type ImageSource =
  | ImageData
  | ImageBitmap
  | Blob
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame;

/**
 * Images as a network's input: float32 in [0, 1], images × channels × height × width.
 *
 * As of files in Node.js: alpha is composited on black, one channel is the Rec. 601 luma of the colours, and an image of another size is scaled to fit, keeping
 * its aspect, and padded with black around.
 *
 * @param sources decoded already, or files of any type that the browser knows
 * @param shape channels (1 or 3), height and width, such as a model's `inputShape`
 * @throws ArgumentError if the shape is another, or an image is empty; the browser's own error if it cannot decode a file, or must not read the pixels of another origin
 */
export async function imagesFrom(sources: readonly ImageSource[], shape: ImageShape): Promise<Float32Array> {
  expectShape(shape);
  const [channels, height, width] = shape;
  const images = new Float32Array(sources.length * channels * height * width);
  for (const [i, source] of sources.entries()) {
    const pixels = await pixelsOf(source);
    images.set(fit(planesOf(pixels, channels), height, width).data, i * channels * height * width);
  }
  return images;
}

async function pixelsOf(source: ImageSource): Promise<ImageData> {
  if (source instanceof ImageData) return source;
  if (source instanceof Blob) {
    const bitmap = await createImageBitmap(source);
    try {
      return drawn(bitmap, bitmap.width, bitmap.height);
    } finally {
      bitmap.close();
    }
  }
  if (typeof HTMLVideoElement !== "undefined" && source instanceof HTMLVideoElement)
    return drawn(source, source.videoWidth, source.videoHeight);
  if (typeof HTMLImageElement !== "undefined" && source instanceof HTMLImageElement) {
    await source.decode();
    return drawn(source, source.naturalWidth, source.naturalHeight);
  }
  if (typeof VideoFrame !== "undefined" && source instanceof VideoFrame)
    return drawn(source, source.displayWidth, source.displayHeight);
  const { width, height } = source as ImageBitmap | HTMLCanvasElement | OffscreenCanvas;
  return drawn(source, width, height);
}

function drawn(source: CanvasImageSource, width: number, height: number): ImageData {
  expectArgument(width > 0 && height > 0, "an image", "pixels", `${width} × ${height}`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}
