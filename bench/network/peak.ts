import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { root } from "../library.js";
import { loadKernels, PEAK_OPERATIONS, runPeak } from "../kernels.js";
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

/** The same in native code, with fused multiply-adds: a program of its own, which leaves its start out of what it measures. */
export function openNativePeak(): Library {
  const program = fileURLToPath(new URL("build/bench/native-peak", root));
  const rate = async (): Promise<number> => Number((await promisify(execFile)(program)).stdout);
  const run = async (): Promise<Float32Array> => new Float32Array();
  return { prepare: async () => ({ units: 1, run, rate }) };
}
