import { createHash } from "node:crypto";
import { readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ABI_VERSION } from "../../src/backends/native/addon-engine.js";
import { compileAddon, haveCompiler } from "../support/tiny-addon.js";
import { describePackages, install, PLATFORM_PACKAGE, type Installation } from "./installation.js";
import { CLASSIFY, classified } from "./jobs.js";

interface CpuReport {
  readonly name: string;
  readonly available: boolean;
  readonly reason: string;
  readonly attempts: readonly { readonly source: string; readonly result: string; readonly reason?: string }[];
  readonly solutions: readonly string[];
}

/** The file of the addon in an installation. */
const addonOf = (installation: Installation): string =>
  installation.file("node_modules", PLATFORM_PACKAGE, "rdi_net.node");

/** Says in the package that the addon which lies there now is the one that was packed. */
async function signAddon(installation: Installation): Promise<void> {
  const path = installation.file("node_modules", PLATFORM_PACKAGE, "package.json");
  const manifest = JSON.parse(await readFile(path, "utf8")) as object;
  const sha256 = createHash("sha256")
    .update(await readFile(addonOf(installation)))
    .digest("hex");
  await writeFile(path, JSON.stringify({ ...manifest, addon: { sha256 } }));
}

async function doctorOnCpu(installation: Installation): Promise<CpuReport> {
  const { status, stdout, stderr } = await installation.run("npx", ["rdi", "doctor", "--json", "--threads", "1"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { backends } = JSON.parse(stdout) as { backends: CpuReport[] };
  return backends.find(({ name }) => name === "cpu")!;
}

/** Each way in which the addon of an installed package can fail: what is done to it, and what is said of it. */
const DAMAGES: readonly [string, (installation: Installation) => Promise<void>, result: string, reason: RegExp][] = [
  [
    "is not installed",
    (installation) => rm(installation.file("node_modules", PLATFORM_PACKAGE), { recursive: true }),
    "missing",
    /^not installed$/,
  ],
  [
    "is cut off",
    async (installation) => truncate(addonOf(installation), 300_000),
    "not loadable",
    /^cannot be loaded: Expected at least \d+ bytes by its headers but the file has 300000$/,
  ],
  [
    "has changed",
    async (installation) => {
      const addon = await readFile(addonOf(installation));
      addon[addon.length >> 1]! ^= 1;
      await writeFile(addonOf(installation), addon);
    },
    "not loadable",
    /^cannot be loaded: Expected a file of SHA-256 \w{64} but received one of \w{64}: it is damaged, or of another version$/,
  ],
  [
    "holds something else",
    async (installation) => writeFile(addonOf(installation), "no addon"),
    "not loadable",
    /^cannot be loaded: ./,
  ],
];

describePackages("where the addon fails", async () => {
  const intact = await install();
  await intact.write("classify.mjs", CLASSIFY);

  async function expectWasmInstead(damaged: Installation, result: string, reason: RegExp): Promise<void> {
    // Nobody has asked for the addon: WebAssembly takes over without a word.
    expect(await damaged.node("classify.mjs")).toEqual({ status: 0, stdout: classified("wasm"), stderr: "" });
    // Somebody asks why.
    const report = await doctorOnCpu(damaged);
    expect(report.available).toBe(false);
    expect(report.attempts).toMatchObject([
      { source: "local build", result: "missing" },
      { source: "platform package", result, reason: expect.stringMatching(reason) as string },
    ]);
    expect(report.solutions.length).toBeGreaterThan(1);
    const text = await damaged.run("npx", ["rdi", "doctor", "--threads", "1"]);
    for (const line of [...report.attempts.map((attempt) => attempt.reason!), ...report.solutions]) {
      expect(text.stdout).toContain(line);
    }
    // Somebody has asked for it.
    const forced = await damaged.node("classify.mjs", { RDI_BACKEND: "cpu" });
    expect(forced).toMatchObject({ status: 1, stdout: "" });
    for (const line of [...report.attempts.map((attempt) => attempt.reason!), ...report.solutions]) {
      expect(forced.stderr).toContain(line);
    }
  }

  it.each(DAMAGES)("since it %s, WebAssembly takes over and doctor says why", async (_, damage, result, reason) => {
    const damaged = await intact.copy();
    await damage(damaged);
    await expectWasmInstead(damaged, result, reason);
  });

  it("since the packages were installed on another system, doctor says for which", async () => {
    const damaged = await intact.copy();
    const other = process.platform === "win32" ? "linux-x64" : "win32-x64";
    const packages = damaged.file("node_modules/@rdi-net");
    await rename(damaged.file("node_modules", PLATFORM_PACKAGE), join(packages, other));
    const { attempts, solutions } = await doctorOnCpu(damaged);
    expect(attempts.at(-1)).toMatchObject({ result: "missing", reason: "not installed" });
    expect(solutions[0]).toContain(`installed for ${other}`);
    expect(solutions[0]).toContain(`npm install --os=${process.platform} --cpu=${process.arch}`);
  });

  it.skipIf(!haveCompiler)("since it is of another interface, likewise (needs a C compiler)", async () => {
    const damaged = await intact.copy();
    compileAddon(addonOf(damaged), ABI_VERSION + 1);
    await signAddon(damaged);
    await expectWasmInstead(damaged, "another interface version", new RegExp(`interface version ${ABI_VERSION + 1}`));
  });
});
