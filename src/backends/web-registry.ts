import type { Precision } from "../graph/passes/restrict-methods.js";
import { ArgumentError, BackendError } from "../util/errors.js";
import type { Backend } from "./backend.js";
import { NativeBackend } from "./native/native-backend.js";
import { WASM_INSTRUCTION_SETS, type WasmInstructionSet } from "./native/wasm-instruction-set.js";
import { mostWebThreads, openWebWasm, type WebWasmOptions } from "./native/web/open-wasm.js";
import { ReferenceBackend } from "./reference/reference-backend.js";
import type { BackendOptions, BackendReport } from "./registry.js";

/** Where there is no Node.js: those of `BackendOptions` that mean something there, and how the engine is started. */
export interface WebBackendOptions
  extends
    Pick<BackendOptions, "backend" | "precision" | "instructionSet">,
    Pick<WebWasmOptions, "threads" | "module" | "worker"> {}

const PRECISIONS: readonly Precision[] = ["fast", "strict", "fp32"];

/**
 * Starts the backend `wasm`, or `reference` if that is asked for.
 *
 * @throws ArgumentError on a backend, a precision or an instruction set that there is not here; BackendError if it cannot be started
 */
export async function createWebBackend(options: WebBackendOptions = {}): Promise<Backend> {
  const { backend = "wasm", precision = "fast", instructionSet, ...engine } = options;
  if (backend === "reference") return new ReferenceBackend();
  if (backend !== "wasm")
    throw new ArgumentError(
      `Expected a backend (wasm, reference) but received ${JSON.stringify(backend)}, which needs Node.js`,
    );
  if (!PRECISIONS.includes(precision))
    throw new ArgumentError(
      `Expected a precision (${PRECISIONS.join(", ")}) but received ${JSON.stringify(precision)}`,
    );
  return new NativeBackend(await openWebWasm({ ...engine, instructionSet: known(instructionSet) }), precision);
}

function known(instructionSet: string | undefined): WasmInstructionSet | undefined {
  const set = WASM_INSTRUCTION_SETS.find((name) => name === instructionSet);
  if (set === undefined && instructionSet !== undefined)
    throw new ArgumentError(
      `Expected an instruction set (${WASM_INSTRUCTION_SETS.join(", ")}) but received ${JSON.stringify(instructionSet)}`,
    );
  return set;
}

/** Tries `wasm`, and says whether it works and why not, and why it has one thread where it has. */
export async function describeWebBackends(options: WebBackendOptions = {}): Promise<BackendReport[]> {
  const wasm = {
    name: "wasm",
    description: "WebAssembly with SIMD; threads where the page is cross-origin isolated",
  } as const;
  const reports: BackendReport[] = [];
  try {
    const backend = await createWebBackend({ ...options, backend: "wasm" });
    const { threads, instructionSet } = backend;
    backend.dispose();
    const { reason } = mostWebThreads(options);
    const solutions = threads === 1 && reason !== undefined ? [reason] : undefined;
    reports.push({
      ...wasm,
      available: true,
      threads,
      ...(instructionSet !== undefined && { instructionSet }),
      ...(solutions && { solutions }),
    });
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    reports.push({ ...wasm, available: false, reason: error.message });
  }
  const reference = { name: "reference", description: "plain TypeScript in float64; very slow" } as const;
  return [...reports, { ...reference, available: true, threads: 1 }];
}
