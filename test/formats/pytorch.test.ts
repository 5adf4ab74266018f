import { describe, expect, it } from "vitest";
import { decodePyTorchCheckpoint, readPyTorchCheckpoint } from "../../src/formats/pytorch/checkpoint.js";
import { readSafetensors } from "../../src/formats/safetensors.js";
import {
  bool,
  build,
  bytesOf,
  call,
  dict,
  float,
  global,
  int,
  legacyFile,
  list,
  none,
  orderedDict,
  tensor,
  text,
  tuple,
  zipFile,
  type Code,
  type StoredValues,
} from "../support/pytorch-files.js";
import { sharedPath } from "../support/shared-data.js";

const six: StoredValues = { key: "six", kind: "FloatStorage", values: Float32Array.of(1, 2, 3, 4, 5, 6) };
const W = tensor(six, [2, 3]);

type Write = (root: Code, storages: readonly StoredValues[]) => Uint8Array;
const decode = (bytes: Uint8Array) => decodePyTorchCheckpoint(bytes, "file");

describe.each<[string, Write]>([
  ["legacy", (root, storages) => legacyFile(root, storages)],
  ["zip", (root, storages) => zipFile(root, storages)],
])("a %s file", (container, write) => {
  /** Shape and values of the tensor `w` that is all there is. */
  function read(code: Code, ...storages: StoredValues[]): [readonly number[], number[], string] {
    const { shape, data, dtype } = decode(write(dict({ w: code }), storages)).tensors.get("w")!;
    return [shape, Array.from<number | bigint, number>(data, Number), dtype];
  }

  it("gives the state dict that it holds", () => {
    const read = decode(write(orderedDict({ "fc.weight": W }), [six]));
    expect(read).toMatchObject({ container, path: [], prefix: "", ignored: [] });
    expect([...read.tensors]).toEqual([["fc.weight", { dtype: "F32", shape: [2, 3], data: six.values }]]);
  });

  it.each<[string, string, StoredValues["values"], number[]]>([
    ["DoubleStorage", "F64", Float64Array.of(0.1, -2), [0.1, -2]],
    ["FloatStorage", "F32", Float32Array.of(0.5, -2), [0.5, -2]],
    ["HalfStorage", "F16", Uint16Array.of(0x3c00, 0xc100), [1, -2.5]],
    ["BFloat16Storage", "BF16", Uint16Array.of(0x3f80, 0xc020), [1, -2.5]],
    ["LongStorage", "I64", BigInt64Array.of(-(2n ** 40n), 3n), [-(2 ** 40), 3]],
    ["IntStorage", "I32", Int32Array.of(-70000, 3), [-70000, 3]],
    ["ShortStorage", "I16", Int16Array.of(-300, 3), [-300, 3]],
    ["CharStorage", "I8", Int8Array.of(-3, 3), [-3, 3]],
    ["ByteStorage", "U8", Uint8Array.of(200, 3), [200, 3]],
    ["BoolStorage", "BOOL", Uint8Array.of(1, 0), [1, 0]],
  ])("reads a %s as %s", (kind, dtype, values, expected) => {
    const storage = { key: "0", kind, values };
    expect(read(tensor(storage, [2]), storage)).toEqual([[2], expected, dtype]);
  });

  it.each<[string, readonly number[], readonly number[], number, number[]]>([
    ["transposed", [3, 2], [1, 3], 0, [1, 4, 2, 5, 3, 6]],
    ["cut out", [2, 2], [3, 1], 1, [2, 3, 5, 6]],
    ["repeated", [2, 3], [0, 1], 3, [4, 5, 6, 4, 5, 6]],
    ["scalar", [], [], 5, [6]],
    ["empty", [2, 0], [1, 1], 0, []],
    ["with an axis of 1 and any stride", [2, 1, 3], [3, 77, 1], 0, [1, 2, 3, 4, 5, 6]],
  ])("reads a tensor that is %s", (_what, shape, strides, offset, expected) => {
    expect(read(tensor(six, shape, { strides, offset }), six)).toEqual([shape, expected, "F32"]);
  });

  it("reads tensors that share a storage", () => {
    const root = dict({ a: W, b: tensor(six, [2], { offset: 4 }), c: W });
    const { tensors } = decode(write(root, [six]));
    expect([...tensors].map(([name, { data }]) => [name, [...data]])).toEqual([
      ["a", [1, 2, 3, 4, 5, 6]],
      ["b", [5, 6]],
      ["c", [1, 2, 3, 4, 5, 6]],
    ]);
  });

  it("reads parameters as their tensors", () => {
    const modern = call(global("torch._utils", "_rebuild_parameter"), W, bool(true), orderedDict({}));
    const old = call(global("torch.nn.parameter", "Parameter"), W, bool(true));
    for (const parameter of [modern, old]) expect(read(parameter, six)).toEqual([[2, 3], [1, 2, 3, 4, 5, 6], "F32"]);
  });

  it.each([
    [["state_dict"], dict({ epoch: int(3), state_dict: orderedDict({ w: W }), optimizer: dict({}) })],
    [["model"], dict({ epoch: int(3), model: dict({ w: W }), optimizer: dict({}) })],
    [["net"], dict({ epoch: int(3), net: dict({ w: W }), optimizer: dict({}) })],
    [["model_state_dict"], dict({ epoch: int(3), model_state_dict: dict({ w: W }), optimizer: dict({}) })],
    [["model", "state_dict"], dict({ epoch: int(3), model: dict({ state_dict: dict({ w: W }) }), optimizer: list(W) })],
  ])("finds the state dict under %j and says what else there is", (path, root) => {
    const read = decode(write(root, [six]));
    expect(read.path).toEqual(path);
    expect([...read.tensors.keys()]).toEqual(["w"]);
    expect(read.values).toEqual(new Map([["epoch", 3]]));
    expect(read.ignored).toEqual(["optimizer"]);
  });

  it("does not take tensors beside a state dict for one", () => {
    const read = decode(write(dict({ best: tensor(six, []), state_dict: dict({ w: W, extra: list() }) }), [six]));
    expect([...read.tensors.keys()]).toEqual(["w"]);
    expect(read.ignored).toEqual(["best", "state_dict.extra"]);
  });

  it("does not follow a dict without tensors, nor one that holds itself", () => {
    expect(decode(write(dict({ w: W, params: dict({}) }), [six]))).toMatchObject({ path: [], ignored: ["params"] });
    // {"model": itself}: memoized, and fetched from the memo.
    const cycle = [0x7d, 0x71, 0, ...text("model"), 0x68, 0, 0x73];
    expect(() => decode(write(cycle, []))).toThrow("Expected a state dict");
  });

  it.each([
    ["module.", ["module.a", "module.b.c"], ["a", "b.c"]],
    ["module.module.", ["module.module.a", "module.module.b"], ["a", "b"]],
    ["_orig_mod.module.", ["_orig_mod.module.a", "_orig_mod.module.module.b"], ["a", "module.b"]],
    ["", ["module.a", "b"], ["module.a", "b"]],
  ])("takes the prefix %j off all names alike", (prefix, names, expected) => {
    const read = decode(write(dict(Object.fromEntries(names.map((name) => [name, W]))), [six]));
    expect(read.prefix).toBe(prefix);
    expect([...read.tensors.keys()]).toEqual(expected);
  });

  it("reads past the plain values that training scripts keep", () => {
    const root = build(
      orderedDict({
        w: W,
        dtype: global("torch", "float32"),
        size: call(global("torch", "Size"), tuple(int(1), int(2))),
        device: call(global("torch", "device"), text("cuda"), int(0)),
        bytes: call(global("_codecs", "encode"), text("aé"), text("latin1")),
        nothing: call(global("__builtin__", "bytes")),
        set: call(global("__builtin__", "set"), list(int(1))),
        milestones: call(global("collections", "Counter"), dict({ a: int(1) })),
        pairs: call(global("collections", "OrderedDict"), list(list(text("a"), int(1)))),
        big: [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        best: float(93.5),
        none,
      }),
      dict({ _metadata: orderedDict({ "": dict({ version: int(1) }) }) }),
    );
    const read = decode(write(root, [six]));
    expect([...read.tensors.keys()]).toEqual(["w"]);
    expect(read.values).toEqual(
      new Map<string, unknown>([
        ["device", "cuda:0"],
        ["best", 93.5],
      ]),
    );
    expect(read.ignored).toEqual(["dtype", "size", "bytes", "nothing", "set", "milestones", "pairs", "big", "none"]);
  });
});

describe("a legacy file", () => {
  it("is little-endian whatever the machine that wrote it", () => {
    expect(decode(legacyFile(dict({ w: W }), [six], false)).tensors.get("w")!.data).toEqual(six.values);
  });

  it("may have a storage that is a part of another", () => {
    const part = tuple(text("part"), int(2), int(3));
    const { tensors } = decode(legacyFile(dict({ w: tensor(six, [2], { offset: 1, part }), all: W }), [six]));
    expect([...tensors.get("w")!.data]).toEqual([4, 5]);
    expect(() => decode(legacyFile(dict({ w: tensor(six, [4], { part }) }), [six]))).toThrow("storage of 3 values");
  });
});

describe("a zip file", () => {
  it.each([
    ["FloatStorage", Float32Array.of(1, -2.5)],
    ["DoubleStorage", Float64Array.of(1, -2.5)],
    ["HalfStorage", Uint16Array.of(0x3c00, 0xc100)],
  ])("may be big-endian (%s)", (kind, values) => {
    const storage: StoredValues = { key: "0", kind, values };
    const swapped = bytesOf(values).reverse();
    // In reverse, the first value is the last in the other byte order.
    const w = tensor(storage, [2], { strides: [1] });
    const order = { "model/byteorder": new TextEncoder().encode("big"), "model/data/0": swapped };
    const { data } = decode(zipFile(dict({ w }), [storage], { extra: order })).tensors.get("w")!;
    expect([...data]).toEqual([-2.5, 1]);
  });

  it("may be of protocol 4 or 5", () => {
    const short = (value: string) => [0x8c, value.length, ...new TextEncoder().encode(value)];
    const named = (module: string, name: string) => [...short(module), ...short(name), 0x93, 0x94];
    const storage = [
      ...[
        0x28,
        ...short("storage"),
        ...named("torch", "FloatStorage"),
        ...short("six"),
        0x94,
        ...short("cpu"),
        0x4b,
        6,
      ],
      ...[0x74, 0x94, 0x51],
    ];
    const w = [
      ...named("torch._utils", "_rebuild_tensor_v2"),
      ...[0x28, ...storage, 0x4b, 0, 0x4b, 6, 0x85, 0x94, 0x4b, 1, 0x85, 0x94, 0x89],
      ...[...named("collections", "OrderedDict"), 0x29, 0x52, 0x94, 0x74, 0x94, 0x52, 0x94],
    ];
    const extras = [...short("set"), 0x8f, 0x94, 0x28, 0x4b, 1, 0x4b, 2, 0x90, ...short("bytes"), 0x43, 2, 7, 8, 0x94];
    for (const protocol of [4, 5]) {
      const body = [0x7d, 0x94, 0x28, ...short("w"), ...w, ...extras, 0x75, 0x2e];
      const frame = [0x80, protocol, 0x95, body.length, ...new Array<number>(7).fill(0), ...body];
      const read = decode(zipFile([], [six], { extra: { "model/data.pkl": Uint8Array.from(frame) } }));
      expect(read.tensors.get("w")!.data).toEqual(six.values);
      expect(read.ignored).toEqual(["set", "bytes"]);
    }
  });
});

const authors = sharedPath("data", "checkpoints", "rdi-resnet38-cifar10.pth.tar");
const reference = sharedPath("data", "checkpoints", "rdi-resnet38-cifar10.safetensors");
const absent = authors === undefined || reference === undefined;

it.skipIf(absent)(`reads the authors' checkpoint bit for bit${absent ? " (no shared data)" : ""}`, async () => {
  const read = await readPyTorchCheckpoint(authors!);
  expect(read).toMatchObject({ container: "legacy", path: ["state_dict"], prefix: "module.", ignored: [] });
  expect(read.values).toEqual(
    new Map<string, unknown>([
      ["arch", "cifar10_resnet_38"],
      ["iter", 60000],
      ["best_prec1", 0],
    ]),
  );
  const { tensors } = await readSafetensors(reference!);
  expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
  for (const [name, { dtype, shape, data }] of tensors) {
    const found = read.tensors.get(name)!;
    expect([name, found.dtype, found.shape]).toEqual([name, dtype, shape]);
    expect(Buffer.from(bytesOf(found.data)).equals(bytesOf(data)), name).toBe(true);
  }
});
