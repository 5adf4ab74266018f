import { isStrict, type Precision } from "../../graph/passes/restrict-methods.js";
import { expectArgument } from "../../util/errors.js";
import { openAddonEngine, type Addon, type MatrixPrecision, type Device } from "./addon-engine.js";
import { AddonError } from "./addon-error.js";
import { findAddon, loadAddon } from "./load-addon.js";
import { NativeBackend } from "./native-backend.js";

export interface CudaOptions {
  /** The index of the GPU, perhaps as text. */
  readonly device: number | string;
  readonly precision: Precision;
}

/** The oldest driver that runs what CUDA 13 has compiled. */
const OLDEST_DRIVER = 580;

/**
 * Starts the engine of a GPU.
 *
 * @throws ArgumentError on a device that is not an index; AddonError, with what can be done, if the addon cannot be loaded or has no such GPU
 */
export function openCuda({ device, precision }: CudaOptions): NativeBackend {
  expectArgument(/^\d+$/.test(String(device)), "device", "an integer of 0 or more", device);
  const addon = loadAddon("cuda");
  const index = Number(device);
  expectDevice(addon, index);
  // The GPU shares the work out by itself: the engine has one queue.
  const abi = openAddonEngine(addon, { threads: 1, name: "cuda", device: index, precision: matrixPrecision(precision) });
  return new NativeBackend(abi, precision);
}

/** The GPUs that the addon finds; none if it cannot be loaded. */
export function cudaDevices(): readonly Device[] {
  return findAddon("cuda").addon?.devices ?? [];
}

/** What "fast" means is PyTorch's default for convolutions. */
function matrixPrecision(precision: Precision): MatrixPrecision {
  if (isStrict(precision)) return "fp32";
  return precision === "fast" ? "tf32" : precision;
}

function expectDevice({ devices, noDevices, instructionSets }: Addon, index: number): void {
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
  if (index >= devices.length) {
    const names = devices.map(({ name }, i) => `${i} (${name})`);
    throw new AddonError(
      `Expected one of the ${devices.length} devices of the CUDA addon but received ${index}`,
      names.map((name) => `device ${name}`),
      [`ask for one that is there, by --device, RDI_DEVICE or the option device: ${names.join(", ")}`],
    );
  }
}
