import { availableCores } from "../util/available-cores.js";
import { PRECISIONS, type Precision } from "../graph/passes/restrict-methods.js";
import { ArgumentError, BackendError, expectArgument } from "../util/errors.js";
import type { Backend, BackendName } from "./backend.js";
import { openAddonEngine, type Device } from "./native/addon-engine.js";
import { AddonError, type AddonAttempt } from "./native/addon-error.js";
import { cudaDevices, describeNccl, openCuda } from "./native/cuda.js";
import { findAddon, loadAddon } from "./native/load-addon.js";
import { NativeBackend } from "./native/native-backend.js";
import { WASM_INSTRUCTION_SETS } from "./native/wasm-instruction-set.js";
import { loadWasm } from "./native/wasm-module.js";
import { ReferenceBackend } from "./reference/reference-backend.js";

export interface BackendOptions {
  /** Which backend; the fastest that works if absent. The environment variable `RDI_BACKEND` stands in for it. */
  readonly backend?: BackendName;
  /** Threads that share the work; the cores that this process may use if absent. A GPU shares it out by itself. */
  readonly threads?: number;
  /**
   * Of convolutions and linear layers; sums are of 32-bit floats in all of them.
   *
   * "fast" (default): the fastest whose rounding does little harm. On a processor convolutions may use Winograd's methods, whose rounding errors are up to
   * 1e-5 of the largest result; on a GPU it is "tf32", as in PyTorch's convolutions. "strict", or "fp32": plain sums of products of 32-bit floats,
   * which agree with PyTorch's to the sign of nearly vanishing gradients, and take longer. Of `cuda` alone: "tf32", "fp16" and "bf16", to which
   * factors are rounded.
   */
  readonly precision?: Precision;
  /**
   * The machine code to use, of `cpu` (`avx512`, `avx2`, `neon`, `baseline`) or of `wasm` (`relaxed-simd`, `simd128`); the widest that this machine
   * has if absent. The environment variable `RDI_ISA` stands in for it.
   */
  readonly instructionSet?: string | undefined;
  /** Of `cuda`: the number of the GPU, 0 if absent. The environment variable `RDI_DEVICE` stands in for it. */
  readonly device?: number | undefined;
  /**
   * Of `cuda`, in the place of `device`: several GPUs, of which each takes some images of every batch. Training needs NVIDIA's NCCL for it, which
   * `RDI_NCCL` can name the file of; inference, evaluation and attacks do not. `RDI_DEVICE=0,1` stands in for it.
   */
  readonly devices?: readonly number[] | undefined;
}

/** What a backend is opened with. */
interface OpenOptions extends Required<Pick<BackendOptions, "threads" | "precision">> {
  readonly instructionSet: string | undefined;
  /** The numbers of the GPUs: one at least, none twice. */
  readonly devices: readonly number[];
}

/** One way to run, and how to start it. */
interface Candidate {
  readonly name: BackendName;
  readonly description: string;
  /** Whether it is chosen when none is asked for by name. */
  readonly automatic: boolean;
  /** Those that it can be asked for by, of its own: all other names are for `cpu` to know. */
  readonly instructionSets?: readonly string[];
  readonly precisions: readonly Precision[];
  readonly open: (options: OpenOptions) => Promise<Backend>;
  /** Where its native code was looked for, and what came of it. */
  readonly attempts?: () => readonly AddonAttempt[];
  /** That it can compute on, where there can be several. */
  readonly devices?: () => readonly Device[];
  /** Of several devices: what sums over them. */
  readonly nccl?: typeof describeNccl;
}

/** Of a processor. */
const FULL_PRECISIONS: readonly Precision[] = ["fast", "strict", "fp32"];

/** In the order in which they are tried. */
const candidates: readonly Candidate[] = [
  {
    name: "cuda",
    description: "the CUDA addon's kernels for an NVIDIA GPU",
    automatic: true,
    precisions: PRECISIONS,
    open: ({ devices, precision }) => Promise.resolve(openCuda({ devices, precision })),
    attempts: () => findAddon("cuda").attempts,
    devices: cudaDevices,
    nccl: describeNccl,
  },
  {
    name: "cpu",
    description: "the addon's kernels for this processor (AVX-512, AVX2, NEON)",
    automatic: true,
    precisions: FULL_PRECISIONS,
    open: ({ threads, precision, instructionSet }) =>
      Promise.resolve(new NativeBackend(openAddonEngine(loadAddon(), { threads, instructionSet }), precision)),
    attempts: () => findAddon().attempts,
  },
  {
    name: "wasm",
    description: "WebAssembly with SIMD; threads through shared memory",
    automatic: true,
    instructionSets: WASM_INSTRUCTION_SETS,
    precisions: FULL_PRECISIONS,
    // RDI_ISA may name one of the processor, which says nothing here.
    open: async ({ threads, precision, instructionSet }) =>
      new NativeBackend(
        await loadWasm({ threads, instructionSet: WASM_INSTRUCTION_SETS.find((set) => set === instructionSet) }),
        precision,
      ),
  },
  {
    name: "reference",
    description: "plain TypeScript in float64, for checking the others; very slow",
    automatic: false,
    precisions: FULL_PRECISIONS,
    open: () => Promise.resolve(new ReferenceBackend()),
  },
];

