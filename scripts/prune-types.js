// @ts-check
// Takes away the declarations in dist/ that no entry of the package leads to: nobody can import those modules.
import { readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, URL } from "node:url";
import ts from "typescript";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const entries = ["index.d.ts", "browser.d.ts", "inline.d.ts", "tfjs.d.ts"].map((name) => join(dist, name));
const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
});
const reached = new Set(program.getSourceFiles().map(({ fileName }) => relative(dist, fileName)));
for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" }))
  if (/\.d\.m?ts$/.test(file) && !reached.has(file)) rmSync(join(dist, file));
