import { resolve } from "node:path";
import type { Addon } from "../../src/backends/native/addon-engine.js";
import { notLoaded } from "../../src/backends/native/addon-error.js";
import { loadFile } from "../../src/backends/native/load-addon.js";

/**
 * The sources of the CUDA addon, compiled for the processor by `scripts/build-cuda --emulated`: it needs no GPU.
 *
 * @throws AddonError if it has not been built
 */
export function emulatedCuda(): Addon {
  const { addon, attempts } = loadFile("local build", resolve("build/Release/rdi_net_cuda_emulated.node"));
  if (addon === undefined) throw notLoaded("cuda", attempts);
  return addon;
}
