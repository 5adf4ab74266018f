import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";

import { BackendError, expectArgument } from "../../util/errors.js";
import { wasmFeatures } from "../../util/wasm-features.js";
import type { AdaptiveRunArguments, NativeAbi, OrdinaryRunArguments, Pointer } from "./abi.js";
import { withMemoryShared } from "./memory-import.mjs";
import { wasmFile, type WasmFile } from "./wasm-files.js";
import { widestSimd, type WasmInstructionSet } from "./wasm-instruction-set.js";

/** What the modules of `wasm/` export: the functions of `native/core/rdi.h`. */
interface EngineExports {
  rdi_engine_create(workers: number, isa: Pointer, device: number, precision: number): Pointer;
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

export interface WasmOptions {
  /** Workers that share the work, the calling thread included: 1 to 256. */
  readonly threads: number;
  /** The module; the fastest that this host takes if absent. */
  readonly instructionSet?: WasmInstructionSet | undefined;
}

/** The most that `native/cpu/thread_pool.h` allows. */
const maxThreads = 256;
/** The limits that wasm/CMakeLists.txt gives the modules, in pages of 64 KiB. */
const memoryPages = { initial: 64, maximum: 65536 };

/**
 * Starts a WebAssembly engine. Its threads do not keep the process alive; `dispose()` ends them.
 *
 * @throws ArgumentError on such a number of threads; BackendError if the module is not built, cannot be started, or is one that this host does not take
 */
export async function loadWasm({ threads, instructionSet = widestSimd() }: WasmOptions): Promise<NativeAbi> {
  expectArgument(
    Number.isInteger(threads) && threads >= 1 && threads <= maxThreads,
    "threads",
    `an integer from 1 to ${maxThreads}`,
    threads,
  );
  if (instructionSet === "relaxed-simd" && !wasmFeatures().relaxedSimd) {
    throw new BackendError(
      "Expected WebAssembly's relaxed SIMD for relaxed-simd but found none here (Node.js 20 has it with --experimental-wasm-relaxed-simd)",
    );
  }
  const shared = threads > 1;
  const module = await compiled(instructionSet, shared);
  const memory = new WebAssembly.Memory({ ...memoryPages, shared });
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const instance = { module, exports: exports as unknown as EngineExports, memory, instructionSet };
  return shared ? startThreads(instance, threads) : new WasmEngine(instance, 1, []);
}

/** An instance of a module on its memory. */
interface Instance {
  readonly module: WebAssembly.Module;
  readonly exports: EngineExports;
  readonly memory: WebAssembly.Memory;
  readonly instructionSet: WasmInstructionSet;
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

/** A module is compiled once for all engines of the process. */
function compiled(instructionSet: WasmInstructionSet, shared: boolean): Promise<WebAssembly.Module> {
  const key = `${instructionSet} ${shared ? "shared" : "own"} memory`;
  let module = modules.get(key);
  if (module === undefined) {
    module = compile(MODULE_FILES[instructionSet], shared);
    modules.set(key, module);
  }
  return module;
}

const MODULE_FILES: Readonly<Record<WasmInstructionSet, WasmFile>> = {
  simd128: "rdi-simd.wasm",
  "relaxed-simd": "rdi-relaxed-simd.wasm",
};

async function compile(name: WasmFile, shared: boolean): Promise<WebAssembly.Module> {
  const file = wasmFile(name);
  try {
    const bytes = await readFile(file);
    return await WebAssembly.compile(shared ? withMemoryShared(bytes, true) : bytes);
  } catch (cause) {
    throw new BackendError(`Expected the WebAssembly engine in ${file}: ${String(cause)}`, { cause });
  }
}

async function startThreads(instance: Instance, threads: number): Promise<NativeAbi> {
  const { module, memory, exports } = instance;
  const workers: Worker[] = [];
  const engine = new WasmEngine(instance, threads, workers);
  const ready: Promise<void>[] = [];
  for (let worker = 1; worker < threads; worker++) {
    const workerData = {
      module,
      memory,
      engine: engine.engine,
      worker,
      stack: exports.rdi_worker_stack(engine.engine, worker),
    };
    const thread = new Worker(wasmFile("wasm-worker.mjs"), { workerData, execArgv: [] });
    workers.push(thread);
    ready.push(
      new Promise<void>((resolve, reject) => {
        thread.once("message", () => resolve());
        thread.once("error", reject);
      }),
    );
  }
  try {
    // The engine would wait for a thread that is not there yet without letting it start: Node starts threads with the main thread's help.
    await Promise.all(ready);
  } catch (cause) {
    engine.dispose();
    throw new BackendError(`Expected ${threads} threads to start but one failed: ${String(cause)}`, { cause });
  }
  for (const thread of workers) thread.unref();
  return engine;
}

const nothingPending = Promise.resolve();

class WasmEngine implements NativeAbi {
  readonly name = "wasm";
  readonly instructionSet: WasmInstructionSet;
  readonly threads: number;
  readonly engine: Pointer;
  readonly #exports: EngineExports;
  readonly #memory: WebAssembly.Memory;
  readonly #workers: readonly Worker[];
  #disposed = false;

  constructor({ exports, memory, instructionSet }: Instance, threads: number, workers: readonly Worker[]) {
    this.instructionSet = instructionSet;
    this.#exports = exports;
    this.#memory = memory;
    this.#workers = workers;
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
    for (const worker of this.#workers) void worker.terminate();
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
