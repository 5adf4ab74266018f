import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { ABI_VERSION } from "../../src/backends/native/addon-engine.js";
import { notLoaded, type AddonAttempt } from "../../src/backends/native/addon-error.js";
import { openCuda } from "../../src/backends/native/cuda.js";
import { findAddon, loadAddon, loadFile } from "../../src/backends/native/load-addon.js";
import { platformName } from "../../src/util/platform-name.js";
import { writeFakeAddon } from "../support/fake-addon.js";
import { compileAddon, haveCompiler } from "../support/tiny-addon.js";

const folder = mkdtempSync(join(tmpdir(), "rdi-addon-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => join(folder, name);

/** What is said of a file that is not taken for an addon. */
function refusal(path: string): { result: string; reason?: string } {
  const { addon, attempts } = loadFile("local build", path);
  expect(addon).toBeUndefined();
  expect(attempts).toHaveLength(1);
  return attempts[0]!;
}

describe("an addon's file is not loaded, and it is said why,", () => {
  it("if there is none", () => {
    expect(refusal(file("none.node"))).toMatchObject({ result: "missing", reason: "not there" });
  });

  it.each([
    ["text", "no addon"],
    ["nothing", ""],
  ])("if it holds %s", (name, content) => {
    writeFileSync(file(`${name}.node`), content);
    const { result, reason } = refusal(file(`${name}.node`));
    expect(result).toBe("not loadable");
    expect(reason).toMatch(/^cannot be loaded: ./);
  });
});

describe.skipIf(!haveCompiler)("a compiled addon (needs a C compiler on Linux)", () => {
  it("is loaded if it has this interface version", () => {
    compileAddon(file("ours.node"), ABI_VERSION);
    const { addon, attempts } = loadFile("platform package", file("ours.node"));
    expect(addon?.abiVersion).toBe(ABI_VERSION);
    expect(attempts).toEqual([{ source: "platform package", place: file("ours.node"), result: "loaded" }]);
  });

  it("is refused if it has another", () => {
    compileAddon(file("other.node"), ABI_VERSION + 1);
    expect(refusal(file("other.node"))).toMatchObject({
      result: "another interface version",
      reason: `has interface version ${ABI_VERSION + 1}, where this package needs ${ABI_VERSION}`,
    });
  });

  it("is refused if it is not ours", () => {
    compileAddon(file("foreign.node"));
    expect(refusal(file("foreign.node")).result).toBe("not an addon of rdi-net");
  });

  it("is refused wherever it was cut off, before the linker maps what is not there", () => {
    compileAddon(file("whole.node"), ABI_VERSION);
    const whole = readFileSync(file("whole.node"));
    for (const part of [0.001, 0.1, 0.5, 0.9, 0.9999]) {
      const path = file(`cut-${part}.node`);
      writeFileSync(path, whole.subarray(0, Math.floor(part * whole.length)));
      const { result, reason } = refusal(path);
      expect(result).toBe("not loadable");
      expect(reason).toMatch(/Expected at least \d+ bytes by its headers but the file has \d+/);
    }
  });
});

describe("the error of a machine without an addon", () => {
  const local = { source: "local build", place: "/a/rdi_net.node", result: "missing", reason: "not there" } as const;
  const platform = { source: "platform package", place: "@rdi-net/x" } as const;
  const solutionsFor = (result: AddonAttempt["result"], reason: string): readonly string[] =>
    notLoaded("cpu", [local, { ...platform, result, reason }]).solutions;

  it("has every attempt in its message, and what can be done", () => {
    const { message } = notLoaded("cpu", [local, { ...platform, result: "missing", reason: "not installed" }]);
    expect(message).toContain("- local build /a/rdi_net.node: not there\n- platform package @rdi-net/x: not installed");
    expect(message).toMatch(/Possible solutions:\n- .*npm install @rdi-net\//);
  });

  it("advises by what went wrong", () => {
    expect(solutionsFor("missing", "not installed").join("\n")).toContain("npm install --include=optional");
    expect(solutionsFor("another interface version", "").join("\n")).toMatch(
      /one version: npm install rdi-net@\S+ @rdi-net/,
    );
    expect(solutionsFor("not loadable", "cut off").join("\n")).toContain("npm install --force @rdi-net/");
    const old = "/lib/libc.so.6: version `GLIBC_2.34' not found";
    expect(solutionsFor("not loadable", old)[0]).toContain("C library is older");
  });

  it("always ends with the build from source", () => {
    expect(solutionsFor("missing", "not installed").at(-1)).toContain("build it from source");
  });
});

describe("the addon for CUDA", () => {
  afterEach(() => vi.unstubAllEnvs());

  /** Lets RDI_CUDA_ADDON name a file, which is another in each test: what is found stands for the life of the process. */
  function use(name: string): string {
    vi.stubEnv("RDI_CUDA_ADDON", file(name));
    return file(name);
  }

  it("is looked for in a build and in its package, which is there for one platform", () => {
    const { addon, attempts } = findAddon("cuda");
    const sources = attempts.map(({ source }) => source);
    expect(sources).toEqual(["local build", "platform package"].slice(0, attempts.length));
    expect(attempts[0]!.place).toMatch(/rdi_net_cuda\.node$/);
    if (addon === undefined) expect(attempts[1]!.place).toBe(`@rdi-net/${platformName()}-cuda`);
  });

  it.skipIf(platformName() !== "linux-x64")("advises to install the package, which does not come by itself", () => {
    const missing = { source: "platform package", place: "@rdi-net/linux-x64-cuda", result: "missing" } as const;
    const { message, solutions } = notLoaded("cuda", [{ ...missing, reason: "not installed" }]);
    expect(message).toContain("Expected the CUDA addon for linux-x64 but none could be loaded");
    expect(solutions[0]).toMatch(/npm install @rdi-net\/linux-x64-cuda@\d/);
    expect(solutions.join("\n")).not.toContain("--include=optional");
  });

  it("is looked for nowhere else if a file is named", () => {
    const place = use("none.node");
    expect(findAddon("cuda").attempts).toEqual([
      { source: "RDI_CUDA_ADDON", place, result: "missing", reason: "not there" },
    ]);
    expect(() => loadAddon("cuda")).toThrow("let RDI_CUDA_ADDON name a build");
    // The processor's has no such variable.
    expect(findAddon("cpu").attempts.map(({ source }) => source)).not.toContain("RDI_CUDA_ADDON");
  });

  it("is refused if the file is damaged", () => {
    writeFileSync(use("damaged.node"), "no addon");
    expect(findAddon("cuda").attempts[0]).toMatchObject({ result: "not loadable" });
    expect(() => loadAddon("cuda")).toThrow(/cannot be loaded: ./);
  });

  it("that finds no GPU says why, and what can be done", () => {
    const noDevices = "CUDA driver version is insufficient for CUDA runtime version";
    writeFakeAddon(use("no-devices.cjs"), { devices: [], noDevices });
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "-1");
    const open = (): unknown => openCuda({ devices: [0], precision: "fast" });
    expect(open).toThrow(`Expected a GPU for the CUDA addon but it finds none:\n- ${noDevices}`);
    expect(open).toThrow("- install an NVIDIA driver, version 580 or newer");
    expect(open).toThrow('- let CUDA_VISIBLE_DEVICES, now "-1", name a GPU');
    expect(open).toThrow("sm_90, sm_75 or newer");
  });

  it("opens the GPU that is asked for, and lists those that there are where there is no such", () => {
    const devices = ["A", "B"].map((name) => ({ name: `GPU ${name}`, bytes: 2 ** 33 }));
    writeFakeAddon(use("two.cjs"), { devices });
    using backend = openCuda({ devices: [1], precision: "fast" });
    expect(backend).toMatchObject({ name: "cuda", device: "GPU B", instructionSet: "sm_90", threads: 1 });
    expect(() => openCuda({ devices: [2], precision: "fast" })).toThrow(
      "Expected one of the 2 devices of the CUDA addon but received 2:\n- device 0 (GPU A)\n- device 1 (GPU B)\n",
    );
  });

  it.each([
    ["fast", "tf32"],
    ["strict", "fp32"],
    ["fp32", "fp32"],
    ["bf16", "bf16"],
  ] as const)("computes in %s precision by %s", (precision, expected) => {
    writeFakeAddon(use(`${precision}.cjs`), { devices: [{ name: "GPU", bytes: 0 }] });
    openCuda({ devices: [0], precision }).dispose();
    expect(loadAddon("cuda")).toHaveProperty("made.precision", expected);
  });
});
