/** What this JavaScript engine's WebAssembly can do. */
export interface WasmFeatures {
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Atomics, and memory that workers share. */
  readonly threads: boolean;
}

export function wasmFeatures(): WasmFeatures {
  return {
    // i32.const 0, i8x16.splat, i8x16.popcnt, drop
    simd: runs([0x41, 0, 0xfd, 0x0f, 0xfd, 0x62, 0x1a]),
    // three times (i32.const 0, i32x4.splat), f32x4.relaxed_madd, drop
    relaxedSimd: runs([0x41, 0, 0xfd, 0x11, 0x41, 0, 0xfd, 0x11, 0x41, 0, 0xfd, 0x11, 0xfd, 0x85, 0x02, 0x1a]),
    // atomic.fence
    threads: typeof SharedArrayBuffer === "function" && runs([0xfe, 0x03, 0]),
  };
}

/** Whether a module whose only function consists of these instructions is valid here. */
function runs(instructions: readonly number[]): boolean {
  const type = [1, 4, 1, 0x60, 0, 0]; // one type: () → ()
  const functions = [3, 2, 1, 0]; // one function, of that type
  const body = [0, ...instructions, 0x0b]; // no locals … end
  const code = [10, body.length + 2, 1, body.length, ...body];
  return WebAssembly.validate(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...functions, ...code));
}
