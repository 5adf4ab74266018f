import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../util/atomic-file.js";
import { RdiError } from "../util/errors.js";
import { exists, isFolder } from "../util/paths.js";
import { makeFolder } from "../util/make-folder.js";

/**
 * Makes sure, before long work begins, that its results can be kept: creates the folder if need be and tries to write in it.
 *
 * @throws RdiError that says why not
 */
export async function expectWritableFolder(folder: string): Promise<void> {
  await makeFolder(folder);
  const probe = join(folder, `.rdi-probe-${process.pid}-${randomBytes(4).toString("hex")}`);
  await writeFileAtomic(probe, new Uint8Array(1));
  await rm(probe, { force: true });
}

/** The same of a file: its folder is writable, and no folder has its name. */
export async function expectWritableFile(path: string): Promise<void> {
  if (await isFolder(path))
    throw new RdiError(`Cannot write ${path}: there is a folder of that name; choose another name`);
  await expectWritableFolder(dirname(path));
}

/** Makes sure that nothing is overwritten unasked. @throws RdiError if there is something at `path` and `force` is not set */
export async function expectNew(path: string, force: boolean): Promise<void> {
  if (force || !(await exists(path))) return;
  throw new RdiError(`Expected no file at ${path} but found one; give --force to replace it, or choose another name`);
}
