import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { expect, it } from "vitest";
import { build, type InlineConfig } from "vite";
import { ISOLATED, missing, openBrowser, serve } from "../browser/site.js";
import { temporaryFolder } from "../cli/rdi.js";
import { describePackages, install } from "./installation.js";
import { CLASSIFY, CLASSIFY_INLINE, classified } from "./jobs.js";

const ENGINE_FILES = ["wasm/rdi-simd.wasm", "wasm/rdi-relaxed-simd.wasm", "backends/native/wasm-worker.mjs"];

describePackages("a program that a bundler has made one file", async () => {
  const installation = await install();
  await installation.write("classify.mjs", CLASSIFY);
  const entry = installation.file("classify.mjs");
  await mkdir(installation.file("out"));
  const elsewhere = await temporaryFolder();

  /** Runs a bundle where the packages are installed, and where they are not. */
  async function expectWorks(file: string): Promise<void> {
    const bundle = `out/${file}`;
    expect(await installation.node(bundle)).toEqual({ status: 0, stdout: classified("cpu"), stderr: "" });
    const asWasm = { status: 0, stdout: classified("wasm"), stderr: "" };
    expect(await installation.node(bundle, { RDI_BACKEND: "wasm" })).toEqual(asWasm);

    const alone = join(elsewhere, file);
    await copyFile(installation.file(bundle), alone);
    for (const name of ENGINE_FILES) {
      await copyFile(installation.file("node_modules/rdi-net/dist", name), join(elsewhere, name.split("/").at(-1)!));
    }
    expect(await installation.node(alone)).toEqual(asWasm);
  }

  it.each([
    ["esm", "mjs"],
    ["cjs", "cjs"],
  ] as const)("of esbuild runs in Node.js, as %s", async (format, extension) => {
    await esbuild.build({
      entryPoints: [entry],
      outfile: installation.file(`out/esbuild.${extension}`),
      bundle: true,
      platform: "node",
      format,
      // A CommonJS file has no import.meta; the package does without.
      logOverride: { "empty-import-meta": "silent" },
    });
    await expectWorks(`esbuild.${extension}`);
  });

  /** Builds as Vite does by default, into one file. */
  async function viteBuild(file: string, config: InlineConfig): Promise<void> {
    await build({
      root: installation.folder,
      configFile: false,
      logLevel: "error",
      ...config,
      build: {
        outDir: "out",
        emptyOutDir: false,
        rolldownOptions: { input: entry, output: { entryFileNames: file, codeSplitting: false } },
        ...config.build,
      },
    });
  }

  it("of Vite runs in Node.js", async () => {
    await viteBuild("vite.mjs", { ssr: { noExternal: true }, build: { ssr: true } });
    await expectWorks("vite.mjs");
  });

  it.skipIf(missing !== undefined)(
    `of Vite runs in a browser${missing === undefined ? "" : ` (${missing})`}`,
    async () => {
      await installation.write("index.html", '<!doctype html><script type="module" src="./classify.mjs"></script>');
      const outDir = installation.file("site");
      await build({
        root: installation.folder,
        configFile: false,
        logLevel: "error",
        build: { outDir },
        worker: { format: "es" },
      });
      const site = await serve(outDir, ISOLATED);
      const browser = await openBrowser();
      try {
        const tab = await browser.newPage();
        const said = tab.waitForEvent("console", (message) => message.type() === "log");
        const failed = tab.waitForEvent("pageerror").then((error) => Promise.reject(error));
        await tab.goto(site.url);
        expect((await Promise.race([said, failed])).text()).toBe(classified("wasm").trim());
      } finally {
        await browser.close();
        await site.close();
      }
    },
  );

  it("of esbuild that is one file runs with the engine inside it", async () => {
    await installation.write("inline.mjs", CLASSIFY_INLINE);
    const outfile = installation.file("out/inline.mjs");
    const options = { outfile, bundle: true, format: "esm" } as const;
    await esbuild.build({ ...options, entryPoints: [installation.file("inline.mjs")], conditions: ["workerd"] });
    expect(await installation.node("out/inline.mjs")).toEqual({ status: 0, stdout: classified("wasm"), stderr: "" });
  });
});
