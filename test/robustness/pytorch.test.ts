import { zipSync } from "fflate";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePyTorchCheckpoint, readPyTorchCheckpoint } from "../../src/formats/pytorch/checkpoint.js";
import { encodePng } from "../../src/data/images.js";
import { FormatError } from "../../src/util/errors.js";
import {
  call,
  dict,
  global,
  int,
  legacyFile,
  list,
  none,
  orderedDict,
  pickle,
  reference,
  tensor,
  tuple,
  zipFile,
  type Code,
  type StoredValues,
  type TensorOptions,
} from "../support/pytorch-files.js";
import { ascii, errorOf, errorsOf, expectReadOrRefused, two, W } from "./pytorch-errors.js";

const root = dict({ epoch: int(3), state_dict: orderedDict({ "module.w": W, "module.b": tensor(two, [1, 2]) }) });
const files: [string, Uint8Array][] = [
  ["legacy", legacyFile(root, [two])],
  ["zip", zipFile(root, [two])],
];

describe("files that are no checkpoint", () => {
  it.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(), "an empty file"],
    ["a PNG", encodePng(new Float32Array(4), [1, 2, 2]), "PNG"],
    ["HTML", ascii("<!DOCTYPE html><html>"), '"<!DOCTYPE html><"'],
    ["an archive of something else", zipSync({ "word/document.xml": ascii("<w/>") }), "received 0 of them among 1"],
    [
      "an archive of two objects",
      zipSync({ "a/data.pkl": ascii("N."), "b/data.pkl": ascii("N.") }, { level: 0 }),
      "received 2",
    ],
    ["a pickle of something else", Uint8Array.from(pickle(dict({ a: int(1) }))), "received a pickle of a dict of 1"],
    ["the first byte of a pickle", Uint8Array.of(0x80), "truncated"],
    ["the first bytes of an archive", Uint8Array.of(0x50, 0x4b, 3, 4), "damaged or truncated"],
    ["terminal commands", ascii("\u001b[2J\u009b2J"), '"\\u001b[2J'],
  ])("%s", (_, bytes, part) => {
    const { message } = errorOf(bytes);
    expect(message).toMatch(/^model\.pt(, data\.pkl)?: Expected .* but /);
    expect(message).toContain(part);
    // eslint-disable-next-line no-control-regex -- that there are none is the point
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  it("a missing file and a folder", async () => {
    await expect(readPyTorchCheckpoint("none.pt")).rejects.toThrow(
      "Expected a PyTorch checkpoint but received no such",
    );
    await expect(readPyTorchCheckpoint("src")).rejects.toThrow(FormatError);
  });
});

describe("hostile tensors and storages", () => {
  const at = (shape: readonly number[], options?: TensorOptions): Code => dict({ w: tensor(two, shape, options) });
  const rebuild = (...args: Code[]): Code => dict({ w: call(global("torch._utils", "_rebuild_tensor_v2"), ...args) });
  const expanded = dict(
    Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`w${i}`, tensor(two, [2 ** 16], { strides: [0] })])),
  );

  it.each<[string, Code, string]>([
    ["reaches beyond its storage", at([3]), "inside its storage of 2 values"],
    ["begins beyond its storage", at([], { offset: 2 }), "inside its storage of 2 values"],
    ["strides beyond its storage", at([2], { strides: [2] }), "inside its storage of 2 values"],
    ["has a negative offset", at([1], { offset: -1 }), "Expected a tensor to be called as"],
    ["has a negative size", at([-1]), "Expected a tensor to be called as"],
    ["has a negative stride", at([2], { strides: [-1], offset: 1 }), "Expected a tensor to be called as"],
    ["has more strides than sizes", at([2], { strides: [1, 1] }), "Expected a tensor to be called as"],
    ["has too many axes", at(new Array<number>(65).fill(1)), "Expected a tensor to be called as"],
    ["has no storage", rebuild(int(1), int(0), tuple(), tuple()), "Expected a tensor to be called as"],
    [
      "has its sizes in a list",
      rebuild(reference(two), int(0), list(int(2)), tuple(int(1))),
      "Expected a tensor to be",
    ],
    ["repeats one value 2^31 times", at([2 ** 31 - 1], { strides: [0] }), "Expected at most"],
    ["repeats one value 2^124 times", at(new Array<number>(4).fill(2 ** 31 - 1), { strides: [0, 0, 0, 0] }), "at most"],
    ["is one of many that repeat", expanded, "Expected at most"],
  ])("a tensor %s", (_, code, part) => {
    for (const message of errorsOf(code)) expect(message).toContain(part);
  });

  it.each<[string, StoredValues, string]>([
    ["has more values than the file", { ...two, values: new Float32Array(3) }, "inside its"],
    ["is of a kind that is not known", { ...two, kind: "float32" }, 'Expected ("storage", kind'],
  ])("a storage %s", (_, claimed, part) => {
    for (const message of errorsOf(dict({ w: tensor(claimed, [4]) }))) expect(message).toContain(part);
  });

  it.each<[string, Code, StoredValues[], string, string]>([
    ["is not in the file", dict({ w: W }), [], "which a tensor has, but received none", "received no such entry"],
    [
      "is of another length",
      dict({ w: W }),
      [{ ...two, values: new Float32Array(3) }],
      "Expected 2 values",
      "Expected 8 bytes",
    ],
    [
      "is claimed in two lengths",
      dict({ w: W, v: tensor({ ...two, values: new Float32Array(3) }, [3]) }),
      [two],
      "one storage under a key",
      "one storage under a key",
    ],
  ])("a storage %s", (_, code, storages, legacy, zip) => {
    const messages = errorsOf(code, storages);
    expect(messages[0]).toContain(legacy);
    expect(messages[1]).toContain(zip);
  });

  it("a storage that no tensor has, or that is there twice, or bytes after the last", () => {
    const other = { ...two, key: "1" };
    expect(errorOf(legacyFile(dict({ w: W }), [two, other])).message).toContain('received "1" as well');
    expect(errorOf(legacyFile(dict({ w: W }), [two, two])).message).toContain("received one twice");
    expect(errorOf(Uint8Array.from([...files[0]![1], 0])).message).toContain("Expected the file to end at byte");
  });

  it("a truth value that is neither 0 nor 1", () => {
    const storage = { key: "0", kind: "BoolStorage", values: Uint8Array.of(2) };
    for (const message of errorsOf(dict({ w: tensor(storage, [1]) }), [storage])) expect(message).toContain("0 or 1");
  });

  it.each<[string, Code, StoredValues[]]>([
    ["a list", list(W), [two]],
    ["a tensor", W, [two]],
    ["None", none, []],
    ["a dict without tensors", dict({ epoch: int(3) }), []],
  ])("%s instead of a state dict", (_, code, storages) => {
    for (const message of errorsOf(code, storages))
      expect(message).toContain("Expected a state dict, tensors by their names");
  });
});

