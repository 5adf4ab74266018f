import { readFile } from "node:fs/promises";

import { describe, expect, it } from "vitest";

const compile = async (name: string): Promise<WebAssembly.Module> =>
  WebAssembly.compile(await readFile(new URL(`../../dist/wasm/${name}.wasm`, import.meta.url)));

describe("the WebAssembly modules need no glue", () => {
  it("rdi-simd imports nothing and exports its memory", async () => {
    const module = await compile("rdi-simd");
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    const { memory } = new WebAssembly.Instance(module).exports;
    expect(memory).toBeInstanceOf(WebAssembly.Memory);
  });

  it("rdi-simd-threads imports only the memory that its workers share", async () => {
    const module = await compile("rdi-simd-threads");
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
    const { __stack_pointer: stackPointer } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    expect(stackPointer).toBeInstanceOf(WebAssembly.Global);
  });

  it("both export the same functions", async () => {
    const functions = async (name: string): Promise<string[]> =>
      WebAssembly.Module.exports(await compile(name))
        .filter((entry) => entry.kind === "function")
        .map((entry) => entry.name);
    const exported = await functions("rdi-simd");
    expect(exported).toContain("rdi_engine_create");
    expect(await functions("rdi-simd-threads")).toEqual(exported);
  });
});