/** What became of an attempt to start a backend. */
export interface BackendReport {
  readonly name: BackendName;
  readonly description: string;
  readonly available: boolean;
  readonly threads?: number;
  /** The machine code that it runs, where it has several. */
  readonly instructionSet?: string;
  /** Why it is not available. */
  readonly reason?: string;
  /** Of `cuda` and `cpu`: where an addon was looked for, in that order, and why one was not taken. */
  readonly attempts?: readonly AddonAttempt[];
  /** Of `cuda`: the GPUs that its addon finds, by their numbers. */
  readonly devices?: readonly Device[];
  /** Of `cuda`: what sums gradients over several GPUs, NCCL's version, or why it cannot be loaded. */
  readonly nccl?: { readonly found: string } | { readonly missing: string };
  /** What can be done about it. */
  readonly solutions?: readonly string[];
}

/** What is asked for, by the options or by the environment. A wish that one backend alone can fulfil is one for that backend. */
interface Request extends OpenOptions {
  readonly name: string | undefined;
}

function requested(options: BackendOptions): Request {
  const { threads = availableCores(), precision = "fast", instructionSet = process.env.RDI_ISA } = options;
  const device = options.device ?? options.devices ?? process.env.RDI_DEVICE;
  const wishesGpu = device !== undefined || !FULL_PRECISIONS.includes(precision);
  const wish = instructionSet !== undefined ? ofInstructionSet(instructionSet) : wishesGpu ? "cuda" : undefined;
  const name = options.backend ?? process.env.RDI_BACKEND ?? wish;
  return { name, threads, precision, instructionSet, devices: numbersOf(device ?? 0) };
}

/** The backend that has it; `cpu` knows which are none. */
function ofInstructionSet(name: string): BackendName {
  return candidates.find(({ instructionSets }) => instructionSets?.includes(name))?.name ?? "cpu";
}

/** Of a number, several, or the text of the environment: `0` or `0,1`. */
function numbersOf(device: number | string | readonly number[]): number[] {
  const given = typeof device === "string" ? device.split(",") : [device].flat();
  expectArgument(given.length > 0, "devices", "at least one", given);
  for (const number of given)
    expectArgument(/^\d+$/.test(String(number).trim()), "device", "an integer of 0 or more", number);
  const numbers = given.map(Number);
  expectArgument(new Set(numbers).size === numbers.length, "devices", "different ones", numbers);
  return numbers;
}

/** @throws ArgumentError on what no backend, or not the one of that name, can be asked for */
function expectPossible(
  { name, threads, precision }: Request,
  { device, devices, instructionSet }: BackendOptions,
): void {
  expectArgument(device === undefined || devices === undefined, "device", "nothing beside devices", device);
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new ArgumentError(`Expected 1 to ${MAX_THREADS} threads but received ${threads}`);
  }
  expectArgument(PRECISIONS.includes(precision), "precision", `one of ${PRECISIONS.join(", ")}`, precision);
  if (name === undefined) return;
  const named = candidates.find((candidate) => candidate.name === name);
  if (named === undefined) {
    throw new ArgumentError(
      `Expected a backend (${candidates.map((candidate) => candidate.name).join(", ")}) but received ${JSON.stringify(name)}`,
    );
  }
  const backends = (able: (candidate: Candidate) => boolean): string =>
    `backend ${candidates
      .filter(able)
      .map((candidate) => candidate.name)
      .join(" or ")}`;
  const precise = (candidate: Candidate): boolean => candidate.precisions.includes(precision);
  expectArgument(precise(named), `precision ${precision}`, backends(precise), name);
  const compiled = ({ name }: Candidate): boolean =>
    instructionSet === undefined || name === ofInstructionSet(instructionSet);
  expectArgument(compiled(named), `instruction set ${instructionSet}`, backends(compiled), name);
  const several = (candidate: Candidate): boolean => candidate.devices !== undefined;
  const asked = devices ?? (device === undefined ? [] : [device]);
  const what = `${asked.length === 1 ? "device" : "devices"} ${asked.join()}`;
  expectArgument(asked.length === 0 || several(named), what, backends(several), name);
}

/**
 * Starts the backend that is asked for, by `options` or by `RDI_BACKEND`, `RDI_ISA` and `RDI_DEVICE`, and fails loudly if it cannot be had; if none is
 * asked for, the first that works.
 *
 * @throws ArgumentError on an unknown name, a thread count that is not a positive integer, or a precision or a device that the backend has not;
 *   BackendError, with every reason, if nothing starts.
 */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  const request = requested(options);
  expectPossible(request, options);
  const { name } = request;
  const reasons: string[] = [];
  for (const candidate of candidates) {
    if (name === undefined ? !candidate.automatic : candidate.name !== name) continue;
    try {
      return await candidate.open(request);
    } catch (error) {
      if (error instanceof ArgumentError) throw error;
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
  const request = requested(options);
  const reports: BackendReport[] = [];
  for (const { name, description, open, attempts, devices, nccl } of candidates) {
    const sums = devices !== undefined && devices().length > 1 ? nccl?.() : undefined;
    const candidate = {
      name,
      description,
      ...(attempts && { attempts: attempts() }),
      ...(devices && { devices: devices() }),
      ...(sums && { nccl: sums }),
    };
    try {
      const backend = await open({ ...request, precision: "fast" });
      const { threads, instructionSet } = backend;
      reports.push({ ...candidate, available: true, threads, ...(instructionSet !== undefined && { instructionSet }) });
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