describe("a hostile archive", () => {
  const good = zipFile(dict({ w: W }), [two]);
  /** Offsets of the entries' headers in the directory at the end. */
  const directory = (bytes: Uint8Array): number[] => {
    const view = new DataView(bytes.buffer);
    return Array.from(bytes.keys()).filter((at) => at + 46 <= bytes.length && view.getUint32(at, true) === 0x02014b50);
  };
  const changed = (change: (view: DataView, entries: number[]) => void): Uint8Array => {
    const bytes = good.slice();
    change(new DataView(bytes.buffer), directory(bytes));
    return bytes;
  };

  it("is refused for a bomb, before anything is unpacked", () => {
    const storage = { key: "0", kind: "FloatStorage", values: new Float32Array(4_000_000) };
    const bomb = zipFile(dict({ w: tensor(storage, [4_000_000]) }), [storage], { level: 9 });
    expect(bomb.length).toBeLessThan(100_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(errorOf(bomb).message).toContain("Expected entries stored as they are, as PyTorch writes them");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  it.each<[string, Uint8Array, string]>([
    [
      "a size unlike the stored one",
      changed((view, [first]) => view.setUint32(first! + 24, 2 ** 31, true)),
      "2147483648 bytes in the stored entry",
    ],
    [
      "sizes beyond the file",
      changed((view, [first]) => {
        for (const field of [20, 24]) view.setUint32(first! + field, 2 ** 31, true);
      }),
      "they overlap",
    ],
    [
      "entries that are all of the file",
      changed((view, entries) => {
        for (const entry of entries)
          for (const field of [20, 24]) view.setUint32(entry + field, good.length - 80, true);
      }),
      "they overlap",
    ],
    [
      "an entry that lies beyond the end",
      changed((view, [first]) => view.setUint32(first! + 42, 2 ** 31, true)),
      "truncated",
    ],
    ["more entries than there are", changed((view) => view.setUint16(good.length - 14, 0xffff, true)), "twice"],
    ["no entries", changed((view) => view.setUint16(good.length - 14, 0, true)), "received 0 of them"],
    ["an unknown compression", changed((view, [first]) => view.setUint16(first! + 10, 99, true)), "stored as they are"],
    [
      "an unknown byte order",
      zipFile(dict({ w: W }), [two], { extra: { "model/byteorder": ascii("middle") } }),
      '"middle"',
    ],
    [
      "bytes after the pickle",
      zipFile([], [two], { extra: { "model/data.pkl": Uint8Array.from([...pickle(dict({ w: W })), 0]) } }),
      "Expected the pickle to end",
    ],
  ])("is refused for %s", (_, bytes, part) => {
    expect(errorOf(bytes).message).toContain(part);
  });
});

describe.each(files)("a damaged %s file", (_, sound) => {
  it("is sound before it is damaged", () => {
    expect([...decodePyTorchCheckpoint(sound, "model.pt").tensors.keys()]).toEqual(["w", "b"]);
  });

  it("cut at any byte is refused", () => {
    for (let length = 0; length < sound.length; length++) errorOf(sound.subarray(0, length));
  });

  it("changed anywhere is read or refused with a FormatError, never anything else", () => {
    const edit = fc.tuple(fc.nat({ max: sound.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
        const bytes = sound.slice();
        for (const [place, value] of edits) bytes[place] = value;
        expectReadOrRefused(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("with a piece cut out, or another put in, too", () => {
    const place = fc.nat({ max: sound.length });
    fc.assert(
      fc.property(place, fc.nat({ max: 20 }), fc.uint8Array({ maxLength: 20 }), (start, removed, inserted) => {
        expectReadOrRefused(
          Uint8Array.from([...sound.subarray(0, start), ...inserted, ...sound.subarray(start + removed)]),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
