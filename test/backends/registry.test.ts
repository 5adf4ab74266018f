import { afterEach, describe, expect, it, vi } from "vitest";

import { findAddon } from "../../src/backends/native/load-addon.js";
import { createBackend } from "../../src/backends/registry.js";
import { ArgumentError, BackendError } from "../../src/util/errors.js";

describe("createBackend", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("gives what is asked for by name, by the options before the environment", async () => {
    vi.stubEnv("RDI_BACKEND", "reference");
    using reference = await createBackend();
    using wasm = await createBackend({ backend: "wasm", threads: 1 });
    expect([reference.name, wasm.name]).toEqual(["reference", "wasm"]);
  });

  it("refuses a name that is none", async () => {
    vi.stubEnv("RDI_BACKEND", "tpu");
    await expect(createBackend()).rejects.toThrow(ArgumentError);
    await expect(createBackend()).rejects.toThrow('but received "tpu"');
  });

  it("does not fall back when an instruction set is asked for that cannot be had", async () => {
    vi.stubEnv("RDI_ISA", "altivec");
    await expect(createBackend()).rejects.toThrow(BackendError);
    await expect(createBackend({ backend: "cpu" })).rejects.toThrow(/cpu/);
    using wasm = await createBackend({ backend: "wasm", threads: 1 });
    expect(wasm.instructionSet).toBe("simd128");
  });

  it.skipIf(findAddon().addon === undefined)("forces an instruction set that this machine has", async () => {
    for (const { name, supported } of findAddon().addon!.instructionSets) {
      if (!supported) continue;
      vi.stubEnv("RDI_ISA", name);
      using backend = await createBackend({ threads: 1 });
      expect([backend.name, backend.instructionSet]).toEqual(["cpu", name]);
    }
  });
});
