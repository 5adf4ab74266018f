import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { train } from "../../src/training/index.js";
import { config, dataset, newNetwork } from "./killed-run.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "rdi-kill-"));
});
afterAll(() => rm(root, { recursive: true }));

/** Runs killed-run.ts, which Node alone cannot read, in a process of its own. The target makes `using` something that Node 20 knows. */
const CHILD = `
  const { runnerImport } = await import(${JSON.stringify(import.meta.resolve("vite"))});
  const { module } = await runnerImport(${JSON.stringify(join(import.meta.dirname, "killed-run.ts"))}, {
    configFile: false,
    oxc: { target: "node20" },
  });
  await module.run(process.argv[2]);
`;

it("keeps a whole checkpoint when the process is killed, and goes on from it", async () => {
  const [out, script] = [join(root, "out"), join(root, "child.mjs")];
  await writeFile(script, CHILD);
  for (const [attempt, enough] of [3, 17, 30].entries()) {
    if (attempt > 0) await rm(out, { recursive: true });
    const child = fork(script, [out], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    let done = 0;
    child.on("message", (iteration) => {
      done = iteration as number;
      // Not at once: most of an iteration here is the writing of its checkpoint.
      if (done === enough) setTimeout(() => child.kill("SIGKILL"), attempt);
    });
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    expect(signal).toBe("SIGKILL");
    expect(done).toBeGreaterThanOrEqual(enough);

    using net = newNetwork();
    const resumed = await train(net, dataset, config, { out, resume: true, timeLimit: 0 });
    expect(resumed.iteration).toBeGreaterThanOrEqual(enough);
  }
  expect((await readdir(out)).filter((name) => !name.startsWith("."))).toEqual([
    "checkpoint.safetensors",
    "log.jsonl",
    "model.safetensors",
  ]);
});
