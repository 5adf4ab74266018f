import { FormatError } from "../../util/errors.js";
import { quote } from "../../util/quote.js";
import { readFileBytes } from "../../util/read-file.js";
import { expectBooleans } from "../dtypes.js";
import type { StoredTensor } from "../safetensors.js";
import { readArchive } from "./archive.js";
import { findStateDict } from "./state-dict.js";
import { readStream } from "./stream.js";
import { gather, tensorBytes } from "./tensor.js";
import { kindOf, type PickleValue } from "./values.js";

/** What a PyTorch checkpoint holds of a network. */
export interface PyTorchCheckpoint {
  /** The stream of PyTorch up to 1.5, or the zip archive of later ones. */
  readonly container: "legacy" | "zip";
  /** The keys that lead to the state dict; none if it was saved alone. */
  readonly path: readonly string[];
  /** What all names began with, such as `module.`; it is taken off. */
  readonly prefix: string;
  /** The state dict, in its order. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Plain values beside the state dict, such as the number of iterations, by their keys. */
  readonly values: ReadonlyMap<string, string | number | boolean>;
  /** Keys of what else there is, such as the optimizer's state: it is not looked at. */
  readonly ignored: readonly string[];
}

/**
 * Reads the state dict of a PyTorch checkpoint (`torch.save`), without PyTorch and without trust.
 *
 * A checkpoint is a Python pickle, a program, and to load one in Python may run anything that its author wrote into it. Here the program is only
 * *parsed*: a small machine knows the opcodes of plain values and tensors; a name of a module's member that is not one of a few (PyTorch's tensors,
 * storages, sizes and dtypes, Python's own containers) ends the reading with an error that gives the name; no name leads to code other than this
 * package's. What a file may ask for is bounded by its own size: reads stay inside it, archives may not be compressed, tensors must lie inside their
 * storages and may, through strides that repeat values, take at most a fixed multiple of the file's bytes. The machine's steps are counted and nothing recurses.
 *
 * @throws FormatError naming the defect if the file is missing, damaged, no checkpoint, or refers to anything but tensors and plain values
 */
export async function readPyTorchCheckpoint(path: string): Promise<PyTorchCheckpoint> {
  return decodePyTorchCheckpoint(await readFileBytes(path, "a PyTorch checkpoint"), path);
}

/**
 * The state dict in the bytes of a PyTorch checkpoint; see `readPyTorchCheckpoint`.
 *
 * @param source what to call the bytes in errors
 */
export function decodePyTorchCheckpoint(bytes: Uint8Array, source: string): PyTorchCheckpoint {
  const container = containerOf(bytes, source);
  const { root, storage, littleEndian } = (container === "zip" ? readArchive : readStream)(bytes, source);
  const found = findStateDict(root);
  if (found === undefined)
    throw new FormatError(source, `Expected a state dict, tensors by their names, but received ${describeRoot(root)}`);
  const allowed = EXPANSION * bytes.length + EXPANSION_BASE;
  let total = 0;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, view] of found.tensors) {
    total += tensorBytes(view);
    if (total > allowed) {
      throw new FormatError(
        source,
        `Expected at most ${allowed} bytes of tensors in a file of ${bytes.length} but received more: ${quote(name)} is [${view.shape.join(",")}]`,
      );
    }
    const tensor = gather(view, storage(view.storage.key), littleEndian);
    if (tensor.dtype === "BOOL") expectBooleans(tensor.data, name, source);
    tensors.set(name, tensor);
  }
  const { path, prefix, values, ignored } = found;
  return { container, path, prefix, tensors, values, ignored };
}

/** Tensors may share values (tied weights, expanded ones), but a file that asks for more than this is no network. */
const EXPANSION = 16;
const EXPANSION_BASE = 2 ** 20;

function containerOf(bytes: Uint8Array, source: string): PyTorchCheckpoint["container"] {
  if (startsWith(bytes, [0x50, 0x4b, 3, 4])) return "zip";
  if (startsWith(bytes, [0x80])) return "legacy";
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  throw new FormatError(
    source,
    `Expected a PyTorch checkpoint (a zip archive or a stream of pickles) but received ${bytes.length === 0 ? "an empty file" : `a file that begins ${quote(start)}`}`,
  );
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

function describeRoot(root: PickleValue): string {
  if (!(root instanceof Map)) return kindOf(root);
  const keys = [...root.keys()].slice(0, 8).map((key) => (typeof key === "string" ? quote(key) : kindOf(key)));
  return `${kindOf(root)} with the keys ${keys.join(", ")}${root.size > keys.length ? " …" : ""}`;
}
