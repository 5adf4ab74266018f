import { existsSync } from "node:fs";

import { BackendError } from "../../util/errors.js";
import { packageVersion } from "../../util/package-version.js";
import { platformName } from "../../util/platform-name.js";
import { thisFile } from "../../util/this-file.js";
import { ADDON_PLATFORMS, addonPackage, isInstalled } from "./addon-package.js";

/** What became of an addon that was looked for. */
export interface AddonAttempt {
  /** A build in this package's folder, or the package of this platform. */
  readonly source: "local build" | "platform package";
  /** The file, or the name of the package where there is none. */
  readonly place: string;
  readonly result: "loaded" | "missing" | "not loadable" | "not an addon of rdi-net" | "another interface version";
  /** Why it was not loaded. */
  readonly reason?: string;
}

/** No addon could be loaded. The message holds every attempt, and what can be done. */
export class AddonError extends BackendError {
  override name = "AddonError";
  /** What a user can do about it, the likeliest first. */
  readonly solutions: readonly string[];
  /** The reasons of all attempts in one line. */
  readonly reason: string;

  constructor(readonly attempts: readonly AddonAttempt[]) {
    const reasons = attempts.map(({ source, place, reason }) => `${source} ${place}: ${reason ?? "loaded"}`);
    const solutions = [...new Set([...attempts.flatMap(solutionsFor), buildFromSource()])];
    super(
      [
        `Expected the native addon for ${platformName()} but none could be loaded:`,
        ...reasons.map((reason) => `- ${reason}`),
        "Possible solutions:",
        ...solutions.map((solution) => `- ${solution}`),
      ].join("\n"),
    );
    this.reason = reasons.join("; ");
    this.solutions = solutions;
  }
}

function solutionsFor({ source, result, reason = "" }: AddonAttempt): string[] {
  if (source === "local build")
    return result === "missing" ? [] : ["build again, or remove, the addon in this package's folder"];
  const platform = platformName();
  const here = `${addonPackage(platform)}@${packageVersion()}`;
  switch (result) {
    case "loaded":
      return [];
    case "missing":
      if (!ADDON_PLATFORMS.includes(platform)) return [];
      return [
        ...installedForAnother(platform),
        `install the package of this platform: npm install ${here}`,
        "let npm install optional dependencies: npm install --include=optional",
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
function installedForAnother(platform: string): string[] {
  const others = ADDON_PLATFORMS.filter((other) => other !== platform && isInstalled(addonPackage(other)));
  if (others.length === 0) return [];
  const [os, cpu, libc = "glibc"] = platform.split("-");
  const flags = [`--os=${os}`, `--cpu=${cpu}`, ...(os === "linux" ? [`--libc=${libc}`] : [])].join(" ");
  return [
    `these packages were installed for ${others.join(", ")}: install them on this machine, or with npm install ${flags}`,
  ];
}

function buildFromSource(): string {
  // Only a checkout has the script.
  if (existsSync(new URL("../../../scripts/build-addon", thisFile(import.meta.url)))) {
    return "build it from source: npm run build:addon";
  }
  return "build it from source, with a C++ compiler and Python: npm install node-addon-api && npm explore rdi-net -- node-gyp rebuild";
}
