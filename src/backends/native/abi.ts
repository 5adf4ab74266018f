import type { Disposable } from "../../util/disposable.js";

/** An address in the engine's memory. */
export type Pointer = number;

/**
 * The C ABI of `native/core/rdi.h` as JavaScript sees it, whether the engine is a WebAssembly module or an addon. Methods that can fail
 * throw a `BackendError` with the engine's own message.
 */
export interface NativeAbi extends Disposable {
  readonly name: "wasm" | "cpu" | "cuda";
  /** Workers that share the work, the caller's thread included. */
  readonly threads: number;
  alloc(bytes: number): Pointer;
  free(memory: Pointer): void;
  /** Bytes held by buffers and plans. */
  liveBytes(): number;
  write(to: Pointer, data: ArrayBufferView): void;
  /** Copies `into.byteLength` bytes out of the engine's memory. */
  read(from: Pointer, into: ArrayBufferView): void;
  planCreate(words: Int32Array): Pointer;
  planDestroy(plan: Pointer): void;
  planBytes(plan: Pointer): number;
  planRun(plan: Pointer, batch: number, repeat: number, buffers: readonly Pointer[], version: number): void;
  /** `thresholds`, `probabilities`, `entropy` and `exits` are addresses in the engine's memory. */
  adaptiveRun(
    plan: Pointer,
    batch: number,
    thresholds: Pointer,
    buffers: readonly Pointer[],
    results: { probabilities: Pointer; entropy: Pointer; exits: Pointer },
    version: number,
  ): void;
}
