import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { RdiError } from "./errors.js";
import { isFolder } from "./paths.js";

/**
 * Makes a folder and those above it, where they are not there yet. (Node's own recursive mkdir never returns below /proc, where nothing can be made.)
 *
 * @throws RdiError that says why not
 */
export async function makeFolder(path: string): Promise<void> {
  const folder = resolve(path);
  if (await isFolder(folder)) return;
  if (dirname(folder) !== folder) await makeFolder(dirname(folder));
  try {
    await mkdir(folder);
  } catch (error) {
    throw new RdiError(`Cannot make the folder ${folder}: ${(error as Error).message}; choose another one`, {
      cause: error,
    });
  }
}
