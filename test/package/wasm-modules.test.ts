import { readFile } from "node:fs/promises";

import { describe, expect, it } from "vitest";

import { withMemoryShared } from "../../src/backends/native/memory-import.mjs";

const read = async (name: string): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await readFile(new URL(`../../dist/wasm/${name}.wasm`, import.meta.url)));

describe.each(["rdi-simd", "rdi-relaxed-simd"])("the WebAssembly module %s", async (name) => {
  const bytes = await read(name);

  it("imports nothing but a memory of its own", async () => {
    const module = await WebAssembly.compile(bytes);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
    expect(new WebAssembly.Instance(module, { env: { memory } }).exports).toHaveProperty("rdi_engine_create");
  });

  it("takes one that its workers share when it is marked so", async () => {
    const module = await WebAssembly.compile(withMemoryShared(bytes, true));
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
    const { __stack_pointer: stackPointer } = new WebAssembly.Instance(module, { env: { memory } }).exports;
    expect(stackPointer).toBeInstanceOf(WebAssembly.Global);
  });
});

it("the WebAssembly modules export the same", async () => {
  const exportsOf = async (name: string): Promise<WebAssembly.ModuleExportDescriptor[]> =>
    WebAssembly.Module.exports(await WebAssembly.compile(await read(name)));
  expect(await exportsOf("rdi-relaxed-simd")).toEqual(await exportsOf("rdi-simd"));
});
