import { resolve } from "node:path";
import { expect, it } from "vitest";
import { describePackages, install, succeed } from "./installation.js";
import { CLASSIFY, CLASSIFY_COMMONJS, CLASSIFY_IN_WORKER, classified, TYPESCRIPT } from "./jobs.js";

describePackages("the packages, installed without scripts where there is no compiler", async () => {
  const installation = await install();
  await installation.write("classify.mjs", CLASSIFY);

  it("are tested where there is no compiler", async () => {
    for (const tool of ["cc", "gcc", "g++", "c++", "clang", "make", "cmake", "ninja", "python3", "node-gyp"]) {
      expect(await installation.run("sh", ["-c", `command -v ${tool}`])).toMatchObject({ stdout: "" });
    }
  });

  it("run natively when imported", async () => {
    expect(await installation.node("classify.mjs")).toEqual({ status: 0, stdout: classified("cpu"), stderr: "" });
  });

  it("run as WebAssembly on demand", async () => {
    expect(await installation.node("classify.mjs", { RDI_BACKEND: "wasm" })).toEqual({
      status: 0,
      stdout: classified("wasm"),
      stderr: "",
    });
  });

  it.skipIf(!("require_module" in process.features))(
    "are required from CommonJS, and are then the modules that import gives (needs Node.js 20.19)",
    async () => {
      await installation.write("classify.cjs", CLASSIFY_COMMONJS);
      expect(await installation.node("classify.cjs")).toEqual({ status: 0, stdout: classified("cpu"), stderr: "" });
      const same = `import("rdi-net").then((rdi) => console.log(rdi.Tensor === require("rdi-net").Tensor))`;
      await installation.write("same.cjs", same);
      expect(await installation.node("same.cjs")).toMatchObject({ stdout: "true\n" });
    },
  );

  it("run in a worker thread that is ended", async () => {
    await installation.write("main.mjs", CLASSIFY_IN_WORKER);
    expect(await installation.node("main.mjs")).toEqual({ status: 0, stdout: classified("cpu"), stderr: "" });
  });

  it.each([
    ["node16", { module: "node16" }, ["consumer.mts", "consumer.cts"]],
    ["bundler", { module: "esnext", moduleResolution: "bundler" }, ["consumer.ts"]],
  ])("are typed for TypeScript under %s resolution", async (name, options, files) => {
    for (const file of files) await installation.write(file, TYPESCRIPT);
    const compilerOptions = {
      ...options,
      target: "es2022",
      lib: ["es2023", "esnext.disposable", "dom"],
      strict: true,
      noEmit: true,
      types: [],
    };
    await installation.write(`${name}.json`, JSON.stringify({ compilerOptions, files }));
    const tsc = resolve("node_modules/typescript/bin/tsc");
    expect(await installation.run("node", [tsc, "-p", `${name}.json`])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("have a command line that trains and attacks", async () => {
    const { stdout } = await succeed(installation.run("npx", ["rdi", "quickstart", "--epochs", "small", "--json"]));
    const { rows } = JSON.parse(stdout) as { rows: { model: string; attack: string; accuracy: number }[] };
    expect(new Set(rows.map(({ model }) => model))).toEqual(new Set(["smallcnn", "rdi-smallcnn"]));
    expect(rows.map(({ attack }) => attack)).toEqual(expect.arrayContaining(["none", "pgd", "fgsm", "wrm"]));
    for (const { accuracy } of rows) expect(accuracy).toBeGreaterThanOrEqual(0);
  });
});
