import { wasmFeatures } from "../../util/wasm-features.js";

/**
 * What the engine's WebAssembly modules are compiled for, the widest first. Relaxed SIMD has a multiply-add that rounds once where the processor can, and
 * twice elsewhere: results differ by that between hosts, as they do between the processors of the addon.
 */
export const WASM_INSTRUCTION_SETS = ["relaxed-simd", "simd128"] as const;
export type WasmInstructionSet = (typeof WASM_INSTRUCTION_SETS)[number];

/** The one that is taken where none is asked for. */
export function widestSimd(): WasmInstructionSet {
  return wasmFeatures().relaxedSimd ? "relaxed-simd" : "simd128";
}

/** The files of the modules, in `dist/wasm`. */
export const MODULE_FILES = {
  simd128: "rdi-simd.wasm",
  "relaxed-simd": "rdi-relaxed-simd.wasm",
} as const;
