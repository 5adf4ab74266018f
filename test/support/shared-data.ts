import { existsSync } from "node:fs";
import { join } from "node:path";

/** The folder of data and oracles that do not come with the repository. */
const folder = process.env.RDI_SHARED ?? "../shared";

/** The path of a file or folder of it; undefined where it is not there, so that tests can skip. */
export function sharedPath(...parts: string[]): string | undefined {
  const path = join(folder, ...parts);
  return existsSync(path) ? path : undefined;
}
