import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { BackendError } from "../../util/errors.js";
import { platformName } from "../../util/platform-name.js";
import { thisFile } from "../../util/this-file.js";
import { ABI_VERSION, type Addon } from "./addon-engine.js";
import { notLoaded, type AddonAttempt } from "./addon-error.js";
import { ADDONS, addonPackage, installedFile, isInstalled, type AddonName } from "./addon-package.js";
import { expectWholeElf } from "./expect-whole-elf.js";

export interface FoundAddon {
  readonly addon?: Addon;
  /** In the order in which they were made; a success is the last. */
  readonly attempts: readonly AddonAttempt[];
}

/** @throws AddonError, with every reason, if there is none that fits */
export function loadAddon(name: AddonName = "cpu"): Addon {
  const { addon, attempts } = findAddon(name);
  if (addon === undefined) throw notLoaded(name, attempts);
  return addon;
}

/** By addon, and by the file that stands in for it. */
const found = new Map<string, FoundAddon>();

/**
 * Looks for an addon: a build in this package's folder, then the platform's package; or the one file that the environment names, and no other. What it finds
 * stands for the life of the process.
 */
export function findAddon(name: AddonName = "cpu"): FoundAddon {
  const { override } = ADDONS[name];
  const place = override === undefined ? undefined : process.env[override];
  const key = `${name} ${place ?? ""}`;
  const known = found.get(key);
  if (known !== undefined) return known;
  const result = place === undefined ? search(name) : loadFile("RDI_CUDA_ADDON", resolve(place));
  found.set(key, result);
  return result;
}

function search(name: AddonName): FoundAddon {
  const local = loadFile("local build", fileURLToPath(new URL(ADDONS[name].file, LOCAL_BUILDS)));
  if (local.addon !== undefined) return local;
  const { addon, attempts } = loadPackage(name);
  return { ...(addon && { addon }), attempts: [...local.attempts, ...attempts] };
}

/** Where node-gyp and CMake leave builds in this package's folder, three levels up from this file in src/ as in dist/. */
const LOCAL_BUILDS = new URL("../../../build/Release/", thisFile(import.meta.url));

const require = createRequire(thisFile(import.meta.url));

function loadPackage(name: AddonName): FoundAddon {
  const platform = platformName();
  const { file, platforms } = ADDONS[name];
  const place = addonPackage(name, platform);
  const path = installedFile(place, file);
  if (path !== undefined) return loadFile("platform package", path, digestOf(place));
  const reason = !platforms.includes(platform)
    ? `there is none for this platform, only for ${platforms.join(", ")}`
    : isInstalled(place)
      ? `installed, but without its ${file}`
      : "not installed";
  return { attempts: [{ source: "platform package", place, result: "missing", reason }] };
}

/** The SHA-256 that a release writes into the package beside its addon; none in a package that was filled by hand. */
function digestOf(name: string): string | undefined {
  const { addon } = require(`${name}/package.json`) as { addon?: { sha256?: string } };
  return addon?.sha256;
}

/** @throws BackendError if the file is not the one that was packed: damaged machine code could do anything */
function expectDigest(path: string, expected: string): void {
  const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (digest !== expected)
    throw new BackendError(
      `Expected a file of SHA-256 ${expected} but received one of ${digest}: it is damaged, or of another version`,
    );
}

/** Loads the addon in a file, unless that is damaged, something else, or of another version's interface. */
export function loadFile(source: AddonAttempt["source"], place: string, sha256?: string): FoundAddon {
  const refused = (result: AddonAttempt["result"], reason: string): FoundAddon => ({
    attempts: [{ source, place, result, reason }],
  });
  if (!existsSync(place)) return refused("missing", "not there");
  let addon: unknown;
  try {
    expectWholeElf(place);
    if (sha256 !== undefined) expectDigest(place, sha256);
    addon = require(place);
  } catch (error) {
    return refused("not loadable", `cannot be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isAddon(addon)) return refused("not an addon of rdi-net", "loaded, but is not an addon of rdi-net");
  if (addon.abiVersion !== ABI_VERSION) {
    return refused(
      "another interface version",
      `has interface version ${addon.abiVersion}, where this package needs ${ABI_VERSION}`,
    );
  }
  return { addon, attempts: [{ source, place, result: "loaded" }] };
}

/** Looks at it only as far as shows whose it is: the rest is what its interface version promises. */
function isAddon(value: unknown): value is Addon {
  return typeof value === "object" && value !== null && "abiVersion" in value && typeof value.abiVersion === "number";
}
