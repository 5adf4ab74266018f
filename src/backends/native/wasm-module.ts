import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";

import { BackendError } from "../../util/errors.js";
import { wasmFeatures } from "../../util/wasm-features.js";
import type { NativeAbi } from "./abi.js";
import { withMemoryShared } from "./memory-import.mjs";
import { expectThreads, startWasmEngine, type EngineThread, type ThreadData } from "./wasm-engine.js";
import { wasmFile } from "./wasm-files.js";
import { MODULE_FILES, widestSimd, type WasmInstructionSet } from "./wasm-instruction-set.js";

export interface WasmOptions {
  /** Workers that share the work, the calling thread included: 1 to 256. */
  readonly threads: number;
  /** The module; the fastest that this host takes if absent. */
  readonly instructionSet?: WasmInstructionSet | undefined;
}

/**
 * Starts a WebAssembly engine in Node.js. Its threads do not keep the process alive; `dispose()` ends them.
 *
 * @throws ArgumentError on such a number of threads; BackendError if the module is not built, cannot be started, or is one that this host does not take
 */
export async function loadWasm({ threads, instructionSet = widestSimd() }: WasmOptions): Promise<NativeAbi> {
  expectThreads(threads);
  if (instructionSet === "relaxed-simd" && !wasmFeatures().relaxedSimd) {
    throw new BackendError(
      "Expected WebAssembly's relaxed SIMD for relaxed-simd but found none here (Node.js 20 has it with --experimental-wasm-relaxed-simd)",
    );
  }
  const module = await compiled(instructionSet, threads > 1);
  return startWasmEngine({ module, instructionSet, threads, startThread });
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

/** A module is compiled once for all engines of the process. */
function compiled(instructionSet: WasmInstructionSet, shared: boolean): Promise<WebAssembly.Module> {
  const key = `${instructionSet} ${shared ? "shared" : "own"} memory`;
  let module = modules.get(key);
  if (module === undefined) {
    module = compile(wasmFile(MODULE_FILES[instructionSet]), shared);
    modules.set(key, module);
  }
  return module;
}

async function compile(file: string, shared: boolean): Promise<WebAssembly.Module> {
  try {
    const bytes = await readFile(file);
    return await WebAssembly.compile(shared ? withMemoryShared(bytes, true) : bytes);
  } catch (cause) {
    throw new BackendError(`Expected the WebAssembly engine in ${file}: ${String(cause)}`, { cause });
  }
}

function startThread(workerData: ThreadData): EngineThread {
  const thread = new Worker(wasmFile("wasm-worker.mjs"), { workerData, execArgv: [] });
  const ready = new Promise<void>((resolve, reject) => {
    thread.once("message", () => {
      thread.unref();
      resolve();
    });
    thread.once("error", reject);
  });
  return { ready, end: () => void thread.terminate() };
}
