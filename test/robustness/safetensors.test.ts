import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { duplicateKey } from "../../src/formats/json-keys.js";
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type StoredTensor,
} from "../../src/formats/safetensors.js";
import { FormatError } from "../../src/util/errors.js";

/** A file with this header text, whatever it says, and `dataLength` bytes of data. */
function file(header: string, dataLength = 0, headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
const header = (entries: object) => JSON.stringify(entries);

function errorOf(bytes: Uint8Array): FormatError {
  try {
    decodeSafetensors(bytes, "model.safetensors");
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error("the file was accepted");
}

describe("broken safetensors headers", () => {
  it.each<[string, Uint8Array, string[]]>([
    ["no bytes", new Uint8Array(), ["at least 8 bytes", "received 0"]],
    ["a cut length", new Uint8Array(7), ["at least 8 bytes", "received 7"]],
    ["a length beyond the file", file("{}", 0, 3n), ["header of 3 bytes", "ends after 2", "truncated"]],
    ["a length beyond 100 MB", file("{}", 0, 100_000_001n), ["at most 100000000", "100000001"]],
    ["a length beyond all numbers", file("{}", 0, 2n ** 64n - 1n), ["at most 100000000", "18446744073709551615"]],
    ["an empty header", file(""), ["JSON object", "empty header"]],
    ["no JSON", file("{a: 1}"), ["valid JSON"]],
    ["cut JSON", file('{"a": {'), ["valid JSON"]],
    ["bytes that are not UTF-8", Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d), ["valid JSON"]],
    ["an array", file("[]"), ["JSON object", "[]"]],
    ["leading space", file(" {}"), ["JSON object"]],
    ["null", file("null"), ["JSON object", "null"]],
    ["metadata that are no object", file('{"__metadata__": 5}'), ["__metadata__", "received 5"]],
    ["metadata that are no text", file('{"__metadata__": {"a": 5}}'), ["string for __metadata__.a", "received 5"]],
    ["an entry that is null", file('{"w": null}'), ['object for tensor "w"', "received null"]],
    ["an entry that is a list", file('{"w": []}'), ['object for tensor "w"', "received []"]],
    ["no dtype", file('{"w": {}}'), ["one of F64, F32", 'dtype of tensor "w"', "received nothing"]],
    ["an unknown dtype", file(header({ w: entry("F7", [], [0, 4]) }), 4), ["one of F64, F32", 'received "F7"']],
    ["an inherited name as dtype", file(header({ w: entry("toString", [], [0, 4]) }), 4), ["one of F64, F32"]],
    ["no shape", file(header({ w: { dtype: "F32", data_offsets: [0, 4] } }), 4), ["shape", "received nothing"]],
    ["a negative size", file(header({ w: entry("F32", [-1], [0, 4]) }), 4), ["non-negative integers", "[-1]"]],
    ["a broken size", file(header({ w: entry("F32", [1.5], [0, 6]) }), 6), ["non-negative integers", "[1.5]"]],
    ["a size as text", file(header({ w: entry("F32", ["1"], [0, 4]) }), 4), ["non-negative integers", '["1"]']],
    ["three offsets", file(header({ w: entry("F32", [], [0, 4, 8]) }), 8), ["two non-negative", "[0,4,8]"]],
    ["offsets in reverse", file(header({ w: entry("F32", [], [4, 0]) }), 4), ["Expected 4 bytes", "[4,0]"]],
    [
      "a span unlike the shape",
      file(header({ w: entry("F32", [2, 3], [0, 20]) }), 20),
      ["Expected 24 bytes", "[0,20]"],
    ],
    ["a shape beyond all memory", file(header({ w: entry("F32", [2 ** 40, 2 ** 40], [0, 4]) }), 4), ["[0,4]"]],
    [
      "a tensor outside the file",
      file(header({ a: entry("F32", [], [0, 4]), w: entry("F32", [2], [4, 12]) }), 4),
      ['tensor "w" inside the 4 bytes', "12"],
    ],
    [
      "overlapping tensors",
      file(header({ a: entry("F32", [2], [0, 8]), w: entry("F32", [2], [4, 12]) }), 12),
      ['tensor "w" to begin at 8, after tensor "a"', "received 4", "overlap"],
    ],
    [
      "tensors in the same place",
      file(header({ a: entry("F32", [], [0, 4]), w: entry("F32", [], [0, 4]) }), 4),
      ["received 0", "overlap"],
    ],
    [
      "a gap between tensors",
      file(header({ a: entry("F32", [], [0, 4]), w: entry("F32", [], [8, 12]) }), 12),
      ['tensor "w" to begin at 4', "received 8", "gap"],
    ],
    ["a gap before the first", file(header({ w: entry("F32", [], [4, 8]) }), 8), ["begin at 0", "received 4", "gap"]],
    ["data left over", file(header({ w: entry("F32", [], [0, 4]) }), 5), ["end at 4", "received 5 bytes"]],
    ["data without tensors", file("{}", 3), ["end at 0", "received 3 bytes"]],
    [
      "a misaligned tensor",
      file(header({ a: entry("U8", [3], [0, 3]), w: entry("F32", [], [3, 7]) }), 7),
      ["multiple of 4", 'tensor "w"', "received 3"],
    ],
    ["a name twice", file('{"w": {"dtype":"U8","shape":[0],"data_offsets":[0,0]}, "\\u0077": {}}'), ['"w" twice']],
    ["a field twice", file('{"w": {"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), ['"dtype" twice']],
  ])("%s", (_, bytes, parts) => {
    const { message } = errorOf(bytes);
    expect(message).toMatch(/^model\.safetensors: Expected .* but /s);
    for (const part of parts) expect(message).toContain(part);
  });

  it("a BOOL that is neither 0 nor 1", () => {
    const bytes = file(header({ w: entry("BOOL", [2], [0, 2]) }), 2);
    bytes[bytes.length - 1] = 2;
    expect(errorOf(bytes).message).toContain('Expected 0 or 1 for value 1 of the BOOL tensor "w" but received 2');
  });

  it("a long broken value is cut short in the message", () => {
    expect(errorOf(file(header({ w: "x".repeat(100_000) }))).message.length).toBeLessThan(200);
  });

  it("a missing file and a folder", async () => {
    await expect(readSafetensors("none.safetensors")).rejects.toThrow(FormatError);
    await expect(readSafetensors("none.safetensors")).rejects.toThrow(
      "Expected a safetensors file but received no such file",
    );
    await expect(readSafetensors("src")).rejects.toThrow(/^src: Expected a safetensors file but received .*EISDIR/);
  });
});

it("a sound header with spaces after it is accepted, padded to 8 bytes or not", () => {
  for (const spaces of ["", " ", "       "]) {
    const bytes = file(header({ w: entry("F32", [], [0, 4]) }) + spaces, 4);
    expect(decodeSafetensors(bytes, "bytes").tensors.get("w")?.data).toEqual(Float32Array.of(0));
  }
});

describe("damaged files", () => {
  const tensors = new Map<string, StoredTensor>([
    ["conv.weight", { dtype: "F32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ["mask", { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ["steps", { dtype: "I64", shape: [], data: BigInt64Array.of(3n) }],
  ]);
  const sound = Uint8Array.from(Buffer.concat(encodeSafetensors(tensors, { model: "rdi-smallcnn" })));

  it("cut at any byte are refused", () => {
    for (let length = 0; length < sound.length; length++) errorOf(sound.subarray(0, length));
  });

  it("changed anywhere are read or refused with a FormatError, never anything else", () => {
    const edit = fc.tuple(fc.nat({ max: sound.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
        const bytes = sound.slice();
        for (const [at, value] of edits) bytes[at] = value;
        try {
          for (const { shape, data } of decodeSafetensors(bytes, "bytes").tensors.values()) {
            expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("any JSON as header is read or refused with a FormatError", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat({ max: 16 }), (text, length) => {
        try {
          decodeSafetensors(file(text, length), "bytes");
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("duplicateKey", () => {
  it("finds none in what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(duplicateKey(JSON.stringify(JSON.parse(text)))).toBeUndefined();
      }),
    );
  });

  it.each([
    ['{"a":1,"a":2}', "a"],
    ['[{"b":[{"c":1,"c" : 2}]}]', "c"],
    ['{"a":{"b":1},"b":2,"a":3}', "a"],
    ['{"x\\"}":1,"x\\"}":2}', 'x"}'],
    ['{"a":"a","b":["a","a"],"c":{"a":"{"}}', undefined],
  ])("in %s finds %s", (text, key) => {
    expect(duplicateKey(text)).toBe(key);
  });
});
