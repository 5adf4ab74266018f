import { existsSync } from "node:fs";

import { BackendError } from "../../util/errors.js";
import { packageVersion } from "../../util/package-version.js";
import { platformName } from "../../util/platform-name.js";
import { thisFile } from "../../util/this-file.js";
import { ADDONS, addonPackage, isInstalled, type AddonName } from "./addon-package.js";

/** What became of an addon that was looked for. */
export interface AddonAttempt {
  /** A build in this package's folder, the package of this platform, or the file that a variable of the environment names. */
  readonly source: "local build" | "platform package" | "RDI_CUDA_ADDON";
  /** The file, or the name of the package where there is none. */
  readonly place: string;
  readonly result: "loaded" | "missing" | "not loadable" | "not an addon of rdi-net" | "another interface version";
  /** Why it was not loaded. */
  readonly reason?: string;
}

/** An addon that cannot be used here. The message holds every reason, and what can be done. */
export class AddonError extends BackendError {
  override name = "AddonError";
  /** All reasons in one line. */
  readonly reason: string;

  /** @param solutions What a user can do about it, the likeliest first. */
  constructor(
    expectation: string,
    reasons: readonly string[],
    readonly solutions: readonly string[],
  ) {
    const advice =
      solutions.length === 0 ? [] : ["Possible solutions:", ...solutions.map((solution) => `- ${solution}`)];
    super([`${expectation}:`, ...reasons.map((reason) => `- ${reason}`), ...advice].join("\n"));
    this.reason = reasons.join("; ");
  }
}

/** No addon could be loaded. */
export function notLoaded(name: AddonName, attempts: readonly AddonAttempt[]): AddonError {
  return new AddonError(
    `Expected the ${KINDS[name]} addon for ${platformName()} but none could be loaded`,
    attempts.map(({ source, place, reason }) => `${source} ${place}: ${reason ?? "loaded"}`),
    [...new Set([...attempts.flatMap((attempt) => solutionsFor(name, attempt)), ...buildFromSource(name)])],
  );
}

const KINDS: Readonly<Record<AddonName, string>> = { cpu: "native", cuda: "CUDA" };

function solutionsFor(name: AddonName, { source, place, result, reason = "" }: AddonAttempt): string[] {
  if (source === "RDI_CUDA_ADDON") return ["let RDI_CUDA_ADDON name a build of this version's CUDA addon, or unset it"];
  if (source === "local build")
    return result === "missing" ? [] : [`build again, or remove, the addon in this package's folder: ${place}`];
  const platform = platformName();
  const here = `${addonPackage(name, platform)}@${packageVersion()}`;
  switch (result) {
    case "loaded":
      return [];
    case "missing":
      if (!ADDONS[name].platforms.includes(platform)) return [];
      return [
        ...installedForAnother(name, platform),
        `install the package of this platform: npm install ${here}`,
        // That of CUDA is large, and of use to few: it comes when it is asked for.
        ...(name === "cpu" ? ["let npm install optional dependencies: npm install --include=optional"] : []),
      ];
    case "another interface version":
      return [`install both packages in one version: npm install rdi-net@${packageVersion()} ${here}`];
    case "not loadable":
    case "not an addon of rdi-net":
      return [
        ...(/GLIBC/.test(reason)
          ? ["this system's C library is older than the prebuilt addon needs: use a newer system"]
          : []),
        `install it again, on this machine (operating system, C library and processor) and with this Node.js: npm install --force ${here}`,
      ];
  }
}

/** A folder of packages that was installed on one machine and runs on another. */
function installedForAnother(name: AddonName, platform: string): string[] {
  const others = ADDONS[name].platforms.filter((other) => other !== platform && isInstalled(addonPackage(name, other)));
  if (others.length === 0) return [];
  const [os, cpu, libc = "glibc"] = platform.split("-");
  const flags = [`--os=${os}`, `--cpu=${cpu}`, ...(os === "linux" ? [`--libc=${libc}`] : [])].join(" ");
  return [
    `these packages were installed for ${others.join(", ")}: install them on this machine, or with npm install ${flags}`,
  ];
}

function buildFromSource(name: AddonName): string[] {
  const { script } = ADDONS[name];
  // Only a checkout has the scripts.
  const checkout = existsSync(new URL(`../../../${script}`, thisFile(import.meta.url)));
  if (name === "cuda") return checkout ? [`build it from source, with CUDA 13: ${script}`] : [];
  if (checkout) return ["build it from source: npm run build:addon"];
  return [
    "build it from source, with a C++ compiler and Python: npm install node-addon-api && npm explore rdi-net -- node-gyp rebuild",
  ];
}
