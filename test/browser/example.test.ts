import { resolve } from "node:path";
import type { Browser, Page as Tab } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ISOLATED, missing, openBrowser, openTab, serve, type Site } from "./site.js";

describe.skipIf(missing !== undefined)(
  `examples/browser in Chromium${missing === undefined ? "" : ` (${missing})`}`,
  () => {
    let browser: Browser;
    let site: Site;
    let tab: Tab;
    let errors: string[];
    beforeAll(async () => {
      await build({ configFile: "examples/browser/vite.config.js", logLevel: "error" });
      site = await serve(resolve("build/browser/example"), ISOLATED);
      browser = await openBrowser();
      ({ tab, errors } = await openTab(browser, site.url));
    });
    afterAll(async () => {
      await browser.close();
      await site.close();
    });

    const status = (): Promise<string> => tab.locator("#status").innerText();
    /** Waits until what was asked for is there: the page says so. */
    const settled = (): Promise<unknown> =>
      tab.waitForFunction(() => /^As drawn/.test(document.getElementById("status")!.innerText));
    const exitsOf = (place: string): Promise<number> => tab.locator(`${place} tbody tr`).count();
    const takenAt = (place: string): Promise<string> => tab.locator(`${place} tr.taken th`).innerText();

    it("classifies a digit and attacks it, and shows each exit", async () => {
      await settled();
      expect(await status()).toMatch(/^As drawn a \d; attacked, (still|taken for) a \d\.$/);
      for (const place of ["#clean", "#adversarial"]) {
        expect(await exitsOf(place)).toBe(3);
        expect(await takenAt(place)).toMatch(/^exit [123] ✓$/);
        expect(await tab.locator(`${place} caption`).innerText()).toMatch(
          /^A \d, at exit [123]: [\d.]+ of [\d.]+ million multiply-accumulates, -?\d+% saved; [\d.]+ ms, and [\d.]+ ms with all exits$/,
        );
      }
    });

    it("leaves the digit as it is without an attack", async () => {
      await tab.locator("#epsilon").fill("0");
      await settled();
      expect(await status()).toContain("attacked, still a");
      expect(await takenAt("#adversarial")).toBe(await takenAt("#clean"));
    });

    it("takes what is drawn", async () => {
      await tab.locator("#clear").click();
      expect(await status()).toBe("Draw a digit.");
      const box = (await tab.locator("#paper").boundingBox())!;
      const point = (x: number, y: number): [number, number] => [box.x + x * box.width, box.y + y * box.height];
      await tab.mouse.move(...point(0.5, 0.2));
      await tab.mouse.down();
      await tab.mouse.move(...point(0.5, 0.8), { steps: 10 });
      await tab.mouse.up();
      await settled();
      expect(await status()).toContain("As drawn a 1");
    });

    it("shows another digit, attacked as strongly as is asked for, and finds no fault with the page", async () => {
      await tab.locator("#another").click();
      await tab.locator("#epsilon").fill("0.3");
      await settled();
      // For people to look at.
      await tab.screenshot({ path: "build/browser/example.png", fullPage: true });
      expect(errors).toEqual([]);
    });
  },
);
