import { open, readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { FormatError } from "../util/errors.js";

const EXTENSIONS = [".png", ".jpg", ".jpeg"];
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG_SIGNATURE = [0xff, 0xd8, 0xff];

/** What the first bytes of a file say that it is. */
export function imageKind(bytes: Uint8Array): "png" | "jpeg" | undefined {
  if (startsWith(bytes, PNG_SIGNATURE)) return "png";
  return startsWith(bytes, JPEG_SIGNATURE) ? "jpeg" : undefined;
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

/**
 * The image files at `path`: itself, if it is a file; if a folder, those directly in it, sorted by name (by code unit,
 * so the same everywhere), that end in .png, .jpg or .jpeg or begin as such files do. Hidden files are left out.
 *
 * @throws FormatError if there is nothing at `path`, or no image in the folder
 */
export async function listImages(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new FormatError(path, "Expected an image or a folder of images but received nothing there");
  if (!found.isDirectory()) return [path];
  const images: string[] = [];
  for (const name of (await readdir(path)).sort()) {
    const file = join(path, name);
    if (!name.startsWith(".") && (await stat(file)).isFile() && (await isImage(file))) images.push(file);
  }
  if (images.length === 0) throw new FormatError(path, "Expected PNG or JPEG files in the folder but received none");
  return images;
}

async function isImage(path: string): Promise<boolean> {
  if (EXTENSIONS.includes(extname(path).toLowerCase())) return true;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(PNG_SIGNATURE.length), 0, PNG_SIGNATURE.length, 0);
    return imageKind(buffer.subarray(0, bytesRead)) !== undefined;
  } finally {
    await file.close();
  }
}
