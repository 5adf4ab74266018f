import { createRequire } from "node:module";
import { thisFile } from "../../util/this-file.js";

/** The addons: that of the processor, and that of NVIDIA's GPUs. */
export type AddonName = "cpu" | "cuda";

/** Where an addon is found. */
interface AddonPlaces {
  /** Its file, in the folder of a build as in a package. */
  readonly file: string;
  /** The platforms that have a package with it, prebuilt: a folder each in npm/. */
  readonly platforms: readonly string[];
  /** What the names of its packages end with. */
  readonly suffix: string;
  /** Variable of the environment that names the one file to load instead, to test another build. */
  readonly override?: string;
  /** The script that builds it in a checkout. */
  readonly script: string;
}

export const ADDONS: Readonly<Record<AddonName, AddonPlaces>> = {
  cpu: {
    file: "rdi_net.node",
    platforms: [
      "darwin-arm64",
      "darwin-x64",
      "linux-arm64",
      "linux-arm64-musl",
      "linux-x64",
      "linux-x64-musl",
      "win32-x64",
    ],
    suffix: "",
    script: "scripts/build-addon",
  },
  cuda: {
    file: "rdi_net_cuda.node",
    platforms: ["linux-x64"],
    suffix: "-cuda",
    override: "RDI_CUDA_ADDON",
    script: "scripts/build-cuda",
  },
};

/** The package that carries an addon for a platform. */
export function addonPackage(name: AddonName, platform: string): string {
  return `@rdi-net/${platform}${ADDONS[name].suffix}`;
}

const require = createRequire(thisFile(import.meta.url));

/** The path of a file in a package that is installed where this one finds it; undefined if it is not. */
export function installedFile(name: string, file: string): string | undefined {
  try {
    return require.resolve(`${name}/${file}`);
  } catch {
    return undefined;
  }
}

export function isInstalled(name: string): boolean {
  return installedFile(name, "package.json") !== undefined;
}
