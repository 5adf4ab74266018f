import type { Dtype } from "../dtypes.js";
import { isCount, kindOf, StorageRef, TensorView, Tuple, type Dict, type PickleValue } from "./values.js";

/** What a call needs of the pickle that makes it. */
export interface CallContext {
  readonly fail: (message: string) => never;
  /** Accounts for work that grows faster than the pickle. */
  spend(steps: number): void;
}

type Call = (args: readonly PickleValue[], context: CallContext) => PickleValue;

/** The dtype of each kind of storage. */
export const STORAGES: ReadonlyMap<string, Dtype> = new Map([
  ["torch.DoubleStorage", "F64"],
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
]);

/** Names that stand for themselves. */
const CONSTANTS = [
  "torch.float64 torch.float32 torch.float16 torch.bfloat16 torch.int64 torch.int32 torch.int16 torch.int8 torch.uint8 torch.bool",
  "torch.double torch.float torch.half torch.long torch.int torch.short torch.strided torch.contiguous_format torch.channels_last",
].flatMap((names) => names.split(" "));

/** What the calls of each name make: values of ours, by code of ours. */
const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ["collections.OrderedDict", dict],
  // How often each value occurs; schedulers of the learning rate keep their milestones so.
  ["collections.Counter", dict],
  ...["builtins", "__builtin__"].flatMap((module): [string, Call][] => [
    [`${module}.set`, set],
    [`${module}.frozenset`, set],
    [`${module}.bytes`, (args, context) => (args.length === 0 ? new Uint8Array() : refuse("bytes", args, context))],
  ]),
  // How protocol 2, which knows no bytes, writes them: as the text of the same code points.
  ["_codecs.encode", encode],
  ["torch.Size", size],
  ["torch.device", device],
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_parameter", parameter],
  ["torch.nn.parameter.Parameter", parameter],
]);

const KNOWN: ReadonlySet<string> = new Set([...CONSTANTS, ...STORAGES.keys(), ...CALLS.keys()]);

/** Whether a name is one of tensors and plain values. */
export function isKnown(name: string): boolean {
  return KNOWN.has(name);
}

/** What the call of a known name makes. */
export function call(name: string, args: readonly PickleValue[], context: CallContext): PickleValue {
  const made = CALLS.get(name);
  if (made === undefined) context.fail(`Expected ${name} as a value but received a call of it`);
  return made(args, context);
}

function refuse(name: string, args: readonly PickleValue[], { fail }: CallContext): never {
  return fail(
    `Expected ${name} to be called as PyTorch does but received (${args.slice(0, 8).map(kindOf).join(", ")})`,
  );
}

function dict(args: readonly PickleValue[], context: CallContext): Dict {
  const [pairs] = args;
  if (pairs === undefined) return new Map();
  if (args.length > 1 || !(pairs instanceof Map || Array.isArray(pairs))) refuse("a dict", args, context);
  const result: Dict = new Map();
  for (const pair of pairs) {
    context.spend(1);
    const items = pair instanceof Tuple ? pair.items : pair;
    if (!Array.isArray(items) || items.length !== 2) refuse("a dict", args, context);
    result.set(items[0] as PickleValue, items[1] as PickleValue);
  }
  return result;
}

function set(args: readonly PickleValue[], context: CallContext): Set<PickleValue> {
  const [list] = args;
  if (list === undefined) return new Set();
  if (args.length > 1 || !Array.isArray(list)) refuse("a set", args, context);
  context.spend(list.length);
  return new Set(list);
}

function encode(args: readonly PickleValue[], context: CallContext): Uint8Array {
  const [text, encoding] = args;
  if (typeof text !== "string" || (encoding !== "latin1" && encoding !== "latin-1"))
    return refuse("_codecs.encode", args, context);
  context.spend(text.length);
  const codes = Array.from(text, (char) => char.codePointAt(0)!);
  if (codes.some((code) => code > 0xff))
    context.fail("Expected text of bytes for _codecs.encode but received other text");
  return Uint8Array.from(codes);
}

function size(args: readonly PickleValue[], context: CallContext): Tuple {
  const [sizes] = args;
  if (args.length !== 1 || !(sizes instanceof Tuple)) return refuse("torch.Size", args, context);
  return sizes;
}

/** As PyTorch prints it: "cuda:0". */
function device(args: readonly PickleValue[], context: CallContext): string {
  const [type, index] = args;
  if (args.length > 2 || typeof type !== "string") return refuse("torch.device", args, context);
  context.spend(type.length);
  return typeof index === "number" ? `${type}:${index}` : type;
}

/** (data, requires_grad, hooks): training again is nothing that a file could settle for us. */
function parameter(args: readonly PickleValue[], context: CallContext): TensorView {
  const [data] = args;
  return data instanceof TensorView ? data : refuse("a parameter", args, context);
}

/** PyTorch allows 64 at most. */
const MAX_DIMENSIONS = 64;

/** (storage, offset, shape, strides, …): the rest says how to train. Version 1, of PyTorch before 0.4, has nothing after the strides. */
function rebuildTensor(args: readonly PickleValue[], context: CallContext): TensorView {
  const [storage, offset, shape, strides] = args;
  if (
    !(storage instanceof StorageRef) ||
    !isCount(offset) ||
    !(shape instanceof Tuple) ||
    !(strides instanceof Tuple) ||
    shape.items.length > MAX_DIMENSIONS ||
    shape.items.length !== strides.items.length ||
    !shape.items.every(isCount) ||
    !strides.items.every(isCount)
  )
    return refuse("a tensor", args, context);
  const sizes = shape.items as number[];
  const steps = strides.items as number[];
  const last = sizes.reduce((sum, n, i) => sum + (n - 1) * steps[i]!, storage.start + offset);
  if (!sizes.includes(0) && last >= storage.end) {
    context.fail(
      `Expected a tensor inside its storage of ${storage.end - storage.start} values but received shape [${sizes.join(",")}], strides [${steps.join(",")}] and offset ${offset}`,
    );
  }
  return new TensorView(storage, storage.start + offset, sizes, steps);
}
