import { availableCores } from "../util/available-cores.js";
import type { Precision } from "../graph/passes/restrict-methods.js";
import { ArgumentError, BackendError } from "../util/errors.js";
import type { Backend, BackendName } from "./backend.js";
import { openAddonEngine } from "./native/addon-engine.js";
import { AddonError, type AddonAttempt } from "./native/addon-error.js";
import { findAddon, loadAddon } from "./native/load-addon.js";
import { NativeBackend } from "./native/native-backend.js";
import { loadWasm } from "./native/wasm-module.js";
import { ReferenceBackend } from "./reference/reference-backend.js";

export interface BackendOptions {
  /** Which backend; the fastest that works if absent. The environment variable `RDI_BACKEND` stands in for it. */
  readonly backend?: BackendName;
  /** Threads that share the work; the cores that this process may use if absent. */
  readonly threads?: number;
  /**
   * "fast" (default) lets convolutions use Winograd's methods, whose rounding errors are up to 1e-5 of the largest result; "strict" makes them plain sums
   * of products, which agree with PyTorch's to the sign of nearly vanishing gradients, and take longer.
   */
  readonly precision?: Precision;
  /**
   * Of `cpu`: the machine code to use (`avx512`, `avx2`, `neon`, `baseline`); the widest that this machine has if absent. The environment variable
   * `RDI_ISA` stands in for it.
   */
  readonly instructionSet?: string | undefined;
}

/** What a backend is opened with. */
type OpenOptions = Required<Pick<BackendOptions, "threads" | "precision">> & Pick<BackendOptions, "instructionSet">;

/** One way to run, and how to start it. */
interface Candidate {
  readonly name: BackendName;
  readonly description: string;
  /** Whether it is chosen when none is asked for by name. */
  readonly automatic: boolean;
  readonly open: (options: OpenOptions) => Promise<Backend>;
  /** Where its native code was looked for, and what came of it. */
  readonly attempts?: () => readonly AddonAttempt[];
}

/** In the order in which they are tried. */
const candidates: readonly Candidate[] = [
  {
    name: "cpu",
    description: "the addon's kernels for this processor (AVX-512, AVX2, NEON)",
    automatic: true,
    open: ({ threads, precision, instructionSet }) =>
      Promise.resolve(new NativeBackend(openAddonEngine(loadAddon(), { threads, instructionSet }), precision)),
    attempts: () => findAddon().attempts,
  },
  {
    name: "wasm",
    description: "WebAssembly with SIMD; threads through shared memory",
    automatic: true,
    open: async ({ threads, precision }) => new NativeBackend(await loadWasm({ threads }), precision),
  },
  {
    name: "reference",
    description: "plain TypeScript in float64, for checking the others; very slow",
    automatic: false,
    open: () => Promise.resolve(new ReferenceBackend()),
  },
];

/** What became of an attempt to start a backend. */
export interface BackendReport {
  readonly name: BackendName;
  readonly description: string;
  readonly available: boolean;
  readonly threads?: number;
  /** Why it is not available. */
  readonly reason?: string;
  /** Of `cpu`: where an addon was looked for, in that order, and why one was not taken. */
  readonly attempts?: readonly AddonAttempt[];
  /** What can be done about it. */
  readonly solutions?: readonly string[];
}

/** What is asked for, by the options or by the environment. A wish for an instruction set is one for the backend that has several. */
function requested(options: BackendOptions): { name: string | undefined; instructionSet: string | undefined } {
  const { instructionSet = process.env.RDI_ISA } = options;
  const name = options.backend ?? process.env.RDI_BACKEND ?? (instructionSet === undefined ? undefined : "cpu");
  return { name, instructionSet };
}

/**
 * Starts the backend that is asked for, by `options` or by `RDI_BACKEND` and `RDI_ISA`, and fails loudly if it cannot be had; if none is asked for, the first
 * that works.
 *
 * @throws ArgumentError on an unknown name or a thread count that is not a positive integer; BackendError, with every reason, if nothing starts.
 */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  const threads = options.threads ?? availableCores();
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new ArgumentError(`Expected 1 to ${MAX_THREADS} threads but received ${threads}`);
  }
  const { precision = "fast" } = options;
  const { name, instructionSet } = requested(options);
  const tried =
    name === undefined
      ? candidates.filter(({ automatic }) => automatic)
      : candidates.filter((candidate) => candidate.name === name);
  if (tried.length === 0) {
    throw new ArgumentError(
      `Expected a backend (${candidates.map((candidate) => candidate.name).join(", ")}) but received ${JSON.stringify(name)}`,
    );
  }
  const reasons: string[] = [];
  for (const candidate of tried) {
    try {
      return await candidate.open({ threads, precision, instructionSet });
    } catch (error) {
      reasons.push(`${candidate.name}: ${messageOf(error)}`);
    }
  }
  throw new BackendError(`No backend could be started. ${reasons.join("\n")}`);
}

const MAX_THREADS = 256;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Tries every backend there is, and says of each whether it works and why not. */
export async function describeBackends(options: BackendOptions = {}): Promise<BackendReport[]> {
  const threads = options.threads ?? availableCores();
  const { instructionSet } = requested(options);
  const reports: BackendReport[] = [];
  for (const { name, description, open, attempts } of candidates) {
    const candidate = { name, description, ...(attempts && { attempts: attempts() }) };
    try {
      const backend = await open({ threads, precision: "fast", instructionSet });
      reports.push({ ...candidate, available: true, threads: backend.threads });
      backend.dispose();
    } catch (error) {
      const why =
        error instanceof AddonError
          ? { reason: error.reason, solutions: error.solutions }
          : { reason: messageOf(error) };
      reports.push({ ...candidate, available: false, ...why });
    }
  }
  return reports;
}
