import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import type { Safetensors } from "../../src/formats/safetensors.js";
import { runAllExits } from "../../src/inference/all-exits.js";
import { importCheckpoint } from "../../src/inference/index.js";
import { modelByName } from "../../src/models/index.js";
import { Network } from "../../src/nn/network.js";
import * as F from "../../src/tensor/functional.js";
import { fastBackends } from "../support/backends.js";
import { distance, floats, gradientGraph, integers, missing, oracleFile, part, readOracle } from "./oracle.js";

/** The authors' RDI-MobileNetV2 as it starts, with batch norm made lively, against the same network in PyTorch. */
const state = oracleFile("mobilenetv2-1-state");
const forward = oracleFile("mobilenetv2-1-forward");
const model = modelByName("rdi-mobilenetv2");
const IMAGES = 4;

for (const { title, unavailable, open } of fastBackends) {
  const reason = unavailable ?? missing(state, forward);
  describe.skipIf(reason !== undefined)(
    `RDI-MobileNetV2 as in PyTorch, on ${title}${reason === undefined ? "" : ` (${reason})`}`,
    () => {
      let backend: Backend;
      let net: Network;
      let oracle: Safetensors;
      let images: Float32Array;
      beforeAll(async () => {
        backend = await open();
        const { weights, dropped } = await importCheckpoint(state!, model);
        // The authors' code declares a convolution that it never calls.
        expect(dropped).toContain("conv2.weight");
        net = new Network(model, backend, weights);
        oracle = await readOracle(forward);
        images = floats(oracle, "images");
      });
      afterAll(() => {
        net.dispose();
        backend.dispose();
      });

      it("has the logits and entropies of every exit", async () => {
        const { logits, entropies } = await runAllExits(net, images, IMAGES, IMAGES);
        for (let k = 0; k < model.exits; k++) {
          expect(distance(logits[k]!, part(floats(oracle, "logits"), k, model.exits))).toBeLessThan(1e-4);
          expect(distance(entropies[k]!, part(floats(oracle, "entropy"), k, model.exits))).toBeLessThan(1e-4);
        }
      });

      it("has the input gradient of the average, but for jumps of its ReLUs", async () => {
        const average = gradientGraph(model, (losses) => F.mul(losses.reduce(F.add), 1 / model.exits));
        const program = net.executable("gradient", IMAGES, () => average);
        const labels = integers(oracle, "labels");
        const gradient = (await program.run(IMAGES, { images, labels })).get("gradient") as Float32Array;
        const expected = floats(oracle, "grad_average");
        for (let n = 0; n < IMAGES; n++)
          expect(distance(part(gradient, n, IMAGES), part(expected, n, IMAGES))).toBeLessThan(0.02);
      });
    },
  );
}
