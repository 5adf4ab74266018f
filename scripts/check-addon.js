// Compares an addon with the reference backend: node scripts/check-addon.js FILE. For addons of other processors, which the test suite cannot load.
import assert from "node:assert/strict";
import console from "node:console";
import { resolve } from "node:path";
import { argv, exit } from "node:process";

import { openAddonEngine } from "../dist/backends/native/addon-engine.js";
import { loadFile } from "../dist/backends/native/load-addon.js";
import { NativeBackend } from "../dist/backends/native/native-backend.js";
import { attacks, createBackend, initialParams, modelByName, Network } from "../dist/index.js";
import { runAllExits } from "../dist/inference/all-exits.js";

const say = (text) => console.log(text);

const file = argv[2];
if (file === undefined) {
  console.error("Usage: node scripts/check-addon.js FILE");
  exit(2);
}
const { addon, attempts } = loadFile("local build", resolve(file));
if (addon === undefined) {
  console.error(`Expected an addon that can be loaded: ${attempts.map(({ reason }) => reason).join("; ")}`);
  exit(1);
}

const IMAGES = 3;
const model = modelByName("rdi-smallcnn");
const row = model.inputShape.reduce((product, size) => product * size);
const images = Float32Array.from({ length: IMAGES * row }, (_, i) => ((i * 7919) % 101) / 100);
const labels = Int32Array.from({ length: IMAGES }, (_, i) => i % model.classes);
const attack = attacks.average(attacks.pgd({ eps: 0.3, step: 0.3, steps: 1, randomStart: false }));

/** A last layer that starts at zero would hide everything before it. */
const weights = new Map(
  [...initialParams(model, 0)].map(([name, data]) => [
    name,
    data.every((value) => value === 0) ? data.map((_, i) => 0.02 * Math.sin(i)) : data,
  ]),
);

async function run(backend) {
  const net = new Network(model, backend, weights);
  const outputs = await runAllExits(net, images, IMAGES, IMAGES);
  const adversarial = await attack.perturb(net, images, labels);
  net.dispose();
  backend.dispose();
  return { logits: outputs.logits, entropies: outputs.entropies, adversarial };
}

function distance(own, expected) {
  const most = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return own.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i])), 0) / most;
}

const expected = await run(await createBackend({ backend: "reference" }));
for (const { name, supported } of addon.instructionSets) {
  if (!supported) {
    say(`${name}: SKIPPED, this machine lacks it`);
    continue;
  }
  for (const threads of [1, 2]) {
    const own = await run(new NativeBackend(openAddonEngine(addon, { threads, instructionSet: name })));
    const worst = Math.max(...own.logits.map((logits, i) => distance(logits, expected.logits[i])));
    const moved = own.adversarial.filter((value, i) => Math.abs(value - expected.adversarial[i]) > 1e-5).length;
    say(
      `${name}, ${threads} thread(s): logits differ by ${worst.toExponential(1)}, ${moved} of ${own.adversarial.length} attacked pixels differ`,
    );
    assert.ok(worst < 1e-4, `Expected logits within 1e-4 of the reference backend's but received ${worst}`);
    // The sign of a gradient that nearly vanishes is chance.
    assert.ok(moved <= 0.005 * own.adversarial.length, `Expected the reference backend's pixels but ${moved} differ`);
  }
}
