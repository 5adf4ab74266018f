import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

async function has(command: string): Promise<boolean> {
  try {
    await run(command, ["--version"]);
    return true;
  } catch {
    return false;
  }
}

const addon = "build/Release/rdi_net.node";
const objects = "build/addon/native/CMakeFiles";
const missing = !existsSync(addon)
  ? "no addon was built"
  : !(await has("readelf"))
    ? "no readelf of binutils"
    : process.platform !== "linux"
      ? "not on Linux"
      : undefined;

describe.skipIf(missing !== undefined)(`the built addon${missing === undefined ? "" : ` (${missing})`}`, () => {
  it("can be loaded on older systems, and keeps instruction sets apart", async () => {
    const folders = existsSync(objects) ? [objects] : [];
    expect((await run("scripts/check-binary", [addon, ...folders])).stderr).toContain("no symbols but Node.js's");
  });

  it("is told from a binary that cannot", async () => {
    const fault = run("scripts/check-binary", ["/bin/ls", "test/package"]);
    await expect(fault).rejects.toThrow(/it shows the symbol[^]*there are no objects of instruction sets/);
    await expect(run("scripts/check-binary", ["package.json"])).rejects.toThrow("Expected an ELF file");
    await expect(run("scripts/check-binary", ["missing"])).rejects.toThrow("Expected a file that was built");
  });
});
