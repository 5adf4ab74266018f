import { totalmem } from "node:os";

import { deviceLimits, type TileLimits } from "../../graph/plan/tile.js";
import { BackendError, expectArgument } from "../../util/errors.js";
import type { AdaptiveRunArguments, BufferUse, NativeAbi, OrdinaryRunArguments, Pointer } from "./abi.js";

/** The interface of `native/core/rdi.h` that this version speaks: `RDI_ABI_VERSION`. */
export const ABI_VERSION = 3;

/** What `rdi_net.node` and `rdi_net_cuda.node` export. */
export interface Addon {
  readonly abiVersion: number;
  /** That its kernels were compiled for, the widest first, and whether this machine has them. */
  readonly instructionSets: readonly { readonly name: string; readonly supported: boolean }[];
  /** That engines can be created on, and the bytes of memory of their own: 0 for the processor, which has the machine's. */
  readonly devices: readonly Device[];
  /** Why there are no devices. */
  readonly noDevices?: string;
  /** What sums over engines of a group, "NCCL 2.28.3"; throws if it cannot be loaded. `library`: where it is; absent, where the system looks for it. */
  readonly groupLibrary: (library?: string) => string;
  readonly Engine: {
    new (threads: number, instructionSet: string | undefined, device: number, precision: MatrixPrecision): EngineObject;
    /** Lets engines of different devices sum over each other. */
    group(engines: readonly EngineObject[], library?: string): void;
  };
}

export interface Device {
  readonly name: string;
  readonly bytes: number;
}

/** The arithmetic of matrix products (convolutions, fully connected layers); their sums are of 32-bit floats in all of them. */
export type MatrixPrecision = "fp32" | "tf32" | "fp16" | "bf16";

/** The class of `native/addon/engine.h`. */
interface EngineObject {
  readonly instructionSet: string;
  alloc(bytes: number): Pointer;
  free(buffer: Pointer): void;
  liveBytes(): number;
  write(to: Pointer, data: ArrayBufferView): void;
  read(from: Pointer, into: ArrayBufferView): Promise<void>;
  planCreate(words: Int32Array, uses: Uint8Array): Pointer;
  planDestroy(plan: Pointer): void;
  planBytes(plan: Pointer): number;
  planRun(
    plan: Pointer,
    batch: number,
    total: number,
    repeat: number,
    buffers: readonly Pointer[],
    version: number,
    cancel: Int32Array | null,
  ): void;
  adaptiveRun(
    plan: Pointer,
    batch: number,
    thresholds: Pointer,
    buffers: readonly Pointer[],
    probabilities: Pointer,
    entropy: Pointer,
    exits: Pointer,
    version: number,
    cancel: Int32Array | null,
  ): void;
  sync(plan: Pointer): Promise<void>;
  dispose(): void;
}

export interface AddonOptions {
  /** Workers that share the work: 1 to 256. */
  readonly threads: number;
  /** One of the addon's; the widest that this machine has if absent. */
  readonly instructionSet?: string | undefined;
  /** Whose addon it is; the processor's if absent. */
  readonly name?: "cpu" | "cuda";
  /** The number of one of the addon's devices; the first if absent. */
  readonly device?: number | undefined;
  /** "fp32" if absent; the processor has no other. */
  readonly precision?: MatrixPrecision | undefined;
}

/** The most that `native/cpu/thread_pool.h` allows. */
const MAX_THREADS = 256;

/**
 * Starts an engine of the addon. Its work is done on threads of its own; those do not keep the process alive, but a result that is awaited does.
 *
 * @throws ArgumentError on a thread count out of range; BackendError on a device or an instruction set that the addon or this machine lacks, a precision that the
 *   device lacks, or if no threads can be had
 */
export function openAddonEngine(addon: Addon, options: AddonOptions): NativeAbi {
  const { name = "cpu", threads, instructionSet, device = 0, precision = "fp32" } = options;
  expectArgument(
    Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS,
    "threads",
    `an integer from 1 to ${MAX_THREADS}`,
    threads,
  );
  const here = addon.instructionSets.filter(({ supported }) => supported).map(({ name }) => name);
  if (instructionSet !== undefined && !here.includes(instructionSet)) {
    throw new BackendError(
      `Expected an instruction set of this machine (${here.join(", ")}) but received ${JSON.stringify(instructionSet)}`,
    );
  }
  if (addon.devices[device] === undefined) {
    const devices = addon.devices.map(({ name }, i) => `${i}: ${name}`).join("; ");
    throw new BackendError(
      `Expected a device of this machine (${devices || (addon.noDevices ?? "none")}) but received ${device}`,
    );
  }
  return new AddonEngine(addon, { name, threads, instructionSet, device, precision });
}

/**
 * Lets engines of an addon, each of a device of its own, sum over each other: a plan with `allReduce` then waits for the other engines' run of it.
 *
 * @param library where NCCL is, which is loaded with the first such plan; absent, where the system looks for it
 */
