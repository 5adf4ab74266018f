import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { describe, it, onTestFinished } from "vitest";
import { platformName } from "../../src/util/platform-name.js";
import { Running, temporaryFolder, type Outcome } from "../cli/rdi.js";

/** The build that is packed: scripts/setup makes it. */
const BUILD = ["dist/index.cjs", "dist/wasm/rdi-simd.wasm", "build/Release/rdi_net.node"];

/** What npm and the commands of the tests need; a machine without compilers has it. */
const TOOLS = ["node", "npm", "npx", "sh", "env"];

/** The package with the addon of this machine. */
export const PLATFORM_PACKAGE = `@rdi-net/${platformName()}`;

/** A group of tests of the packed packages; skipped, visibly, where there is no build to pack. */
export function describePackages(name: string, tests: () => Promise<void>): void {
  const missing = BUILD.filter((file) => !existsSync(file));
  if (missing.length === 0) describe(name, tests);
  // A skipped group is still collected, and would pack and install.
  else it.skip(`${name} (${missing.join(", ")} missing: run scripts/setup)`);
}

/** A folder in which the packed packages are installed, on a machine as bare as can be. */
export class Installation {
  constructor(
    readonly folder: string,
    readonly path: string,
  ) {}

  /** Runs a program of the bare machine in the folder. */
  run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    // What is set for the tests themselves is not set there.
    const outer = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(RDI_|NODE_|VITE)/.test(name)));
    return new Running(
      spawn(command, args, { cwd: this.folder, env: { ...outer, NO_COLOR: "1", PATH: this.path, ...env } }),
    ).ended;
  }

  /** Runs a program that is in the folder. */
  node(file: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return this.run("node", [file], env);
  }

  file(...path: readonly string[]): string {
    return join(this.folder, ...path);
  }

  write(file: string, text: string): Promise<void> {
    return writeFile(this.file(file), text);
  }

  /** Another such folder, for the rest of the test. */
  async copy(): Promise<Installation> {
    const folder = await mkdtemp(join(tmpdir(), "rdi-package-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await cp(this.folder, folder, { recursive: true, verbatimSymlinks: true });
    return new Installation(folder, this.path);
  }
}

/** Packs this checkout as for a release, and installs it, without scripts, into an empty folder of a machine where compilers are hidden. */
export async function install(): Promise<Installation> {
  const packed = await succeed(new Running(spawn(resolve("scripts/pack"), ["--out", await temporaryFolder()])).ended);
  // That of CUDA comes to those who ask for it.
  const tarballs = packed.stdout
    .trim()
    .split("\n")
    .filter((tarball) => !tarball.includes("-cuda-"));
  const bare = await temporaryFolder();
  for (const tool of TOOLS) await symlink(find(tool), join(bare, tool));
  const installation = new Installation(await temporaryFolder(), bare);
  await installation.write("package.json", JSON.stringify({ private: true }));
  const flags = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
  await succeed(installation.run("npm", ["install", ...flags, ...tarballs]));
  return installation;
}

/** @throws Error, with what the command has said, if it failed */
export async function succeed(running: Promise<Outcome>): Promise<Outcome> {
  const outcome = await running;
  if (outcome.status !== 0) throw new Error(`Exit status ${outcome.status}: ${outcome.stdout}${outcome.stderr}`);
  return outcome;
}

function find(tool: string): string {
  const found = (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, tool))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`Expected ${tool} on the PATH but found none`);
  return found;
}
