import path from "node:path";

import { Linter } from "eslint";
import tseslint from "typescript-eslint";
import { describe, expect, it } from "vitest";

import { importDirection } from "../../scripts/eslint-import-direction.js";

const linter = new Linter({ cwd: process.cwd() });

/** What the rule says of `code` in the file `name` (relative to the repository). */
function lint(name: string, code: string): string[] {
  const config: Linter.Config = {
    files: ["**/*.ts"],
    languageOptions: { parser: tseslint.parser },
    plugins: { rdi: { rules: { "import-direction": importDirection } } },
    rules: { "rdi/import-direction": "error" },
  };
  return linter.verify(code, [config], path.resolve(name)).map((problem) => problem.message);
}

describe("the import-direction rule", () => {
  it.each([
    ["src/ops/conv2d.ts", 'import { ShapeError } from "../util/errors.js";'],
    ["src/ops/conv2d.ts", 'import type { Value } from "../graph/types.js";'],
    ["src/graph/passes/fold.ts", 'import type { Value } from "../types.js";'],
    ["src/attacks/pgd.ts", 'import { mnist } from "../data/mnist.js";'],
    ["src/cli/attacks/main.ts", 'import { pgd } from "../../attacks/pgd.js";'],
    ["src/backends/registry.ts", 'import { WasmBackend } from "./native/wasm.js";'],
    ["src/backends/web-registry.ts", 'import { WasmBackend } from "./native/wasm.js";'],
    [
      "src/backends/native/wasm.ts",
      'import { encode } from "./encode.js"; import type { Backend } from "../backend.js";',
    ],
    ["src/index.ts", 'export { run } from "./cli/run.js"; export * from "./backends/native/wasm.js";'],
    ["src/nn/layer.ts", 'import { setTimeout } from "node:timers/promises"; import data from "data";'],
    ["test/any.test.ts", 'import { ReferenceBackend } from "../src/backends/reference/reference-backend.js";'],
  ])("lets %s have %s", (name, code) => {
    expect(lint(name, code)).toEqual([]);
  });

  it.each([
    ["src/util/errors.ts", 'import { conv2d } from "../ops/conv2d.js";', "src/util may not import src/ops"],
    [
      "src/graph/passes/fold.ts",
      'import type { Backend } from "../../backends/backend.js";',
      "src/graph may not import src/backends",
    ],
    [
      "src/attacks/pgd.ts",
      'export { train } from "../training/trainer.js";',
      "src/attacks may not import src/training",
    ],
    ["src/nn/layer.ts", 'export * from "../models/registry.js";', "src/nn may not import src/models"],
    ["src/tensor/tensor.ts", 'const nn = await import("../nn/layer.js");', "src/tensor may not import src/nn"],
    ["src/ops/op.ts", 'type T = import("../tensor/tensor.js").Tensor;', "src/ops may not import src/tensor"],
    ["src/cli/main.ts", 'import { load } from "../index.js";', "src/cli may not import src/index.js"],
    ["src/cli/main.ts", 'import { WasmBackend } from "../backends/native/wasm.js";', "Only src/backends/registry.ts"],
    [
      "src/backends/tfjs/tfjs.ts",
      'import { evaluate } from "../reference/evaluate.js";',
      "Only src/backends/registry.ts",
    ],
    ["src/extras/more.ts", 'import { seed } from "../util/random.js";', "src/extras has no place"],
    ["src/cli/main.ts", 'import { more } from "../extras/more.js";', "src/extras has no place"],
  ])("refuses %s %s", (name, code, message) => {
    const messages = lint(name, code);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain(message);
  });
});
