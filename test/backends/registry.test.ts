import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";

import { findAddon } from "../../src/backends/native/load-addon.js";
import { createBackend, describeBackends } from "../../src/backends/registry.js";
import { ArgumentError, BackendError } from "../../src/util/errors.js";
import { writeFakeAddon } from "../support/fake-addon.js";

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
    expect(wasm.instructionSet).toBe("relaxed-simd");
  });

  it.each(["relaxed-simd", "simd128"])("takes WebAssembly where its instruction set %s is asked for", async (name) => {
    vi.stubEnv("RDI_ISA", name);
    using backend = await createBackend({ threads: 1 });
    expect([backend.name, backend.instructionSet]).toEqual(["wasm", name]);
    await expect(createBackend({ backend: "cpu", instructionSet: name })).rejects.toThrow(
      `Expected backend wasm for instruction set ${name} but received "cpu"`,
    );
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

describe("the backend for GPUs", () => {
  afterEach(() => vi.unstubAllEnvs());

  const folder = mkdtempSync(join(tmpdir(), "rdi-registry-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Lets as many GPUs be there; -1: not even the addon. */
  function pretend(gpus: number): void {
    const file = join(folder, `${gpus}.cjs`);
    const devices = Array.from({ length: Math.max(0, gpus) }, (_, i) => ({ name: `GPU ${i}`, bytes: 2 ** 33 }));
    if (gpus >= 0) writeFakeAddon(file, { devices, ...(gpus === 0 && { noDevices: "no driver" }) });
    vi.stubEnv("RDI_CUDA_ADDON", file);
  }

  it("comes first where there is a GPU", async () => {
    pretend(1);
    using backend = await createBackend();
    expect(backend).toMatchObject({ name: "cuda", device: "GPU 0" });
  });

  it.each([
    ["no GPU", 0],
    ["no addon", -1],
  ])("is passed over in silence where there is %s", async (_, gpus) => {
    pretend(gpus);
    using backend = await createBackend({ threads: 1 });
    expect(["cpu", "wasm"]).toContain(backend.name);
  });

  it("is what a device or its own precision asks for, and nothing stands in for it", async () => {
    pretend(2);
    using second = await createBackend({ device: 1 });
    expect(second.device).toBe("GPU 1");
    vi.stubEnv("RDI_DEVICE", "1");
    using byEnvironment = await createBackend();
    using first = await createBackend({ device: 0 });
    expect([byEnvironment.device, first.device]).toEqual(["GPU 1", "GPU 0"]);
    vi.stubEnv("RDI_DEVICE", undefined);
    pretend(0);
    for (const options of [{ device: 0 }, { precision: "fp16" }, { backend: "cuda" }] as const)
      await expect(createBackend(options)).rejects.toThrow("No backend could be started. cuda: Expected a GPU");
  });

  it("is refused a device that it has not", async () => {
    pretend(2);
    await expect(createBackend({ device: 2 })).rejects.toThrow(/Expected one of the 2 devices .* but received 2/);
    await expect(createBackend({ device: -1 })).rejects.toThrow(ArgumentError);
    vi.stubEnv("RDI_DEVICE", "first");
    await expect(createBackend()).rejects.toThrow('Expected an integer of 0 or more for device but received "first"');
  });

  it("is several GPUs by a list of devices", async () => {
    pretend(3);
    using two = await createBackend({ devices: [2, 0] });
    expect(two).toMatchObject({ name: "cuda", threads: 2, device: "2: GPU 2; 0: GPU 0" });
    using one = await createBackend({ devices: [1] });
    expect(one.device).toBe("GPU 1");
    vi.stubEnv("RDI_DEVICE", "0, 1");
    using byEnvironment = await createBackend();
    expect(byEnvironment.device).toBe("0: GPU 0; 1: GPU 1");
    await expect(createBackend({ devices: [0, 3] })).rejects.toThrow(/Expected one of the 3 devices .* but received 3/);
    for (const [devices, message] of [
      [[], "Expected at least one for devices but received []"],
      [[1, 1], "Expected different ones for devices but received [1, 1]"],
      [[0, -1], "Expected an integer of 0 or more for device but received -1"],
    ] as const) {
      await expect(createBackend({ devices })).rejects.toThrow(ArgumentError);
      await expect(createBackend({ devices })).rejects.toThrow(message);
    }
    await expect(createBackend({ device: 0, devices: [0, 1] })).rejects.toThrow(
      "Expected nothing beside devices for device but received 0",
    );
  });

  it.each(["cpu", "wasm", "reference"] as const)(
    "alone has devices and the smaller precisions, not %s",
    async (backend) => {
      for (const precision of ["tf32", "fp16", "bf16"] as const) {
        const refused = createBackend({ backend, precision });
        await expect(refused).rejects.toThrow(ArgumentError);
        await expect(refused).rejects.toThrow(
          `Expected backend cuda for precision ${precision} but received "${backend}"`,
        );
      }
      await expect(createBackend({ backend, device: 0 })).rejects.toThrow(
        `Expected backend cuda for device 0 but received "${backend}"`,
      );
      await expect(createBackend({ backend, devices: [0, 1] })).rejects.toThrow(
        `Expected backend cuda for devices 0,1 but received "${backend}"`,
      );
    },
  );

  it("is described with its GPUs", async () => {
    pretend(1);
    const [there] = await describeBackends({ threads: 1 });
    expect(there).toMatchObject({
      name: "cuda",
      available: true,
      devices: [{ name: "GPU 0", bytes: 2 ** 33 }],
      attempts: [{ source: "RDI_CUDA_ADDON", result: "loaded" }],
    });
    pretend(0);
    const [missing] = await describeBackends({ threads: 1 });
    expect(missing).toMatchObject({ available: false, devices: [], reason: "no driver" });
    expect(missing!.solutions![0]).toContain("install an NVIDIA driver");
  });
});

describe("precision", () => {
  it.each(["strict", "fp32"] as const)("%s is there on every backend", async (precision) => {
    using backend = await createBackend({ backend: "wasm", threads: 1, precision });
    expect(backend.name).toBe("wasm");
  });

  it("is one of a few", async () => {
    await expect(createBackend({ precision: "fp8" as "fp16" })).rejects.toThrow(
      'Expected one of fast, strict, fp32, tf32, fp16, bf16 for precision but received "fp8"',
    );
  });
});
