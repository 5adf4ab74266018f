import type { TileLimits } from "../../graph/plan/tile.js";
import type { Disposable } from "../../util/disposable.js";

/** What stands for a buffer or a plan of an engine; 0 is never one. */
export type Pointer = number;

/** What a run does with an external buffer: reads it, fills it without having read it, or both. */
export const BufferUse = { Read: 0, Fill: 1, Update: 2 } as const;
export type BufferUse = (typeof BufferUse)[keyof typeof BufferUse];

/** What every run of a plan is given. */
export interface RunArguments {
  readonly plan: Pointer;
  readonly batch: number;
  /** As many as the plan has external buffers. */
  readonly buffers: readonly Pointer[];
  /** Of the parameters. */
  readonly version: number;
  /** Ends the run before its next step. An engine that runs on the caller's thread can look at it before the run only. */
  readonly signal?: AbortSignal | undefined;
}

export interface OrdinaryRunArguments extends RunArguments {
  /** Images of the whole batch, of which an engine of a group has a part; `batch` if absent. */
  readonly total?: number | undefined;
  readonly repeat: number;
}

/** All of these are buffers. */
export interface AdaptiveRunArguments extends RunArguments {
  readonly thresholds: Pointer;
  readonly probabilities: Pointer;
  readonly entropy: Pointer;
  readonly exits: Pointer;
}

/**
 * The C ABI of `native/core/rdi.h` as JavaScript sees it, whether the engine is a WebAssembly module or an addon. What is asked for is done in
 * that order; an addon does it on a thread of its own. Methods that can fail throw a `BackendError` with the engine's own message. A run that fails
 * later than in its call fails `sync` of its plan, and `read` of what it should have written.
 */
export interface NativeAbi extends Disposable {
  readonly name: "wasm" | "cpu" | "cuda";
  /** Workers that share the work. */
  readonly threads: number;
  /** Of the kernels in use: `avx512`, `avx2`, `neon`, `baseline`; of WebAssembly `simd128`; of CUDA the architecture, such as `sm_90`. */
  readonly instructionSet: string;
  /** The name of the device, where there can be several. */
  readonly device?: string;
  /** What bounds the tiles of its plans; a processor's caches if absent. */
  readonly tile?: TileLimits;
  alloc(bytes: number): Pointer;
  free(buffer: Pointer): void;
  /** Bytes held by buffers and plans. */
  liveBytes(): number;
  write(to: Pointer, data: ArrayBufferView): void;
  /** Copies `into.byteLength` bytes out of the engine's memory. */
  read(from: Pointer, into: ArrayBufferView): Promise<void>;
  /** `uses`: of each external buffer. */
  planCreate(words: Int32Array, uses: readonly BufferUse[]): Pointer;
  planDestroy(plan: Pointer): void;
  planBytes(plan: Pointer): number;
  planRun(run: OrdinaryRunArguments): void;
  adaptiveRun(run: AdaptiveRunArguments): void;
  /** Settles when the plan's runs have finished; rejected with what went wrong with them since the last time. */
  sync(plan: Pointer): Promise<void>;
}
