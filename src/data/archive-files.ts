import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../util/errors.js";
import { isFile } from "../util/paths.js";
import { readFileBytes } from "../util/read-file.js";
import { readTar } from "./tar.js";

/** Where the files of a data set may lie. */
export interface ArchiveLayout {
  /** Of the data set, for errors: "CIFAR-10". */
  readonly title: string;
  /** Folders below the one given that are looked into as well. */
  readonly folders: readonly string[];
  /** The name of the archive as it is published. */
  readonly archive?: string;
}

/** A file, and what to call it in errors. */
export interface NamedFile {
  readonly source: string;
  readonly bytes: Uint8Array;
}

/** What holds the files of a data set. */
export interface Place {
  readonly kind: "folder" | "archive";
  readonly path: string;
}

/**
 * Finds the folder that holds files of a data set, or its archive, which may be given itself or lie in the folder.
 *
 * @throws FormatError naming what was looked for, and where
 */
export async function locateFiles(path: string, layout: ArchiveLayout, names: readonly string[]): Promise<Place> {
  const { title, folders, archive } = layout;
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    if (found !== undefined && archive !== undefined) return { kind: "archive", path };
    const what = archive === undefined ? "the folder" : `the folder, or ${archive},`;
    throw new FormatError(
      path,
      `Expected ${what} of the ${title} files but received ${found === undefined ? "nothing there" : "a file"}`,
    );
  }
  for (const folder of [path, ...folders.map((name) => join(path, name))]) {
    const there = await Promise.all(names.map((name) => isFile(join(folder, name))));
    if (there.includes(true)) return { kind: "folder", path: folder };
  }
  if (archive !== undefined && (await isFile(join(path, archive)))) {
    return { kind: "archive", path: join(path, archive) };
  }
  const places = [...folders, ...(archive === undefined ? [] : [archive])].join(" or ");
  throw new FormatError(path, `Expected ${names.join(", ")}, here or in ${places}, but received no such file`);
}

/**
 * The files of a data set.
 *
 * @param names all of them are needed
 * @param optional read where they are there
 * @returns by name
 * @throws FormatError naming the file that is missing or cannot be read
 */
export async function readArchiveFiles(
  path: string,
  layout: ArchiveLayout,
  names: readonly string[],
  optional: readonly string[] = [],
): Promise<Map<string, NamedFile>> {
  const place = await locateFiles(path, layout, names);
  return (place.kind === "folder" ? readFromFolder : readFromTar)(place.path, names, optional);
}

async function readFromFolder(
  folder: string,
  names: readonly string[],
  optional: readonly string[],
): Promise<Map<string, NamedFile>> {
  const files = new Map<string, NamedFile>();
  for (const name of [...names, ...optional]) {
    const source = join(folder, name);
    if (optional.includes(name) && !(await isFile(source))) continue;
    files.set(name, { source, bytes: await readFileBytes(source, "a file of the data set") });
  }
  return files;
}

async function readFromTar(
  path: string,
  names: readonly string[],
  optional: readonly string[],
): Promise<Map<string, NamedFile>> {
  const files = await readTar(path, [...names, ...optional]);
  const missing = names.filter((name) => !files.has(name));
  if (missing.length > 0) {
    throw new FormatError(path, `Expected ${missing.join(", ")} in the archive but received no such file`);
  }
  return new Map([...files].map(([name, bytes]) => [name, { source: `${path}: ${name}`, bytes }]));
}
