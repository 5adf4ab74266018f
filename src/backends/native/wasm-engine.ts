import { BackendError, expectArgument } from "../../util/errors.js";
import type { AdaptiveRunArguments, NativeAbi, OrdinaryRunArguments, Pointer } from "./abi.js";
import type { WasmInstructionSet } from "./wasm-instruction-set.js";

/** What the modules of `wasm/` export: the functions of `native/core/rdi.h`. */
export interface EngineExports {
  /** Of a thread: where its stack begins. */
  readonly __stack_pointer: WebAssembly.Global<"i32">;
  rdi_engine_create(workers: number, isa: Pointer, device: number, precision: number): Pointer;
  rdi_worker_main(engine: Pointer, worker: number): void;
  rdi_worker_stack(engine: Pointer, worker: number): Pointer;
  rdi_alloc(engine: Pointer, bytes: number): Pointer;
  rdi_free(engine: Pointer, memory: Pointer): void;
  rdi_live_bytes(engine: Pointer): number;
  rdi_plan_create(engine: Pointer, words: Pointer, count: number): Pointer;
  rdi_plan_destroy(plan: Pointer): void;
  rdi_plan_bytes(plan: Pointer): number;
  rdi_plan_run(
    plan: Pointer,
    batch: number,
    total: number,
    repeat: number,
    buffers: Pointer,
    version: number,
    cancel: Pointer,
  ): number;
  rdi_adaptive_run(
    plan: Pointer,
    batch: number,
    thresholds: Pointer,
    buffers: Pointer,
    probabilities: Pointer,
    entropy: Pointer,
    exits: Pointer,
    version: number,
    cancel: Pointer,
  ): number;
  rdi_run_error(plan: Pointer): Pointer;
  rdi_last_error(engine: Pointer): Pointer;
}

/** What a thread of an engine needs: an instance of the module on the engine's memory, with a stack of its own. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly engine: Pointer;
  readonly worker: number;
  readonly stack: Pointer;
}

/** A thread of an engine, as the host starts it: in Node.js a `Worker` of its, in browsers one of theirs. */
export interface EngineThread {
  /** Settles when it is about to enter the engine. */
  readonly ready: Promise<void>;
  end(): void;
}

export interface WasmStart {
  /** Compiled for a memory that is shared if there are several threads, and for one that is not if there is one. */
  readonly module: WebAssembly.Module;
  readonly instructionSet: WasmInstructionSet;
  /** Workers that share the work, the calling thread included. */
  readonly threads: number;
  readonly startThread: (data: ThreadData) => EngineThread;
}

/** The most that `native/cpu/thread_pool.h` allows. */
export const MAX_WASM_THREADS = 256;
/** The limits that wasm/CMakeLists.txt gives the modules, in pages of 64 KiB. */
const memoryPages = { initial: 64, maximum: 65536 };

/**
 * Starts an engine of a compiled module, whatever the host.
 *
 * @throws ArgumentError on such a number of threads; BackendError if there is no memory for it, or one of its threads cannot be started
 */
export async function startWasmEngine({ module, instructionSet, threads, startThread }: WasmStart): Promise<NativeAbi> {
  expectThreads(threads);
  const memory = engineMemory(threads > 1);
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const exports = instance.exports as unknown as EngineExports;
  const started: EngineThread[] = [];
  const engine = new WasmEngine({ exports, memory, instructionSet }, threads, started);
  for (let worker = 1; worker < threads; worker++) {
    const stack = exports.rdi_worker_stack(engine.engine, worker);
    started.push(startThread({ module, memory, engine: engine.engine, worker, stack }));
  }
  try {
    // The engine would wait for a thread that is not there yet without letting it start: hosts start threads with the help of the one that asked.
    await Promise.all(started.map(({ ready }) => ready));
  } catch (cause) {
    engine.dispose();
    throw new BackendError(`Expected ${threads} threads to start but one failed: ${String(cause)}`, { cause });
  }
  return engine;
}

/** @throws ArgumentError */
export function expectThreads(threads: number): void {
  const possible = Number.isInteger(threads) && threads >= 1 && threads <= MAX_WASM_THREADS;
  expectArgument(possible, "threads", `an integer from 1 to ${MAX_WASM_THREADS}`, threads);
}

function engineMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ ...memoryPages, shared });
  } catch (cause) {
    throw new BackendError(`Expected memory for a WebAssembly engine but received: ${String(cause)}`, { cause });
  }
}

/** An instance of a module on its memory. */
interface Instance {
  readonly exports: EngineExports;
  readonly memory: WebAssembly.Memory;
  readonly instructionSet: WasmInstructionSet;
}

