import { readFile } from "node:fs/promises";
import { FormatError } from "./errors.js";

/**
 * The bytes of a file that a user named.
 *
 * @param what the file should be, such as "an image", for the error
 * @throws FormatError if the file cannot be read
 */
export async function readFileBytes(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw new FormatError(path, `Expected ${what} but received ${missing ? "no such file" : (error as Error).message}`);
  }
}
