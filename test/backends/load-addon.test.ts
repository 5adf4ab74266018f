import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ABI_VERSION } from "../../src/backends/native/addon-engine.js";
import { AddonError } from "../../src/backends/native/addon-error.js";
import { loadFile } from "../../src/backends/native/load-addon.js";
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
  const solutionsFor = (result: AddonAttemptResult, reason: string): readonly string[] =>
    new AddonError([local, { ...platform, result, reason }]).solutions;
  type AddonAttemptResult = AddonError["attempts"][number]["result"];

  it("has every attempt in its message, and what can be done", () => {
    const { message } = new AddonError([local, { ...platform, result: "missing", reason: "not installed" }]);
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
