import { describe, expect, it } from "vitest";

import { withMemoryShared } from "../../src/backends/native/memory-import.mjs";

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const TYPES = [1, 4, 1, 0x60, 0, 0];
/** A memory `m` of module `e`, of 1 to 300 pages. */
const memory = (flags: number): number[] => [2, 10, 1, 1, 0x65, 1, 0x6d, 2, flags, 1, 0xac, 2];

describe("withMemoryShared", () => {
  it("marks the memory of a module, also behind other sections, and marks it back", () => {
    for (const before of [HEADER, [...HEADER, ...TYPES]]) {
      const own = Uint8Array.from([...before, ...memory(1)]);
      const shared = Uint8Array.from([...before, ...memory(3)]);
      expect(WebAssembly.validate(own) && WebAssembly.validate(shared)).toBe(true);
      expect(withMemoryShared(own, true)).toEqual(shared);
      expect(withMemoryShared(shared, false)).toEqual(own);
      expect(withMemoryShared(shared, true)).toEqual(shared);
    }
  });

  it("leaves the bytes that it was given as they are", () => {
    const own = Uint8Array.from([...HEADER, ...memory(1)]);
    withMemoryShared(own, true);
    expect(own).toEqual(Uint8Array.from([...HEADER, ...memory(1)]));
  });

  it.each([
    ["something else", [1, 2, 3, 4, 5, 6, 7, 8], "Expected a WebAssembly module of version 1"],
    ["its first half", HEADER.slice(0, 4), "its beginning only"],
    ["a module without imports", [...HEADER, ...TYPES], "its beginning only"],
    ["an import section of nothing", [...HEADER, 2, 1, 0], "that imports something"],
    ["a module that ends in the import", [...HEADER, ...memory(1).slice(0, 6)], "its beginning only"],
    ["an imported function", [...HEADER, ...TYPES, 2, 7, 1, 1, 0x65, 1, 0x66, 0, 0], "whose first import is a memory"],
    ["a memory without a maximum", [...HEADER, 2, 8, 1, 1, 0x65, 1, 0x6d, 2, 0, 1], "whose memory has a maximum"],
  ])("refuses %s", (_, bytes, reason) => {
    expect(() => withMemoryShared(Uint8Array.from(bytes), true)).toThrow(new RegExp(reason));
  });
});