export function groupEngines(addon: Addon, engines: readonly NativeAbi[], library?: string): void {
  AddonEngine.group(addon, engines as readonly AddonEngine[], library);
}

/** Whether a run failed because of what another engine of the group did. */
export function isPeerFailure(error: unknown): boolean {
  return hasCode(error, "RDI_PEER_FAILED");
}

/** What an engine is created with, nothing left open but the instruction set. */
interface EngineOptions extends Required<AddonOptions> {
  readonly device: number;
  readonly precision: MatrixPrecision;
}

class AddonEngine implements NativeAbi {
  readonly name: "cpu" | "cuda";
  readonly device?: string;
  readonly tile?: TileLimits;
  readonly threads: number;
  readonly instructionSet: string;
  readonly #engine: EngineObject;
  /** Why the last cancelled run of a plan was. */
  readonly #signals = new Map<Pointer, AbortSignal>();

  constructor(addon: Addon, { name, threads, instructionSet, device, precision }: EngineOptions) {
    this.#engine = attempt(() => new addon.Engine(threads, instructionSet, device, precision));
    this.name = name;
    this.threads = threads;
    if (name === "cuda") {
      const { name: gpu, bytes } = addon.devices[device]!;
      this.device = gpu;
      // Of no memory of its own: one that is emulated, in the machine's.
      this.tile = deviceLimits(bytes === 0 ? totalmem() : bytes);
    }
    this.instructionSet = this.#engine.instructionSet;
  }

  static group(addon: Addon, engines: readonly AddonEngine[], library: string | undefined): void {
    attempt(() => {
      addon.Engine.group(
        engines.map((engine) => engine.#engine),
        library,
      );
    });
  }

  alloc(bytes: number): Pointer {
    return attempt(() => this.#engine.alloc(bytes));
  }

  free(buffer: Pointer): void {
    attempt(() => {
      this.#engine.free(buffer);
    });
  }

  liveBytes(): number {
    return attempt(() => this.#engine.liveBytes());
  }

  write(to: Pointer, data: ArrayBufferView): void {
    attempt(() => {
      this.#engine.write(to, data);
    });
  }

  read(from: Pointer, into: ArrayBufferView): Promise<void> {
    return settle(() => this.#engine.read(from, into));
  }

  planCreate(words: Int32Array, uses: readonly BufferUse[]): Pointer {
    return attempt(() => this.#engine.planCreate(words, Uint8Array.from(uses)));
  }

  planDestroy(plan: Pointer): void {
    this.#signals.delete(plan);
    attempt(() => {
      this.#engine.planDestroy(plan);
    });
  }

  planBytes(plan: Pointer): number {
    return attempt(() => this.#engine.planBytes(plan));
  }

  planRun({ plan, batch, total = batch, repeat, buffers, version, signal }: OrdinaryRunArguments): void {
    const cancel = this.#cancelFlag(plan, signal);
    attempt(() => {
      this.#engine.planRun(plan, batch, total, repeat, buffers, version, cancel);
    });
  }

  adaptiveRun(run: AdaptiveRunArguments): void {
    const { plan, batch, thresholds, buffers, probabilities, entropy, exits, version, signal } = run;
    const cancel = this.#cancelFlag(plan, signal);
    attempt(() => {
      this.#engine.adaptiveRun(plan, batch, thresholds, buffers, probabilities, entropy, exits, version, cancel);
    });
  }

  async sync(plan: Pointer): Promise<void> {
    try {
      await settle(() => this.#engine.sync(plan));
    } catch (error) {
      const signal = this.#signals.get(plan);
      if (signal?.aborted === true && hasCode(error, "RDI_CANCELLED")) throw signal.reason;
      throw error;
    }
  }

  dispose(): void {
    this.#engine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The word that the engine looks at while it runs, 1 as soon as the signal is aborted. */
  #cancelFlag(plan: Pointer, signal: AbortSignal | undefined): Int32Array | null {
    if (signal === undefined) return null;
    signal.throwIfAborted();
    this.#signals.set(plan, signal);
    let flag = cancelFlags.get(signal);
    if (flag === undefined) {
      const made = new Int32Array(1);
      signal.addEventListener("abort", () => Atomics.store(made, 0, 1), { once: true });
      cancelFlags.set(signal, made);
      flag = made;
    }
    return flag;
  }
}

/** One a signal, whatever the number of runs that it can end. */
const cancelFlags = new WeakMap<AbortSignal, Int32Array>();

/** The addon's errors as ours. */
function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw asBackendError(error);
  }
}

/** The same of a promise: the error is made here, so that its stack shows who awaited it. */
async function settle(call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    throw asBackendError(error);
  }
}

function asBackendError(error: unknown): BackendError {
  return new BackendError(error instanceof Error ? error.message : String(error), { cause: error });
}

/** The addon's word for what went wrong. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof BackendError && (error.cause as { code?: unknown } | undefined)?.code === code;
}
