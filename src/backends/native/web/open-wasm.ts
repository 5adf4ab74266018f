import { BackendError } from "../../../util/errors.js";
import { wasmFeatures } from "../../../util/wasm-features.js";
import type { NativeAbi } from "../abi.js";
import { withMemoryShared } from "../memory-import.mjs";
import { expectThreads, MAX_WASM_THREADS, startWasmEngine } from "../wasm-engine.js";
import { widestSimd, type WasmInstructionSet } from "../wasm-instruction-set.js";
import { startInWorker } from "./start-in-worker.js";
import { startWebThread } from "./web-threads.js";

export interface WebWasmOptions {
  /** Workers that share the work; as many as `mostWebThreads` allows if absent. */
  readonly threads?: number | undefined;
  /** The widest that this browser has if absent. */
  readonly instructionSet?: WasmInstructionSet | undefined;
  /** The engine's module, compiled already, for hosts that compile none at run time; it has one thread. */
  readonly module?: WebAssembly.Module | undefined;
  /** Whether it computes in a worker of its own, so that the caller never waits; by default where there is a document, whose page would freeze. */
  readonly worker?: boolean | undefined;
}

/** Four levels up, in src/ as in dist/; written out, so that bundlers find the files. */
const MODULES: Readonly<Record<WasmInstructionSet, () => URL>> = {
  simd128: () => new URL("../../../../dist/wasm/rdi-simd.wasm", import.meta.url),
  "relaxed-simd": () => new URL("../../../../dist/wasm/rdi-relaxed-simd.wasm", import.meta.url),
};

/** Whether this is a page's own thread, which must not be blocked. */
const onPage = (): boolean => typeof document !== "undefined";

/** How many threads an engine can have here, and why there are no more, where that is for the page to change. */
export function mostWebThreads({ module, worker = onPage() }: Pick<WebWasmOptions, "module" | "worker"> = {}): {
  readonly threads: number;
  readonly reason?: string;
} {
  const one = (reason: string) => ({ threads: 1, reason });
  if (module !== undefined) return one("a module that is compiled already has one thread");
  if (!wasmFeatures().threads || !globalThis.crossOriginIsolated)
    return one(
      "threads need a page that is cross-origin isolated (headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)",
    );
  if (!worker && onPage()) return one("a page's own thread may not wait for others");
  return { threads: Math.min(navigator.hardwareConcurrency, MAX_WASM_THREADS) };
}

/**
 * Starts a WebAssembly engine where there is no Node.js.
 *
 * @throws ArgumentError on such a number of threads; BackendError if this host lacks SIMD, or what the options ask for, or the engine's files cannot be loaded
 */
export async function openWebWasm(options: WebWasmOptions = {}): Promise<NativeAbi> {
  const { instructionSet = widestSimd(), worker = onPage() } = options;
  const features = wasmFeatures();
  if (!features.simd)
    throw new BackendError(
      "Expected WebAssembly with SIMD (Chrome and Edge 91, Firefox 89, Safari 16.4, or newer) but this host has it without",
    );
  if (instructionSet === "relaxed-simd" && !features.relaxedSimd)
    throw new BackendError("Expected WebAssembly's relaxed SIMD for relaxed-simd but this host has none");
  const most = mostWebThreads({ ...options, worker });
  const threads = options.threads ?? most.threads;
  expectThreads(threads);
  if (threads > 1 && most.threads === 1)
    throw new BackendError(`Expected 1 thread but received ${threads}: ${most.reason}`);
  const module = options.module ?? (await compiled(instructionSet, threads > 1));
  const start = { module, instructionSet, threads };
  return worker ? startInWorker(start) : startWasmEngine({ ...start, startThread: startWebThread });
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

/** A module is fetched and compiled once for all engines; what failed is tried anew the next time. */
function compiled(instructionSet: WasmInstructionSet, shared: boolean): Promise<WebAssembly.Module> {
  const key = `${instructionSet} ${shared ? "shared" : "own"} memory`;
  let module = modules.get(key);
  if (module === undefined) {
    module = compile(MODULES[instructionSet](), shared).catch((error: unknown) => {
      modules.delete(key);
      throw error;
    });
    modules.set(key, module);
  }
  return module;
}

async function compile(url: URL, shared: boolean): Promise<WebAssembly.Module> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return await WebAssembly.compile(shared ? withMemoryShared(bytes, true) : bytes);
  } catch (cause) {
    throw new BackendError(`Expected the WebAssembly engine at ${url.href} but received: ${String(cause)}`, { cause });
  }
}
