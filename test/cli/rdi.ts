import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe } from "vitest";
import { createBackend } from "../../src/backends/registry.js";
import { AdaptiveNetwork, save, type ExitPolicy } from "../../src/inference/index.js";
import { modelByName } from "../../src/models/index.js";
import { initialParams } from "../../src/nn/exit-model.js";

/** The command line as it is installed: scripts/setup builds it. */
const MAIN = resolve("dist/cli/main.js");

/** A group of tests of the built command line; skipped, visibly, where it has not been built. */
export function describeCli(name: string, tests: () => void): void {
  const built = existsSync(MAIN);
  describe.skipIf(!built)(built ? name : `${name} (dist/cli/main.js is missing: run scripts/setup)`, tests);
}

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export class Running {
  stdout = "";
  stderr = "";
  readonly ended: Promise<Outcome>;

  constructor(readonly process: ChildProcess) {
    process.stdout?.on("data", (data: Buffer) => (this.stdout += data.toString()));
    process.stderr?.on("data", (data: Buffer) => (this.stderr += data.toString()));
    this.ended = new Promise((settle) => {
      process.on("close", (status) => settle({ status, stdout: this.stdout, stderr: this.stderr }));
    });
  }
}

export function start(...args: string[]): Running {
  return startWith({}, ...args);
}

function startWith(env: Readonly<Record<string, string>>, ...args: string[]): Running {
  return new Running(spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, NO_COLOR: "1", ...env } }));
}

/** Runs a command to its end. */
export function rdi(...args: string[]): Promise<Outcome> {
  return start(...args).ended;
}

/** The same with variables of the environment. */
export function rdiWith(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Outcome> {
  return startWith(env, ...args).ended;
}

/** A folder that is removed after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "rdi-cli-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes untrained weights with thresholds that let a part of the images out at each exit. */
export async function writeWeights(
  path: string,
  policy: ExitPolicy = { exits: [1, 2, 3], thresholds: [2.295, 2.295] },
): Promise<void> {
  using backend = await createBackend({ threads: 1 });
  const model = modelByName("rdi-smallcnn");
  using net = new AdaptiveNetwork(model, backend, initialParams(model, 1), policy);
  await save(path, net, { policy });
}
