import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bfloatOfFloat, floatOfBfloat, floatOfHalf, halfOfFloat } from "../../src/formats/half.js";

const formats = [
  { name: "binary16", widen: floatOfHalf, round: halfOfFloat, infinity: 0x7c00 },
  { name: "bfloat16", widen: floatOfBfloat, round: bfloatOfFloat, infinity: 0x7f80 },
];

describe.each(formats)("$name", ({ widen, round, infinity }) => {
  it("gives every bit pattern back", () => {
    const isNaNPattern = (bits: number) => (bits & 0x7fff) > infinity;
    const lost = Array.from({ length: 0x10000 }, (_, bits) => bits).filter((bits) => {
      const back = round(widen(bits));
      return isNaNPattern(bits) ? !isNaNPattern(back) : back !== bits;
    });
    expect(lost).toEqual([]);
  });

  it("rounds to the nearest value, ties to the even pattern", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: infinity - 2 }), fc.double({ min: 0, max: 1, noNaN: true }), (bits, t) => {
        const [low, high] = [widen(bits), widen(bits + 1)];
        const value = Math.fround(low + t * (high - low));
        const [below, above] = [value - low, high - value];
        const nearest = below < above || (below === above && bits % 2 === 0) ? bits : bits + 1;
        expect(round(value)).toBe(nearest);
        expect(round(-value)).toBe(nearest | 0x8000);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps infinity and overflows to it", () => {
    expect(round(Infinity)).toBe(infinity);
    expect(round(-Infinity)).toBe(infinity | 0x8000);
    expect(round(3.4028234e38)).toBe(infinity);
  });
});

it("knows some values of binary16", () => {
  expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555].map(floatOfHalf)).toEqual([
    1,
    -2,
    65504,
    2 ** -24,
    2 ** -14,
    0.333251953125,
  ]);
  expect([65519, 65520, 2 ** -25, 1.0009765625].map(halfOfFloat)).toEqual([0x7bff, 0x7c00, 0, 0x3c01]);
});
