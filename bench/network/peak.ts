import { fileURLToPath } from "node:url";

import { root } from "../library.js";
import { loadKernels, PEAK_OPERATIONS, runPeak } from "../kernels.js";
import { startMeasuredProgram } from "./program.js";
import type { Library } from "./protocol.js";

/** The loop of multiplications and additions in WebAssembly, as if it were a library whose units are operations. */
export async function openPeak(): Promise<Library> {
  const kernels = await loadKernels();
  const run = async (): Promise<Float32Array> => {
    runPeak(kernels);
    return new Float32Array();
  };
  return { prepare: async () => ({ units: PEAK_OPERATIONS, run }) };
}

/** The same in native code, with fused multiply-adds of this machine's widest vectors. */
export function openNativePeak(): Library {
  return {
    prepare: async () => {
      const rate = await startMeasuredProgram(fileURLToPath(new URL("build/bench/native-peak", root)));
      return { results: new Float32Array(), rate };
    },
  };
}
