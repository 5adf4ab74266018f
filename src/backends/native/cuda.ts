import type { Precision } from "../../graph/passes/restrict-methods.js";
import type { Backend } from "../backend.js";
import { ReplicatedBackend } from "./replicated-backend.js";
import type { NativeAbi } from "./abi.js";
import { groupEngines, openAddonEngine, type Addon, type MatrixPrecision, type Device } from "./addon-engine.js";
import { AddonError } from "./addon-error.js";
import { findAddon, loadAddon } from "./load-addon.js";
import { NativeBackend } from "./native-backend.js";

export interface CudaOptions {
  /** The numbers of the GPUs that share the work: one at least, none twice. */
  readonly devices: readonly number[];
  readonly precision: Precision;
}

/** The oldest driver that runs what CUDA 13 has compiled. */
const OLDEST_DRIVER = 580;

/**
 * Starts the engine of a GPU, or those of several.
 *
 * @param addon Another than the one that is found: tests give theirs.
 * @throws AddonError, with what can be done, if the addon cannot be loaded or has no such GPU
 */
export function openCuda({ devices, precision }: CudaOptions, addon: Addon = loadAddon("cuda")): Backend {
  for (const number of devices) expectDevice(addon, number);
  const engines: NativeAbi[] = [];
  try {
    // A GPU shares the work out by itself: its engine has one queue.
    for (const device of devices) {
      const options = { name: "cuda", threads: 1, device, precision: MATRIX_PRECISIONS[precision] } as const;
      engines.push(openAddonEngine(addon, options));
    }
    if (engines.length > 1) groupEngines(addon, engines, process.env.RDI_NCCL);
  } catch (error) {
    for (const engine of engines) engine.dispose();
    throw error;
  }
  const backends = engines.map((engine) => new NativeBackend(engine, precision));
  if (backends.length === 1) return backends[0]!;
  return new ReplicatedBackend(backends.map((backend, i) => ({ number: devices[i]!, backend })));
}

/** What sums gradients over several GPUs: NCCL's version, or why it cannot be loaded. */
export function describeNccl(): { readonly found: string } | { readonly missing: string } | undefined {
  const { addon } = findAddon("cuda");
  if (addon === undefined) return undefined;
  try {
    return { found: addon.groupLibrary(process.env.RDI_NCCL) };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/** The GPUs that the addon finds; none if it cannot be loaded. */
export function cudaDevices(): readonly Device[] {
  return findAddon("cuda").addon?.devices ?? [];
}

const MATRIX_PRECISIONS: Readonly<Record<Precision, MatrixPrecision>> = {
  // As PyTorch's convolutions are by default.
  fast: "tf32",
  strict: "fp32",
  fp32: "fp32",
  tf32: "tf32",
  fp16: "fp16",
  bf16: "bf16",
};

function expectDevice({ devices, noDevices, instructionSets }: Addon, number: number): void {
  if (devices.length === 0) {
    const hidden = process.env.CUDA_VISIBLE_DEVICES;
    throw new AddonError(
      "Expected a GPU for the CUDA addon but it finds none",
      [noDevices ?? "there is no device"],
      [
        `install an NVIDIA driver, version ${OLDEST_DRIVER} or newer; nvidia-smi shows which one there is`,
        ...(hidden === undefined
          ? []
          : [`let CUDA_VISIBLE_DEVICES, now ${JSON.stringify(hidden)}, name a GPU, or unset it`]),
        "in a container, hand the GPU in: docker run --gpus all, with NVIDIA's Container Toolkit",
        `have a GPU that the addon was compiled for: ${instructionSets.map(({ name }) => name).join(", ")} or newer`,
      ],
    );
  }
  if (number >= devices.length) {
    const names = devices.map(({ name }, i) => `${i} (${name})`);
    throw new AddonError(
      `Expected one of the ${devices.length} devices of the CUDA addon but received ${number}`,
      names.map((name) => `device ${name}`),
      [`ask for one that is there, by --device, RDI_DEVICE or the option device: ${names.join(", ")}`],
    );
  }
}
