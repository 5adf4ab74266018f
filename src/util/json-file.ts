import { readFileBytes, writeFileAtomic } from "#files";
import { FormatError } from "./errors.js";

/**
 * The value in a JSON file that a user named.
 *
 * @param what the file should be, such as "a preset", for the error
 * @throws FormatError if the file cannot be read or is no JSON
 */
export async function readJson(path: string, what: string): Promise<unknown> {
  return parseJson(new TextDecoder().decode(await readFileBytes(path, what)), path, "JSON");
}

/** @param what the text should be, such as "JSON", for the error @throws FormatError if it is no JSON */
export function parseJson(text: string, path: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(path, `Expected ${what} but received: ${(error as Error).message}`);
  }
}

/** Writes a value as JSON that people can read, atomically. @throws RdiError if it cannot be written */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
}
