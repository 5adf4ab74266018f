import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

import { openAddonEngine } from "../../src/backends/native/addon-engine.js";
import { loadFile } from "../../src/backends/native/load-addon.js";
import { forwardPlan } from "../backends/plans.js";
import { runOnce } from "../backends/engine-harness.js";

const run = promisify(execFile);

/** npm brings a node-gyp of its own. */
const nodeGyp = join(
  execFileSync("npm", ["root", "--global"], { encoding: "utf8" }).trim(),
  "npm/node_modules/node-gyp/bin/node-gyp.js",
);
/** Where Node.js's headers are, so that node-gyp need not fetch them. */
const nodedir = [process.env.npm_config_nodedir ?? "", dirname(dirname(process.execPath))].find((folder) =>
  existsSync(join(folder, "include/node/node_api.h")),
);

function hasCompiler(): boolean {
  try {
    execFileSync("c++", ["--version"]);
    return true;
  } catch {
    return false;
  }
}

const missing = !existsSync(nodeGyp)
  ? "npm has no node-gyp"
  : nodedir === undefined
    ? "Node.js has no headers here"
    : !hasCompiler()
      ? "no C++ compiler"
      : undefined;

describe.skipIf(missing !== undefined)(`binding.gyp${missing === undefined ? "" : ` (${missing})`}`, () => {
  it("builds the addon with node-gyp alone, from what the package ships", { timeout: 300_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "rdi-gyp-"));
    try {
      for (const name of ["native", "binding.gyp", "package.json"])
        cpSync(name, join(folder, name), { recursive: true });
      mkdirSync(join(folder, "node_modules"));
      cpSync("node_modules/node-addon-api", join(folder, "node_modules/node-addon-api"), { recursive: true });
      await run(process.execPath, [nodeGyp, "rebuild", "--jobs", "2", `--nodedir=${nodedir!}`], { cwd: folder });
      const { addon, attempts } = loadFile("local build", join(folder, "build/Release/rdi_net.node"));
      expect(attempts).toMatchObject([{ result: "loaded" }]);
      using abi = openAddonEngine(addon!, { threads: 2 });
      const buffers = [128, 54, 3, 135, 5].map((length) => new Float32Array(length).fill(0.5));
      const results = await runOnce(abi, forwardPlan(4, 16), 1, buffers);
      // 0.5 everywhere: each of the 27 maxima is 18 · 0.25 + 0.5, and each output half their sum.
      expect([...results.at(-1)!]).toEqual(Array(5).fill(27 * 0.5 * 5));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("compiles for each instruction set as CMake does", () => {
    const cmake = readFileSync("native/CMakeLists.txt", "utf8");
    const gyp = readFileSync("binding.gyp", "utf8");
    const optionsOf = (isa: string): string[] => new RegExp(`RDI_OPTIONS_${isa} (.*)\\)`).exec(cmake)![1]!.split(" ");
    for (const isa of ["avx512", "avx2"]) {
      const target = gyp
        .slice(gyp.indexOf(`"target_name": "kernels_${isa}"`))
        .split("\n")
        .slice(0, 6)
        .join("\n");
      const lists = target.split("\n").filter((line) => line.includes("-mfma"));
      expect(lists).toHaveLength(3);
      for (const list of lists) for (const option of optionsOf(isa)) expect(list).toContain(`"${option}"`);
    }
  });
});
