import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { thisFile } from "./this-file.js";

const ROOT = new URL("../../", thisFile(import.meta.url));

/** The commit of a checkout of this package, `-dirty` if files have changed since; undefined where it is installed, or there is no git. */
export function packageCommit(): string | undefined {
  if (!existsSync(new URL(".git", ROOT))) return undefined;
  const describe = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
  try {
    return execFileSync("git", describe, { cwd: fileURLToPath(ROOT), encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return undefined; // The figures then stand with the version alone.
  }
}
