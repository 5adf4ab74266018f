import { TensorView, type Dict, type PickleValue } from "./values.js";

/** A state dict as it was found in what a training script saved. */
export interface StateDict {
  /** The keys that lead to it; none if the file holds nothing else. */
  readonly path: readonly string[];
  /** What all names began with, and which was taken off. */
  readonly prefix: string;
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** Plain values beside it, such as the number of iterations. */
  readonly values: ReadonlyMap<string, string | number | boolean>;
  /** Keys of everything else beside and in it. */
  readonly ignored: readonly string[];
}

/** Under what training scripts keep the state dict; the first of these that holds one counts. */
const KEYS = [
  "state_dict",
  "model_state_dict",
  "model",
  "net",
  "network",
  "model_state",
  "module",
  "params",
  "weights",
];

/** What wrappers (DataParallel, torch.compile) put before every name, once each time they wrap. */
const PREFIXES = ["module.", "_orig_mod."];

/** The state dict in the object that was saved: the object itself or a dict in it, under usual keys. */
export function findStateDict(root: PickleValue): StateDict | undefined {
  const path = pathToTensors(root, new Set());
  if (path === undefined) return undefined;
  const tensors = new Map<string, TensorView>();
  const values = new Map<string, string | number | boolean>();
  const ignored: string[] = [];
  let dict = root as Dict;
  for (let depth = 0; depth <= path.length; depth++) {
    for (const [key, value] of dict) {
      const name = [...path.slice(0, depth), keyText(key)].join(".");
      if (depth === path.length && typeof key === "string" && value instanceof TensorView) tensors.set(key, value);
      else if (key === path[depth]) continue;
      else if (isPlain(value)) values.set(name, value);
      else ignored.push(name);
    }
    if (depth < path.length) dict = dict.get(path[depth]!) as Dict;
  }
  return { path, ...stripPrefix(tensors), values, ignored };
}

/** The keys that lead to a dict of tensors. A dict under a usual key goes before tensors beside it, which may be the best accuracy so far. */
function pathToTensors(value: PickleValue, seen: Set<PickleValue>): string[] | undefined {
  // A dict may hold itself.
  if (!(value instanceof Map) || seen.has(value) || seen.size > MAX_DICTS) return undefined;
  seen.add(value);
  for (const key of KEYS) {
    const rest = pathToTensors(value.get(key) ?? null, seen);
    if (rest !== undefined) return [key, ...rest];
  }
  return [...value].some(([key, tensor]) => typeof key === "string" && tensor instanceof TensorView) ? [] : undefined;
}

/** Scripts nest state dicts once or twice. */
const MAX_DICTS = 100;

/** Takes off the wrappers' prefixes, as long as every name has them. */
export function stripPrefix<T>(tensors: ReadonlyMap<string, T>): { prefix: string; tensors: ReadonlyMap<string, T> } {
  const names = [...tensors.keys()];
  const [first] = names;
  let length = 0;
  for (;;) {
    const next = PREFIXES.find((wrapper) => first?.startsWith(wrapper, length));
    if (next === undefined || !names.every((name) => name.startsWith(next, length))) break;
    length += next.length;
  }
  return {
    prefix: first?.slice(0, length) ?? "",
    tensors: new Map([...tensors].map(([name, tensor]) => [name.slice(length), tensor])),
  };
}

function isPlain(value: PickleValue): value is string | number | boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

function keyText(key: PickleValue): string {
  return typeof key === "string" || typeof key === "number" ? String(key) : "(a key that is no text)";
}
