/**
 * Files where there is no Node.js: what `#files` means in browsers. They lie in the origin's private file system, which keeps them until the site's data
 * is deleted; their paths begin with `opfs:`, such as `opfs:runs/digits`.
 */
import { FormatError, RdiError } from "../errors.js";

export const SCHEME = "opfs:";

export function joinPath(...parts: readonly string[]): string {
  return SCHEME + partsOf(parts.join("/")).join("/");
}

/** @throws FormatError if the file cannot be read */
export async function readFileBytes(path: string, what: string): Promise<Uint8Array> {
  try {
    const file = await (await fileAt(path)).getFile();
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    const reason = isMissing(error) ? "no such file in this origin's private file system" : messageOf(error);
    throw new FormatError(path, `Expected ${what} but received ${reason}`);
  }
}

/** Writes a file so that under its name there is either the old content or the new one. @throws RdiError if it cannot be written */
export async function writeFileAtomic(path: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
  const chunks = data instanceof Uint8Array ? [data] : data;
  await written(path, async () => {
    // What is written takes the place of the old content when the stream is closed.
    const stream = await (await fileAt(path, true)).createWritable();
    try {
      for (const chunk of chunks) await stream.write(chunk as Uint8Array<ArrayBuffer>);
    } catch (error) {
      await stream.abort();
      throw error;
    }
    await stream.close();
  });
}

/** Adds text to the end of a file, which is made if it is not there. @throws RdiError if it cannot be written */
export async function appendText(path: string, text: string): Promise<void> {
  await written(path, async () => {
    const file = await fileAt(path, true);
    const stream = await file.createWritable({ keepExistingData: true });
    await stream.seek((await file.getFile()).size);
    await stream.write(text);
    await stream.close();
  });
}

/** Makes a folder and those above it, where they are not there yet. @throws RdiError that says why not */
export async function makeFolder(path: string): Promise<void> {
  await written(path, () => folderAt(partsOf(path), true));
}

/** Whether there is something at a path. */
export async function exists(path: string): Promise<boolean> {
  const parts = partsOf(path);
  const name = parts.at(-1);
  if (name === undefined) return true;
  try {
    const folder = await folderAt(parts.slice(0, -1));
    await folder.getFileHandle(name).catch((error: unknown) => {
      if (isMissing(error)) throw error;
      return folder.getDirectoryHandle(name);
    });
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** @throws RdiError if the path is of another place */
function partsOf(path: string): string[] {
  if (!path.startsWith(SCHEME))
    throw new RdiError(
      `Expected a path in this origin's private file system, such as ${SCHEME}runs/digits, but received ${JSON.stringify(path)}`,
    );
  return path
    .slice(SCHEME.length)
    .split("/")
    .filter((part) => part !== "" && part !== ".");
}

async function folderAt(parts: readonly string[], create = false): Promise<FileSystemDirectoryHandle> {
  if (typeof navigator === "undefined" || !("storage" in navigator))
    throw new RdiError("Expected a browser with a private file system (a secure context) but there is none here");
  let folder = await navigator.storage.getDirectory();
  for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
  return folder;
}

async function fileAt(path: string, create = false): Promise<FileSystemFileHandle> {
  const parts = partsOf(path);
  const folder = await folderAt(parts.slice(0, -1));
  return folder.getFileHandle(parts.at(-1) ?? "", { create });
}

async function written(path: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new RdiError(`Cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
