import { resolve } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attacks, initialParams, Network } from "../../src/index.js";
import { ops } from "../../src/ops/index.js";
import { createTfjsBackend } from "../../src/tfjs.js";
import { differing } from "../fidelity/oracle.js";
import { tinyBatch, tinyModel } from "../support/tiny.js";
import { buildPage, ISOLATED, missing, openBrowser, openTab, serve } from "./site.js";

const OUT = resolve("build/browser/tfjs-page");

describe.skipIf(missing !== undefined)(
  `rdi-net/tfjs in Chromium${missing === undefined ? "" : ` (${missing})`}`,
  () => {
    let browser: Browser;
    beforeAll(async () => {
      await buildPage("test/browser/tfjs-page", OUT);
      browser = await openBrowser();
    });
    afterAll(() => browser.close());

    it.each([
      ["plain", {}],
      ["cross-origin isolated", ISOLATED],
    ])("computes as in Node.js in a page that is %s", async (_what, headers) => {
      const site = await serve(OUT, headers);
      try {
        const { tab, errors } = await openTab(browser, site.url);
        const there = await tab.evaluate(() => window.tfjsPage.check());
        expect({ failed: there.failed, errors }).toEqual({ failed: [], errors: [] });
        expect(there.ops).toBe(Object.keys(ops).length - 3);
        expect(there.threads).toBe(1);

        using backend = await createTfjsBackend();
        using net = new Network(tinyModel, backend, initialParams(tinyModel, 0));
        const { images, labels } = tinyBatch(5);
        const attack = attacks.average(attacks.pgd({ eps: 0.1, step: 0.02, steps: 3, seed: 0 }));
        const here = await attack.perturb(net, images, labels);
        expect(differing(Float32Array.from(there.attacked), here)).toBeLessThan(0.01);
      } finally {
        await site.close();
      }
    });
  },
);
