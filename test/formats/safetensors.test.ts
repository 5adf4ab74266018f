import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DTYPES, type Dtype } from "../../src/formats/dtypes.js";
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  writeSafetensors,
  type StoredTensor,
} from "../../src/formats/safetensors.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "rdi-test-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const join8 = (parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));

/** Any tensor: its values are any bits of its dtype, NaN payloads included. */
const tensor = fc
  .tuple(
    fc.constantFrom(...(Object.keys(DTYPES) as Dtype[])),
    fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
    fc.infiniteStream(fc.nat({ max: 255 })),
  )
  .map(([dtype, shape, stream]): StoredTensor => {
    const bytes = new Uint8Array(shape.reduce((product, size) => product * size, DTYPES[dtype].bytes));
    for (let i = 0; i < bytes.length; i++) bytes[i] = (stream.next().value as number) & (dtype === "BOOL" ? 1 : 255);
    return { dtype, shape, data: DTYPES[dtype].decode(bytes.buffer) } as StoredTensor;
  });

const name = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("__proto__", "constructor", "7", "", '"', "\\"));
const file = fc
  .array(fc.tuple(name, tensor), { maxLength: 6 })
  .map((pairs) => new Map(pairs))
  .filter((tensors) => !tensors.has("__metadata__"));

describe("safetensors", () => {
  it("gives back what was written: names, dtypes, shapes and values", () => {
    fc.assert(
      fc.property(file, fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        const read = decodeSafetensors(join8(encodeSafetensors(tensors, metadata)), "bytes");
        expect(new Set(read.tensors.keys())).toEqual(new Set(tensors.keys()));
        for (const [key, value] of tensors) expect(read.tensors.get(key)).toEqual(value);
        expect({ ...read.metadata }).toEqual({ ...metadata });
      }),
      { numRuns: 300 },
    );
  });

  it("writes and reads a file", async () => {
    const path = join(dir, "weights.safetensors");
    const tensors = new Map<string, StoredTensor>([
      ["conv.weight", { dtype: "F32", shape: [2, 1, 1, 2], data: Float32Array.of(1, -0, NaN, Infinity) }],
      ["bn.num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(-5n) }],
    ]);
    await writeSafetensors(path, tensors, { model: "rdi-smallcnn" });
    const read = await readSafetensors(path);
    expect(read.tensors).toEqual(tensors);
    expect(read.metadata).toEqual({ model: "rdi-smallcnn" });
    expect(await readdir(dir)).toEqual(["weights.safetensors"]);
  });

  it("lays a file out as the format says", () => {
    const tensors = new Map<string, StoredTensor>([
      ["b", { dtype: "U8", shape: [3], data: Uint8Array.of(7, 8, 9) }],
      ["a", { dtype: "F32", shape: [1], data: Float32Array.of(1) }],
    ]);
    const bytes = join8(encodeSafetensors(tensors));
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
      b: { dtype: "U8", shape: [3], data_offsets: [4, 7] },
    });
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 7, 8, 9]);
  });

  it("does not depend on the order in which tensors are given", () => {
    const a: StoredTensor = { dtype: "F32", shape: [1], data: Float32Array.of(1) };
    const b: StoredTensor = { dtype: "F32", shape: [], data: Float32Array.of(2) };
    const [ab, ba] = [new Map([["a", a], ["b", b]]), new Map([["b", b], ["a", a]])]; // prettier-ignore
    expect(join8(encodeSafetensors(ab))).toEqual(join8(encodeSafetensors(ba)));
  });

  it("copies the tensors out of the bytes, which may lie anywhere in a buffer", () => {
    const tensors = new Map<string, StoredTensor>([["a", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }]]);
    const packed = Buffer.concat([Uint8Array.of(0, 0, 0), ...encodeSafetensors(tensors)]);
    const { data } = decodeSafetensors(packed.subarray(3), "bytes").tensors.get("a") as StoredTensor;
    packed.fill(0);
    expect(data).toEqual(Float32Array.of(1, 2));
    expect(data.buffer.byteLength).toBe(8);
  });

  it.each<[string, StoredTensor, string]>([
    ["__metadata__", { dtype: "F32", shape: [], data: Float32Array.of(1) }, "__metadata__"],
    ["a", { dtype: "F32", shape: [3], data: Float32Array.of(1) }, 'Expected 3 values for tensor "a" of shape [3]'],
    ["a", { dtype: "F32", shape: [-1], data: Float32Array.of(1) }, "Expected non-negative integers for the shape"],
    ["a", { dtype: "I64", shape: [1], data: Float32Array.of(1) } as never, "Expected a BigInt64Array for dtype I64"],
    ["a", { dtype: "F8", shape: [1], data: Float32Array.of(1) } as never, "Expected one of F64, F32"],
  ])("refuses to write tensor %s %o", async (key, value, message) => {
    const path = join(dir, "weights.safetensors");
    await expect(writeSafetensors(path, new Map([[key, value]]))).rejects.toThrow(message);
    expect(await readdir(dir)).toEqual([]);
  });

  it("leaves the old file as it was when a write is refused", async () => {
    const path = join(dir, "weights.safetensors");
    await writeSafetensors(path, new Map<string, StoredTensor>());
    const before = await readFile(path);
    const bad = new Map<string, StoredTensor>([["a", { dtype: "F32", shape: [3], data: Float32Array.of(1) }]]);
    await expect(writeSafetensors(path, bad)).rejects.toThrow("Expected 3 values");
    expect(await readFile(path)).toEqual(before);
  });
});
