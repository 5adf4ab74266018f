import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { env } from "@tensorflow/tfjs-core";
import * as rdi from "../../../src/browser.js";
import type { OpName } from "../../../src/ops/index.js";
import { createTfjsBackend } from "../../../src/tfjs.js";
import { cases } from "../../conformance/cases.js";
import { errorOf, runCase } from "../../conformance/run-case.js";
import { tinyBatch, tinyModel } from "../../support/tiny.js";

setWasmPaths({
  "tfjs-backend-wasm.wasm": new URL(
    "../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm",
    import.meta.url,
  ).href,
  "tfjs-backend-wasm-simd.wasm": new URL(
    "../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
    import.meta.url,
  ).href,
  "tfjs-backend-wasm-threaded-simd.wasm": new URL(
    "../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm",
    import.meta.url,
  ).href,
});

// Its threads do not start from a bundle of Vite's: where a page is cross-origin isolated, its start would never end.
env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);

/** What the test calls in the page. */
const page = {
  /** The first row of every operation that the backend has: those that are not met, and an attack's images. */
  async check() {
    const backend = await createTfjsBackend();
    const ops = new Set<OpName>();
    const failed: { title: string; error: number }[] = [];
    for (const row of cases) {
      if (ops.has(row.op) || backend.supports(row.op) !== true) continue;
      ops.add(row.op);
      const error = errorOf(row, await runCase(backend, row));
      if (!(error <= row.tolerance)) failed.push({ title: row.title, error });
    }
    const net = new rdi.Network(tinyModel, backend, rdi.initialParams(tinyModel, 0));
    const { images, labels } = tinyBatch(5);
    const attack = rdi.attacks.average(rdi.attacks.pgd({ eps: 0.1, step: 0.02, steps: 3, seed: 0 }));
    const attacked = await attack.perturb(net, images, labels);
    net.dispose();
    return { ops: ops.size, failed, threads: backend.threads, attacked: Array.from(attacked) };
  },
};

declare global {
  interface Window {
    tfjsPage: typeof page;
  }
}
window.tfjsPage = page;
