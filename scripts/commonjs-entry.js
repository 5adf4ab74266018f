// @ts-check
// Writes dist/index.cjs and dist/index.d.cts, the package for CommonJS, from the declarations in dist/index.d.ts.
import { writeFileSync } from "node:fs";
import { fileURLToPath, URL } from "node:url";
import ts from "typescript";

const dist = new URL("../dist/", import.meta.url);

// Node.js can require an ES module whose graph has no top-level await, since 20.19 and 22.12, so both kinds of module share one instance.
writeFileSync(
  new URL("index.cjs", dist),
  `"use strict";
try {
  module.exports = require("./index.js");
} catch (error) {
  if (error.code !== "ERR_REQUIRE_ESM") throw error;
  throw new Error(
    \`Expected a Node.js that can require ES modules (20.19, 22.12 or newer) for require("rdi-net") but this is \${process.version}; await import("rdi-net") works in both\`,
    { cause: error },
  );
}
`,
);

const entry = fileURLToPath(new URL("index.d.ts", dist));
const program = ts.createProgram([entry], {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
});
const checker = program.getTypeChecker();
const source = program.getSourceFile(entry);
const entrySymbol = source && checker.getSymbolAtLocation(source);
if (entrySymbol === undefined) throw new Error(`Expected a module at ${entry}; scripts/build-ts makes it`);

/** @param {ts.Symbol} symbol */
const resolved = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);

/** @param {ts.Symbol} type @returns {string} its type parameters, as in `<T, U>`; empty if it has none */
function typeParameters(type) {
  const declaration = type.declarations?.find(
    (one) => ts.isClassLike(one) || ts.isInterfaceDeclaration(one) || ts.isTypeAliasDeclaration(one),
  );
  const parameters = declaration?.typeParameters ?? [];
  if (parameters.some(({ constraint }) => constraint !== undefined)) {
    throw new Error(`Expected no constraint on the type parameters of ${type.name}: this script does not copy them`);
  }
  return parameters.length === 0 ? "" : `<${parameters.map(({ name }) => name.text).join(", ")}>`;
}

/**
 * Declares again what a module exports, as aliases: a CommonJS file may import the types of an ES module, but with `module: node16` none
 * of its values.
 *
 * @param {ts.Symbol} module @param {string} path that leads to the module's members @param {string} [declare]
 * @returns {string[]}
 */
function aliases(module, path, declare = "") {
  return checker.getExportsOfModule(module).flatMap((exported) => {
    const { name } = exported;
    const target = resolved(exported);
    if (target.flags & ts.SymbolFlags.ValueModule) {
      return [`export ${declare}namespace ${name} {`, ...aliases(target, `${path}.${name}`), "}"];
    }
    const lines = [];
    if (target.flags & ts.SymbolFlags.Value) lines.push(`export ${declare}const ${name}: typeof ${path}.${name};`);
    if (target.flags & ts.SymbolFlags.Type) {
      const parameters = typeParameters(target);
      lines.push(`export type ${name}${parameters} = ${path}.${name}${parameters};`);
    }
    return lines;
  });
}

writeFileSync(
  new URL("index.d.cts", dist),
  [
    'import type * as esm from "./index.js" with { "resolution-mode": "import" };',
    ...aliases(entrySymbol, "esm", "declare "),
    "",
  ].join("\n"),
);
