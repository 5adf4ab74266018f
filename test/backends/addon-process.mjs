/* global console, process, setTimeout, URL */
// A process with the built package whose end is looked at from outside: `node addon-process.mjs SCENARIO`, with the words of a plan in the environment.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

import { openAddonEngine } from "../../dist/backends/native/addon-engine.js";
import { loadAddon } from "../../dist/backends/native/load-addon.js";

const { words, images, imageBytes, repeat } = JSON.parse(process.env.PLAN);

/** Starts an engine, and a run of it that would take hours. */
function startForever() {
  const engine = openAddonEngine(loadAddon(), { threads: 2 });
  const buffers = [0, 1].map(() => engine.alloc(images * imageBytes));
  engine.write(buffers[0], new Uint8Array(images * imageBytes));
  const plan = engine.planCreate(Int32Array.from(words), [0, 1]);
  engine.planRun({ plan, batch: images, repeat, buffers, version: 1 });
  return { engine, plan };
}

const scenarios = {
  "ends by itself": () => {
    startForever();
  },
  "exits while somebody waits": async () => {
    const { engine, plan } = startForever();
    setTimeout(() => {
      console.log("done");
      process.exit(0);
    }, 20);
    await engine.sync(plan);
  },
  "terminates worker threads": async () => {
    for (let round = 0; round < 5; round++) {
      const workers = [1, 2].map(() => new Worker(new URL(import.meta.url)));
      await Promise.all(workers.map((worker) => once(worker, "message")));
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  },
  "forgets engines": async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc");
    for (let i = 0; i < 30; i++) {
      startForever();
      collect();
      await delay(1);
    }
  },
};

if (isMainThread) {
  await scenarios[process.argv[2]]();
  console.log("done");
} else {
  const { engine } = startForever();
  parentPort.postMessage(engine.instructionSet);
}
