import { describe, expect, it } from "vitest";
import { exitColour, SERIES_COLOURS } from "../../src/report/palette.js";
import { styleElement } from "../../src/report/style.js";

/** Contrast ratio of two colours, "#rrggbb", "#rgb" or "rgb(r, g, b)", as WCAG 2.2 defines it. */
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const hex = colour.replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
  const channels = hex.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))
    : [...hex.matchAll(/\d+/g)].map(Number);
  const [r = NaN, g = NaN, b = NaN] = channels.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** A custom property of the style sheet, in the light and the dark scheme. */
function scheme(name: string): [light: string, dark: string] {
  const [light, dark] = [...styleElement().text.matchAll(new RegExp(`--${name}: (#[0-9a-f]+);`, "g"))];
  return [light![1]!, dark![1]!];
}

describe("colours", () => {
  it.each(["ink", "quiet", "win", "loss"])(
    "text in %s has a contrast of 4.5 with both backgrounds of its scheme",
    (name) => {
      const text = scheme(name);
      for (const background of [scheme("paper"), scheme("raised")]) {
        expect(contrast(text[0], background[0])).toBeGreaterThanOrEqual(4.5);
        expect(contrast(text[1], background[1])).toBeGreaterThanOrEqual(4.5);
      }
    },
  );

  it("lines have a contrast of 4.5 with the page", () => {
    const paper = scheme("paper");
    for (const [light, dark] of SERIES_COLOURS) {
      expect(contrast(light, paper[0])).toBeGreaterThanOrEqual(4.5);
      expect(contrast(dark, paper[1])).toBeGreaterThanOrEqual(4.5);
    }
  });

  it.each([1, 2, 3, 7, 12])("labels on the bars of %i exits have a contrast of 4.5", (exits) => {
    for (let exit = 1; exit <= exits; exit++) {
      const { fill, ink } = exitColour(exit, exits);
      expect(contrast(fill, ink)).toBeGreaterThanOrEqual(4.5);
    }
  });
});
