import type { Backend } from "../../src/backends/backend.js";
import { cudaDevices, openCuda } from "../../src/backends/native/cuda.js";
import { loadAddon } from "../../src/backends/native/load-addon.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";
import type { OpName } from "../../src/ops/index.js";
import { isQuantized } from "../../src/ops/quantized.js";
import { createBackend, type BackendOptions } from "../../src/backends/registry.js";
import { notChosen } from "./chosen.js";
import { emulatedCuda } from "./emulated-cuda.js";

/** A backend under test. Those that this machine cannot run are skipped, visibly, by the suites that use this list. */
export interface BackendUnderTest {
  readonly title: string;
  readonly open: (options?: Pick<BackendOptions, "precision">) => Promise<Backend>;
  /** Why it cannot run here. */
  readonly unavailable?: string;
}

/** Operations that several devices do each on their own images, or with each other. */
const DIFFERENT_ON_SEVERAL: readonly OpName[] = ["channelMoments", "batchNormInputGrad", "allReduce"];

/** Whether a backend has an operation, and it alone gives what it gives on one device. */
export function agreesOn({ title }: BackendUnderTest, op: OpName): boolean {
  if (title.startsWith("cuda") && isQuantized(op)) return false;
  return !title.includes("×") || !DIFFERENT_ON_SEVERAL.includes(op);
}

function registered(title: string, base: BackendOptions): Promise<BackendUnderTest> {
  return probe(title, (options) => createBackend({ ...base, ...options }));
}

async function probe(title: string, open: BackendUnderTest["open"]): Promise<BackendUnderTest> {
  const unavailable = notChosen(title);
  if (unavailable !== undefined) return { title, open, unavailable };
  try {
    (await open()).dispose();
    return { title, open };
  } catch (error) {
    return { title, open, unavailable: (error as Error).message };
  }
}

/** The instruction sets of the addon, also those that this machine lacks; one of no name where there is no addon. */
function instructionSets(): readonly (string | undefined)[] {
  try {
    return loadAddon().instructionSets.map(({ name }) => name);
  } catch {
    // Why is told by the probe.
    return [undefined];
  }
}

const [widest, ...narrower] = instructionSets();

/** The backends that run graphs at speed, each checked against `reference`. */
export const fastBackends: readonly BackendUnderTest[] = [
  await registered("wasm, simd128, 1 thread", { backend: "wasm", threads: 1, instructionSet: "simd128" }),
  await registered("wasm, relaxed-simd, 2 threads", { backend: "wasm", threads: 2, instructionSet: "relaxed-simd" }),
  await registered(`cpu, ${widest}, 1 thread`, { backend: "cpu", threads: 1, instructionSet: widest }),
  await registered(`cpu, ${widest}, 2 threads`, { backend: "cpu", threads: 2, instructionSet: widest }),
  ...(await Promise.all(
    narrower.map((instructionSet) =>
      registered(`cpu, ${instructionSet}, 1 thread`, { backend: "cpu", threads: 1, instructionSet }),
    ),
  )),
  // What the suites allow is what sums of products of 32-bit floats may differ by.
  await registered("cuda", { backend: "cuda", precision: "fp32" }),
  ...(cudaDevices().length > 1
    ? [await registered("cuda ×2", { backend: "cuda", devices: [0, 1], precision: "fp32" })]
    : []),
  // By RDI_EMULATED_DEVICES=2, with RDI_NCCL=build/Release/librdi_emulated_nccl.so.
  ...(Number(process.env.RDI_EMULATED_DEVICES) > 1
    ? [
        await probe("cuda ×2 (emulated)", async ({ precision = "fp32" } = {}) =>
          Promise.resolve(openCuda({ devices: [0, 1], precision }, emulatedCuda())),
        ),
      ]
    : []),
  await probe("cuda (emulated)", async ({ precision = "fp32" } = {}) =>
    Promise.resolve(openCuda({ devices: [0], precision }, emulatedCuda())),
  ),
];

export const referenceBackend: BackendUnderTest = {
  title: "reference",
  open: () => Promise.resolve(new ReferenceBackend("float64")),
};

export const allBackends: readonly BackendUnderTest[] = [referenceBackend, ...fastBackends];

/** A title for `describe.skipIf`, with the reason where the backend cannot run. */
export function titleOf(backend: BackendUnderTest): string {
  return backend.unavailable === undefined ? backend.title : `${backend.title} (unavailable: ${backend.unavailable})`;
}
