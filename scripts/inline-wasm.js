// @ts-check
// Writes dist/inline.js and dist/inline.d.ts: the engine's WebAssembly module, of plain SIMD, inside a JavaScript module.
import { readFileSync, writeFileSync } from "node:fs";
import { URL } from "node:url";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const gzipped = gzipSync(readFileSync(new URL("wasm/rdi-simd.wasm", dist)), { level: 9 }).toString("base64");

writeFileSync(
  new URL("inline.js", dist),
  `const GZIPPED = "${gzipped}";
export async function wasmModule() {
  const bytes = Uint8Array.from(atob(GZIPPED), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return WebAssembly.compile(await new Response(stream).arrayBuffer());
}
`,
);
writeFileSync(
  new URL("inline.d.ts", dist),
  `/**
 * The engine's WebAssembly module, of plain SIMD, for \`createBackend({ module: await wasmModule() })\`: where a program must be one file. It has one thread.
 *
 * @throws WebAssembly.CompileError where there is no SIMD
 */
export declare function wasmModule(): Promise<WebAssembly.Module>;
`,
);
