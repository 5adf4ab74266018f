import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attacks, createBackend, initialParams, Network } from "../../src/index.js";
import { tinyModel, TINY_ROW } from "../support/tiny.js";
import { buildPage, ISOLATED, missing, openBrowser, openTab, serve, STRICT, type Site } from "./site.js";

const OUT = resolve("build/browser/page");
/** Environments of a page: with threads, without, and under a strict content security policy. */
const PAGES = { isolated: ISOLATED, plain: {}, strict: { ...ISOLATED, ...STRICT } } as const;

describe.skipIf(missing !== undefined)(`in Chromium${missing === undefined ? "" : ` (${missing})`}`, () => {
  let browser: Browser;
  const sites: Site[] = [];
  const tabs = new Map<keyof typeof PAGES, Awaited<ReturnType<typeof openTab>>>();
  beforeAll(async () => {
    await buildPage("test/browser/page", OUT);
    browser = await openBrowser();
    for (const name of Object.keys(PAGES) as (keyof typeof PAGES)[]) {
      const site = await serve(OUT, PAGES[name]);
      sites.push(site);
      tabs.set(name, await openTab(browser, site.url));
    }
  });
  afterAll(async () => {
    await browser.close();
    for (const site of sites) await site.close();
  });
  const tabOf = (name: keyof typeof PAGES): Tab => tabs.get(name)!.tab;

  it.each([
    ["isolated", "simd128", 1],
    ["isolated", "simd128", 2],
    ["isolated", "relaxed-simd", 2],
    ["plain", "relaxed-simd", 1],
    ["strict", "simd128", 2],
  ] as const)(
    "the conformance table holds in a page that is %s, with %s and %i threads",
    async (name, instructionSet, threads) => {
      const options = { instructionSet, threads };
      const result = await tabOf(name).evaluate((given) => window.rdiPage.conformance(given), options);
      expect(result).toMatchObject({ failed: [], ...options });
      expect(result.rows).toBeGreaterThan(300);
    },
  );

  it("computes on the page's own thread too, if that is asked for", async () => {
    const result = await tabOf("plain").evaluate(() => window.rdiPage.conformance({ worker: false }));
    expect(result).toMatchObject({ failed: [], threads: 1 });
  });

  it.each([1, 2])("attacks as in Node.js, bit for bit, with %i threads", async (threads) => {
    const options = { instructionSet: "simd128", threads } as const;
    const there = await tabOf("isolated").evaluate((given) => window.rdiPage.attack(given), options);
    using backend = await createBackend({ backend: "wasm", ...options });
    using net = new Network(tinyModel, backend, initialParams(tinyModel, 0));
    const images = Float32Array.from({ length: 5 * TINY_ROW }, (_, i) => ((i * 7919) % 256) / 255);
    const labels = Int32Array.from({ length: 5 }, (_, n) => n % tinyModel.classes);
    const method = attacks.pgd({ eps: 0.1, step: 0.02, steps: 3, seed: 0 });
    expect(there).toEqual(Array.from(await attacks.maxAverage(method).perturb(net, images, labels)));
  });

  it("has as many threads as a page may have, and says why it has one", async () => {
    const [isolated] = await tabOf("isolated").evaluate(() => window.rdiPage.backends({}));
    expect(isolated).toMatchObject({ name: "wasm", available: true });
    expect(isolated!.threads).toBe(await tabOf("isolated").evaluate(() => navigator.hardwareConcurrency));
    const [plain] = await tabOf("plain").evaluate(() => window.rdiPage.backends({}));
    expect(plain).toMatchObject({ name: "wasm", available: true, threads: 1 });
    expect(plain!.solutions!.join()).toContain("Cross-Origin-Opener-Policy: same-origin");
    const refused = await tabOf("plain").evaluate(() => window.rdiPage.errorOf("backend", { threads: 2 } as never));
    expect(refused).toContain("Expected 1 thread but received 2: threads need a page that is cross-origin isolated");
  });

  it("trains adversarially into the origin's private file system, and loads the model from there", async () => {
    const result = await tabOf("plain").evaluate(() => window.rdiPage.train({}));
    expect(result).toMatchObject({ stopped: "finished", iterations: 3 });
    expect(result.exits.at(-1)).toBe(3);
  });

  it("keeps its memory over a thousand classifications", async () => {
    const live = await tabOf("isolated").evaluate(() => window.rdiPage.classifications({}, 1000));
    expect(new Set(live).size).toBe(1);
    expect(live[0]).toBeGreaterThan(0);
  });

  it("never blocks the page while an attack runs", async () => {
    const { tasks, frames, milliseconds } = await tabOf("plain").evaluate(() => window.rdiPage.attackWhileWatched());
    expect(tasks).toEqual([]);
    expect(milliseconds).toBeGreaterThan(50);
    expect(frames).toBeGreaterThan(milliseconds / 100);
  });

  it("ends an attack that is aborted, and goes on", async () => {
    const result = await tabOf("plain").evaluate(() => window.rdiPage.abort({}));
    expect(result).toEqual({ message: "enough", again: 1 });
  });

  it("fetches by hash, and keeps what it has fetched", async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
    await writeFile(resolve(OUT, "weights.bin"), bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const url = new URL("weights.bin", tabOf("plain").url()).href;
    const fetched = await tabOf("plain").evaluate(([at, hash]) => window.rdiPage.fetchTwice(at!, hash!), [url, sha256]);
    expect(fetched).toEqual({ bytes: bytes.length, kept: 1 });
  });

  const GOOD = "0".repeat(64);
  it.each([
    ["fetch", { url: "index.html", sha256: GOOD }, `Expected bytes with the SHA-256 ${GOOD} but received some with`],
    ["fetch", { url: "index.html", bytes: 3 }, "Expected 3 bytes but received"],
    ["fetch", { url: "index.html", sha256: "12" }, 'Expected 64 hexadecimal digits for sha256 but received "12"'],
    [
      "fetch",
      { url: "http://127.0.0.1:1/model.safetensors" },
      "Expected the file at http://127.0.0.1:1/model.safetensors",
    ],
    ["load", "index.html", "index.html: Expected"],
    ["node", null, "Expected Node.js for mnist"],
    ["opfs", "opfs:none.safetensors", "no such file in this origin's private file system"],
    ["opfs", "none.safetensors", "Expected a path in this origin's private file system"],
    ["backend", { backend: "cpu" }, 'Expected a backend (wasm, reference) but received "cpu", which needs Node.js'],
    ["backend", { instructionSet: "avx2" }, 'Expected an instruction set (relaxed-simd, simd128) but received "avx2"'],
    ["backend", { threads: 0 }, "Expected an integer from 1 to 256 for threads but received 0"],
  ] as const)("refuses %s of %j", async (call, argument, message) => {
    const result = await tabOf("plain").evaluate(([name, value]) => window.rdiPage.errorOf(name, value as never), [
      call,
      argument,
    ] as const);
    expect(result).toContain(message);
  });

  it("takes pictures from canvases, bitmaps and files alike, scaled to fit and padded with black", async () => {
    const [first, ...others] = await tabOf("plain").evaluate(() => window.rdiPage.pictures());
    for (const other of others) expect(other).toEqual(first);
    // Red has a luma of 0.299; above and below are two rows of black.
    expect(first!.slice(0, 16)).toEqual(Array(16).fill(0));
    expect(first!.slice(16, 24)).toEqual(
      [0.299, 0.299, 0.299, 0.299, 1, 1, 1, 1].map((value) => expect.closeTo(value, 5) as number),
    );
  });

  it("finds no fault with the pages", () => {
    // But for the address that nobody answers at.
    const faults = [...tabs].flatMap(([name, { errors }]) => errors.map((error) => `${name}: ${error}`));
    expect(faults.filter((fault) => !fault.includes("ERR_UNSAFE_PORT"))).toEqual([]);
  });
});