const nothingPending = Promise.resolve();

class WasmEngine implements NativeAbi {
  readonly name = "wasm";
  readonly instructionSet: WasmInstructionSet;
  readonly threads: number;
  readonly engine: Pointer;
  readonly #exports: EngineExports;
  readonly #memory: WebAssembly.Memory;
  readonly #threads: readonly EngineThread[];
  #disposed = false;

  constructor({ exports, memory, instructionSet }: Instance, threads: number, started: readonly EngineThread[]) {
    this.instructionSet = instructionSet;
    this.#exports = exports;
    this.#memory = memory;
    this.#threads = started;
    this.threads = threads;
    this.engine = exports.rdi_engine_create(threads, 0, 0, 0);
    if (this.engine === 0) throw new BackendError(this.#text(exports.rdi_last_error(0)));
  }

  alloc(bytes: number): Pointer {
    expectArgument(
      Number.isInteger(bytes) && bytes >= 0 && bytes < 2 ** 32,
      "bytes",
      "an integer from 0 to 2^32 - 1",
      bytes,
    );
    return this.#pointer(this.#live().rdi_alloc(this.engine, bytes));
  }

  free(memory: Pointer): void {
    this.#live().rdi_free(this.engine, memory);
  }

  liveBytes(): number {
    return this.#live().rdi_live_bytes(this.engine) >>> 0;
  }

  write(to: Pointer, data: ArrayBufferView): void {
    this.#bytes(to, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  read(from: Pointer, into: ArrayBufferView): Promise<void> {
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(this.#bytes(from, into.byteLength));
    return nothingPending;
  }

  planCreate(words: Int32Array): Pointer {
    return this.#withCopy(words, (address) =>
      this.#pointer(this.#exports.rdi_plan_create(this.engine, address, words.length)),
    );
  }

  planDestroy(plan: Pointer): void {
    this.#live().rdi_plan_destroy(plan);
  }

  planBytes(plan: Pointer): number {
    return this.#live().rdi_plan_bytes(plan) >>> 0;
  }

  planRun({ plan, batch, total = batch, repeat, buffers, version, signal }: OrdinaryRunArguments): void {
    signal?.throwIfAborted();
    this.#withCopy(Uint32Array.from(buffers), (list) => {
      this.#check(plan, this.#exports.rdi_plan_run(plan, batch, total, repeat, list, version, 0));
    });
  }

  adaptiveRun({ plan, batch, thresholds, buffers, version, signal, ...results }: AdaptiveRunArguments): void {
    const { probabilities, entropy, exits } = results;
    signal?.throwIfAborted();
    this.#withCopy(Uint32Array.from(buffers), (list) => {
      this.#check(
        plan,
        this.#exports.rdi_adaptive_run(plan, batch, thresholds, list, probabilities, entropy, exits, version, 0),
      );
    });
  }

  /** Runs are done when their call returns, and have thrown what went wrong. */
  sync(): Promise<void> {
    return nothingPending;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    // The memory goes with the instance. The threads are not asked to leave, which they could not if the engine had failed inside a run.
    for (const thread of this.#threads) thread.end();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #live(): EngineExports {
    if (this.#disposed)
      throw new BackendError("Expected a WebAssembly engine in use but received one that was disposed of");
    return this.#exports;
  }

  /** Views are made for each use: a memory that grows leaves its old views behind. */
  #bytes(from: Pointer, count: number): Uint8Array {
    this.#live();
    return new Uint8Array(this.#memory.buffer, from, count);
  }

  /** Has `use` work on a copy of the words in the engine's memory, which is freed afterwards. */
  #withCopy<T>(words: Int32Array | Uint32Array, use: (address: Pointer) => T): T {
    const address = this.alloc(words.byteLength);
    try {
      this.write(address, words);
      return use(address);
    } finally {
      this.free(address);
    }
  }

  /** WebAssembly gives addresses as signed numbers; 0 stands for a failure. */
  #pointer(address: number): Pointer {
    if (address === 0) throw new BackendError(this.#text(this.#exports.rdi_last_error(this.engine)));
    return address >>> 0;
  }

  #check(plan: Pointer, status: number): void {
    if (status < 0) throw new BackendError(this.#text(this.#exports.rdi_run_error(plan)));
  }

  /** A zero-terminated string in the engine's memory. */
  #text(address: number): string {
    const start = address >>> 0;
    const memory = new Uint8Array(this.#memory.buffer);
    // A copy: TextDecoder refuses memory that is shared.
    return new TextDecoder().decode(memory.slice(start, memory.indexOf(0, start)));
  }
}
