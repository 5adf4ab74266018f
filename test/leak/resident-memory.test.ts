import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { attackForm, pgd } from "../../src/attacks/index.js";
import type { Backend } from "../../src/backends/backend.js";
import { readFirst } from "../../src/data/dataset.js";
import { classify } from "../../src/inference/index.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { fastBackends, titleOf } from "../support/backends.js";
import { tinyDataset, tinyModel } from "../support/tiny.js";

const ROUNDS = 1000;
/** Rounds after which allocators and compilers have taken what they keep. */
const WARM_UP = 300;
/** The rounds in which an engine comes and goes as well; the others share one, in which what they leave behind would stay. */
const SPARE_ENGINE_EVERY = 20;
/**
 * What the process may have grown by at the end, for allocators do not give every page back: a small part of what it would have grown by if
 * every round left its weights and plans behind, which the test checks as well.
 */
const TOLERANCE = 24 * 2 ** 20;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function residentBytes(): Promise<number> {
  // Twice, with a turn of the event loop between: finalizers run after the collection that finds their object.
  for (let i = 0; i < 2; i++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage.rss();
}

const { images, labels } = readFirst(tinyDataset(4), 4);
const params = initialParams(tinyModel, 0);
const policy = { exits: [1, 3], thresholds: [1] };
const attack = attackForm("average", pgd({ eps: 0.1, step: 0.1, steps: 1 }));

/** Returns the bytes that the round held. */
async function round(backend: Backend): Promise<number> {
  using net = new Network(tinyModel, backend, params);
  await classify(net, policy, images);
  await attack.craft(net, images, labels);
  return backend.liveBytes();
}

describe.each(fastBackends)("resident memory on $title", (under) => {
  it.skipIf(under.unavailable !== undefined)(
    `stays flat over ${ROUNDS} rounds of loading, running and disposing: ${titleOf(under)}`,
    async () => {
      using backend = await under.open();
      let before = 0;
      let held = 0;
      for (let i = 0; i < ROUNDS; i++) {
        if (i === WARM_UP) before = await residentBytes();
        if (i % SPARE_ENGINE_EVERY === 0) {
          using spare = await under.open();
          await round(spare);
        }
        held = await round(backend);
      }
      const growth = (await residentBytes()) - before;
      expect(growth).toBeLessThan(TOLERANCE);
      // Else this could not tell a leak.
      expect(held * (ROUNDS - WARM_UP)).toBeGreaterThan(2 * TOLERANCE);
    },
    240_000,
  );
});
