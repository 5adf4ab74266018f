import { loadKernels, PEAK_OPERATIONS, runPeak } from "../kernels.js";
import type { Library } from "./protocol.js";

/** The loop of multiplications and additions, as if it were a library whose units are operations. */
export async function openPeak(): Promise<Library> {
  const kernels = await loadKernels();
  const run = async (): Promise<Float32Array> => {
    runPeak(kernels);
    return new Float32Array();
  };
  return { prepare: async () => ({ units: PEAK_OPERATIONS, run }) };
}
