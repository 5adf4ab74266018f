import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RdiError } from "./errors.js";

/** What the usual refusals of an operating system mean for the one who asked for a file. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "the folder may not be written to; choose another folder or change its permissions",
  EPERM: "the system does not permit it; choose another folder",
  EROFS: "the file system is read-only; choose another folder",
  ENOENT: "the folder does not exist; create it first",
  ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
  EISDIR: "there is a folder of that name; choose another name",
  ENOSPC: "the disk is full; free some space or choose another folder",
  EDQUOT: "the disk quota is used up; free some space or choose another folder",
  EFBIG: "the file would be larger than the system allows",
  ENAMETOOLONG: "the name is too long; choose a shorter one",
};

/**
 * Writes a file so that under its name there is, at every moment, either the complete old content or the complete new
 * one, also if the process is killed or the machine loses power: the bytes go to a temporary file in the same folder,
 * which is flushed to the disk and then takes the name. A symbolic link of that name is replaced, not followed.
 *
 * @throws RdiError if the file cannot be written; the old file is then as it was, and no temporary file is left
 */
export async function writeFileAtomic(path: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
  const chunks = data instanceof Uint8Array ? [data] : data;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx");
    try {
      await writeAll(file, chunks);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await flushFolder(dirname(path));
  } catch (error) {
    throw refusal(path, error);
  }
}

/** The same of text, as UTF-8. */
export async function writeTextAtomic(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(text));
}

async function writeAll(file: FileHandle, chunks: Iterable<Uint8Array>): Promise<void> {
  try {
    for (const chunk of chunks) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the new name itself durable. Windows has no such call: there, opening a folder is refused. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A system error as one that says what to do; anything else, such as an error of the chunks' maker, as it is. */
function refusal(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  return new RdiError(`Cannot write ${path}: ${REASONS[error.code] ?? error.message} (${error.code})`, {
    cause: error,
  });
}
