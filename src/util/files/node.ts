/** Files, as Node.js has them: what `#files` means there. */
import { appendFile } from "node:fs/promises";
import { RdiError } from "../errors.js";

export { join as joinPath } from "node:path";
export { writeFileAtomic } from "../atomic-file.js";
export { makeFolder } from "../make-folder.js";
export { exists } from "../paths.js";
export { readFileBytes } from "../read-file.js";

/** Adds text to the end of a file, which is made if it is not there. @throws RdiError if it cannot be written */
export async function appendText(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text);
  } catch (error) {
    throw new RdiError(`Cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}
