import { createRequire } from "node:module";
import { thisFile } from "../../util/this-file.js";

/** The platforms that have a package with a prebuilt addon: a folder each in npm/. */
export const ADDON_PLATFORMS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64",
  "linux-arm64-musl",
  "linux-x64",
  "linux-x64-musl",
  "win32-x64",
];

/** The package that carries the addon of a platform. */
export function addonPackage(platform: string): string {
  return `@rdi-net/${platform}`;
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
