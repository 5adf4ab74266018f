import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { BackendError } from "../../util/errors.js";
import { thisFile } from "../../util/this-file.js";
import { installedFile } from "./addon-package.js";

/** The files of the engine as WebAssembly, as they lie in this package: three levels up from this file, in src/ as in dist/. */
const IN_PACKAGE = {
  "rdi-simd.wasm": new URL("../../../dist/wasm/rdi-simd.wasm", thisFile(import.meta.url)),
  "rdi-relaxed-simd.wasm": new URL("../../../dist/wasm/rdi-relaxed-simd.wasm", thisFile(import.meta.url)),
  "wasm-worker.mjs": new URL("./wasm-worker.mjs", thisFile(import.meta.url)),
};
export type WasmFile = keyof typeof IN_PACKAGE;

/**
 * The path of a file of the engine: in this package; or, where this code was bundled into another file, beside that or in a package that is
 * installed where the bundle runs.
 *
 * @throws BackendError, with the places, if it is in none of them
 */
export function wasmFile(name: WasmFile): string {
  const here = [IN_PACKAGE[name], new URL(name, thisFile(import.meta.url))].map((url) => fileURLToPath(url));
  const path = here.find((place) => existsSync(place)) ?? installedFile("rdi-net", `wasm/${name}`);
  if (path !== undefined) return path;
  throw new BackendError(
    `Expected ${name} at ${here.join(", or beside a bundle at ")}, or as rdi-net/wasm/${name} in an installed package, but found it at none of them ` +
      "(in a checkout npm run build:wasm makes it)",
  );
}
