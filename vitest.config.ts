import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

import { wasmFeatures } from "./src/util/wasm-features.js";

export default defineConfig({
  // The sources themselves, not what is built of them.
  resolve: { alias: { "#files": resolve("src/util/files/node.ts") } },
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: tests start worker_threads of their own and count live bytes.
    pool: "forks",
    // Node.js 20 has it behind a flag, which the processes that tests start do not get.
    execArgv: wasmFeatures().relaxedSimd ? [] : ["--experimental-wasm-relaxed-simd"],
    maxWorkers: availableParallelism(),
    // These end what hangs. CUDA's emulator may take a minute or two for a test on a busy machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ["default", "./scripts/summary-reporter.ts"],
  },
});
