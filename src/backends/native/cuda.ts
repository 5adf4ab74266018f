import type { Precision } from "../../graph/passes/restrict-methods.js";
import { expectArgument } from "../../util/errors.js";
import { openAddonEngine, type Addon, type MatrixPrecision, type Device } from "./addon-engine.js";
import { AddonError } from "./addon-error.js";
import { findAddon, loadAddon } from "./load-addon.js";
import { NativeBackend } from "./native-backend.js";

export interface CudaOptions {
  /** The number of the GPU, perhaps as text. */
  readonly device: number | string;
  readonly precision: Precision;
}

/** The oldest driver that runs what CUDA 13 has compiled. */
const OLDEST_DRIVER = 580;

/**
 * Starts the engine of a GPU.
 *
 * @param addon Another than the one that is found: tests give theirs.
 * @throws ArgumentError on a device that is not a number; AddonError, with what can be done, if the addon cannot be loaded or has no such GPU
 */
export function openCuda({ device, precision }: CudaOptions, addon: Addon = loadAddon("cuda")): NativeBackend {
  expectArgument(/^\d+$/.test(String(device)), "device", "an integer of 0 or more", device);
  const number = Number(device);
  expectDevice(addon, number);
  // The GPU shares the work out by itself: the engine has one queue.
  const options = { name: "cuda", threads: 1, device: number, precision: MATRIX_PRECISIONS[precision] } as const;
  return new NativeBackend(openAddonEngine(addon, options), precision);
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
