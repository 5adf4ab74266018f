import { afterEach, describe, expect, it } from "vitest";

import { average, pgd } from "../../src/attacks/index.js";
import { BufferUse, type NativeAbi } from "../../src/backends/native/abi.js";
import { openAddonEngine } from "../../src/backends/native/addon-engine.js";
import { openCuda } from "../../src/backends/native/cuda.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { BackendError } from "../../src/util/errors.js";
import { fastBackends } from "../support/backends.js";
import { emulatedCuda } from "../support/emulated-cuda.js";
import { TINY_ROW, tinyModel } from "../support/tiny.js";
import { engines, makePlan, readAll, runOnce, withBuffers, type Data, type EngineUnderTest } from "./engine-harness.js";
import { node, PlanBuilder } from "./plan-builder.js";
import { carryPlan, parameterPlan, trainingPlan } from "./plans.js";

/** What goes wrong on GPUs, and is to leave the engine as good as before. */

const cudaEngines = engines.filter(({ title }) => title.startsWith("cuda"));
const emulated = cudaEngines.filter(({ title }) => title.includes("emulated"));

function describeEach(list: readonly EngineUnderTest[], what: string, body: (engine: EngineUnderTest) => void): void {
  for (const engine of list) {
    const { title, unavailable } = engine;
    describe.skipIf(unavailable !== undefined)(
      `${what}: ${title}${unavailable === undefined ? "" : ` (${unavailable})`}`,
      () => {
        body(engine);
      },
    );
  }
}

describeEach(emulated, "a device that is not there", () => {
  it("is refused by name and by number", () => {
    const addon = emulatedCuda();
    expect(addon.devices).toHaveLength(1);
    expect(() => openCuda({ devices: [1], precision: "fp32" }, addon)).toThrow(
      /^Expected one of the 1 devices of the CUDA addon but received 1/,
    );
    expect(() => openAddonEngine(addon, { name: "cuda", threads: 1, device: 1 })).toThrow(
      "Expected a device of this machine (0: Emulated GPU, compute capability 8.0) but received 1",
    );
    expect(() => new addon.Engine(1, undefined, 1, "fp32")).toThrow("Expected 0 to 0 for device but received 1");
    expect(() => new addon.Engine(1, "sm_90", 0, "fp32")).toThrow(
      "Expected sm_80 for the instruction set of device 0 but received sm_90",
    );
  });
});

/** The emulator looks at its variables whenever they matter. */
afterEach(() => {
  delete process.env.RDI_EMULATED_MEMORY;
  delete process.env.RDI_EMULATED_FAULT;
});

const WORKING: readonly Data[] = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 1, 1), new Float32Array(2)];

async function expectWorks(abi: NativeAbi): Promise<void> {
  const results = await runOnce(abi, parameterPlan(1, 1), 1, WORKING);
  expect([...results.at(-1)!]).toEqual([12, 30]);
}

async function messageOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    expect(error).toBeInstanceOf(BackendError);
    return (error as Error).message;
  }
  throw new Error("Expected an error");
}

const OUT =
  /^Out of the device's memory: (\d+) bytes were asked for, (\d+) of (\d+) are free, and (\d+) are in use here$/;

describeEach(cudaEngines, "memory that is out", ({ open }) => {
  it("fails a buffer, and nothing else", async () => {
    using abi = await open(1);
    const kept = abi.alloc(1000);
    const [, asked, free, total, used] = OUT.exec(await messageOf(() => abi.alloc(2 ** 46)))!.map(Number);
    expect([asked, used]).toEqual([2 ** 46, 1000]);
    expect(free).toBeGreaterThan(0);
    expect(free).toBeLessThan(total!);
    expect(abi.liveBytes()).toBe(1000);
    await expectWorks(abi);
    abi.free(kept);
    expect(abi.liveBytes()).toBe(0);
  });
});

describeEach(emulated, "memory that is scarce", ({ open }) => {
  it("is given again to whom it fits, whatever its pieces were", async () => {
    process.env.RDI_EMULATED_MEMORY = String(3 << 20);
    using abi = await open(1);
    for (let round = 0; round < 3; round++) {
      const pieces = [1, 2, 3].map(() => abi.alloc(900_000));
      expect(await messageOf(() => abi.alloc(900_000))).toContain("900000 bytes were asked for");
      for (const piece of pieces) abi.free(piece);
      abi.free(abi.alloc(3_000_000));
    }
    expect(abi.liveBytes()).toBe(0);
  });

  it("fails a plan whose batch is too large for it, and one for smaller batches runs", async () => {
    process.env.RDI_EMULATED_MEMORY = String(64 << 10);
    using abi = await open(1);
    /** What is kept of all images takes 4 KB each. */
    const keeping = (maxBatch: number): PlanBuilder => {
      const plan = new PlanBuilder(1, maxBatch);
      const [x, y] = [plan.external([16, 8, 8]), plan.external([16, 8, 8])];
      const kept = plan.shared([16, 8, 8]);
      const [a, b] = [plan.arena([16, 8, 8]), plan.arena([16, 8, 8])];
      plan.phase("tiled", { loads: [node("load", [x], a)], body: [node("relu", [a], kept)] });
      plan.phase("tiled", { body: [node("relu", [kept], b)], stores: [node("store", [b], y)] });
      return plan;
    };
    const [, asked, free, total, used] = OUT.exec(await messageOf(() => makePlan(abi, keeping(1000))))!.map(Number);
    expect(asked).toBeGreaterThan(1000 * 4096);
    expect([free, total, used]).toEqual([64 << 10, 64 << 10, 0]);
    expect(abi.liveBytes()).toBe(0);
    const x = new Float32Array(2048).map((_, i) => i - 1000);
    const [, y] = await runOnce(abi, keeping(2), 2, [x, new Float32Array(2048)]);
    expect(y).toEqual(x.map((value) => Math.max(0, value)));
  });

  it("fails the run that has none left for its graph, and the next one runs", async () => {
    using abi = await open(1);
    await withBuffers(abi, WORKING, async (buffers) => {
      const plan = makePlan(abi, parameterPlan(1, 1));
      const run = async (): Promise<void> => {
        abi.planRun({ plan, batch: 1, repeat: 1, buffers, version: 1 });
        await abi.sync(plan);
      };
      await run();
      process.env.RDI_EMULATED_FAULT = "graph:1";
      expect(await messageOf(run)).toMatch(
        /^The GPU failed at \[making a graph\]: out of memory \(cudaErrorMemoryAllocation\); \d+ of \d+ bytes are free$/,
      );
      for (let i = 0; i < 3; i++) {
        for (const [k, buffer] of buffers.entries()) abi.write(buffer, WORKING[k]!);
        await run();
      }
      const [, , y] = await readAll(abi, buffers, WORKING);
      expect([...y!]).toEqual([12, 30]);
      abi.planDestroy(plan);
    });
    expect(abi.liveBytes()).toBe(0);
  });
});

describeEach(emulated, "a kernel that cannot be started", ({ open }) => {
  /** The buffers of `trainingPlan`. */
  const data = (): Data[] => [
    Float32Array.from({ length: 15 }, (_, i) => (i % 4) - 1.5),
    Float32Array.of(0.5, -0.25, 1),
    new Float32Array(3),
    new Float32Array(1),
  ];

  it("fails the run with its operation's name, wherever it is, and the next one gives the right results", async () => {
    using abi = await open(1);
    const expected = await runOnce(abi, trainingPlan(2, 8), 5, data(), 3);
    const failed = new Set<string>();
    let launches = 0;
    for (let done = false; !done; launches++) {
      done = await withBuffers(abi, data(), async (buffers) => {
        const plan = makePlan(abi, trainingPlan(2, 8));
        const run = async (): Promise<void> => {
          // The three repetitions are a first one, one that is captured, and one by the graph.
          abi.planRun({ plan, batch: 5, repeat: 3, buffers, version: 1 });
          await abi.sync(plan);
        };
        process.env.RDI_EMULATED_FAULT = `launch:${launches + 1}`;
        const error = await run().catch((caught: unknown) => caught as Error);
        if (error !== undefined) failed.add(error.message);
        delete process.env.RDI_EMULATED_FAULT;
        for (const [i, buffer] of buffers.entries()) abi.write(buffer, data()[i]!);
        await run();
        expect(await readAll(abi, buffers, data())).toEqual(expected);
        abi.planDestroy(plan);
        return error === undefined;
      });
    }
    expect(launches).toBeGreaterThan(20);
    const why = "too many resources requested for launch (cudaErrorLaunchOutOfResources)";
    expect(failed).toEqual(
      new Set(
        ["linear", "mul", "sumPerImage", "reduceBatch", "linearWeightGrad", "affine", "sub"].map(
          (op) => `The GPU failed at [${op}]: ${why}`,
        ),
      ),
    );
    expect(abi.liveBytes()).toBe(0);
  });

  it("fails who reads what the run should have filled", async () => {
    using abi = await open(1);
    await withBuffers(abi, WORKING, async (buffers) => {
      const plan = makePlan(abi, parameterPlan(1, 1));
      process.env.RDI_EMULATED_FAULT = "launch:1";
      abi.planRun({ plan, batch: 1, repeat: 1, buffers, version: 1 });
      await expect(abi.read(buffers[2]!, new Float32Array(2))).rejects.toThrow("The GPU failed at [affine]");
      abi.planDestroy(plan);
    });
  });
});

describeEach(cudaEngines, "copies", ({ open }) => {
  it("of more than a buffer holds are refused", async () => {
    using abi = await open(1);
    const buffer = abi.alloc(8);
    expect(() => abi.write(buffer, new Float32Array(3))).toThrow(
      "Expected an integer from 0 to 8 for the data's bytes",
    );
    await expect(abi.read(buffer, new Float32Array(3))).rejects.toThrow(
      "Expected an integer from 0 to 8 for the bytes to read",
    );
    abi.write(buffer, Float32Array.of(1, 2));
    const data = new Float32Array(2);
    await abi.read(buffer, data);
    expect([...data]).toEqual([1, 2]);
    abi.free(buffer);
  });

  it("of any size are exact, also of several parts and of none", async () => {
    using abi = await open(1);
    for (const words of [0, 1, 1 << 20, (1 << 20) + 1, 2_500_003]) {
      const buffer = abi.alloc(words * 4);
      abi.write(
        buffer,
        Int32Array.from({ length: words }, (_, i) => Math.imul(i, 2654435761)),
      );
      const data = new Int32Array(words);
      await abi.read(buffer, data);
      expect(data.every((value, i) => value === Math.imul(i, 2654435761))).toBe(true);
      abi.free(buffer);
    }
  });
});

describeEach(emulated, "a copy that the device refuses", ({ open }) => {
  it("fails alone", async () => {
    using abi = await open(1);
    const buffer = abi.alloc(8);
    process.env.RDI_EMULATED_FAULT = "copy:1";
    expect(() => abi.write(buffer, new Float32Array(2))).toThrow("The GPU failed at [a copy to the device]");
    delete process.env.RDI_EMULATED_FAULT;
    abi.write(buffer, Float32Array.of(3, 4));
    process.env.RDI_EMULATED_FAULT = "copy:1";
    const data = new Float32Array(2);
    await expect(abi.read(buffer, data)).rejects.toThrow("The GPU failed at [a copy from the device]");
    await abi.read(buffer, data);
    expect([...data]).toEqual([3, 4]);
    abi.free(buffer);
    await expectWorks(abi);
  });
});

describeEach(cudaEngines, "buffers that come and go", ({ open }) => {
  it("during a run leave it alone", async () => {
    using abi = await open(1);
    const x = new Float32Array(8 * 12);
    await withBuffers(abi, [x, x], async (buffers) => {
      const plan = makePlan(abi, carryPlan(1, 8));
      for (let round = 0; round < 20; round++) {
        // Another batch is captured anew.
        for (const batch of [1, 2, 3, 4, 5, 6, 7, 8]) {
          abi.planRun({ plan, batch, repeat: 3, buffers, version: 1 });
        }
        const run = { going: true };
        const done = abi.sync(plan).finally(() => (run.going = false));
        while (run.going) {
          abi.free(abi.alloc(4096));
          const other = makePlan(abi, parameterPlan(1, 1));
          abi.planDestroy(other);
          await new Promise(setImmediate);
        }
        await done;
      }
      const y = new Float32Array(x.length);
      await abi.read(buffers[1]!, y);
      expect(new Set(y)).toEqual(new Set([0.75]));
      abi.planDestroy(plan);
    });
  });
});

describeEach(cudaEngines, "labels outside the classes", ({ open }) => {
  it("are the same error as on the processor, and the next run is none", async () => {
    using abi = await open(1);
    const plan = new PlanBuilder(2, 4);
    const [logits, loss] = [plan.external([3]), plan.external([])];
    const labels = plan.external([], { dtype: "i32" });
    plan.phase("tiled", { body: [node("crossEntropy", [logits, labels], loss)] });
    await withBuffers(abi, [new Float32Array(12), new Float32Array(4), new Int32Array(4)], async (buffers) => {
      const handle = abi.planCreate(plan.words(), [BufferUse.Read, BufferUse.Fill, BufferUse.Read]);
      const run = async (label: number): Promise<void> => {
        abi.write(buffers[2]!, Int32Array.of(0, 1, label, 2));
        abi.planRun({ plan: handle, batch: 4, repeat: 1, buffers, version: 1 });
        await abi.sync(handle);
      };
      for (const label of [1, 3, 0, -1, 2]) {
        if (label >= 0 && label < 3) {
          await run(label);
        } else {
          expect(await messageOf(() => run(label))).toBe(
            `[crossEntropy] Expected labels from 0 to 2 but received ${label}`,
          );
        }
      }
      abi.planDestroy(handle);
    });
  });
});

for (const { title, open, unavailable } of fastBackends.filter(({ title }) => title.startsWith("cuda"))) {
  describe.skipIf(unavailable !== undefined)(`an attack: ${title}`, () => {
    it("of a million steps ends soon after its signal is aborted, and leaves the backend working", async () => {
      using backend = await open();
      using net = new Network(tinyModel, backend, initialParams(tinyModel, 0));
      const images = new Float32Array(8 * TINY_ROW).fill(0.5);
      const labels = new Int32Array(8);
      const attack = average(pgd({ eps: 0.3, step: 0.01, steps: 1_000_000, randomStart: false }));
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 200);
      const start = performance.now();
      await expect(attack.perturb(net, images, labels, { signal: controller.signal })).rejects.toThrow("aborted");
      expect(performance.now() - start).toBeLessThan(10_000);
      const short = average(pgd({ eps: 0.3, step: 0.3, steps: 1 }));
      expect(await short.perturb(net, images, labels)).toHaveLength(images.length);
    });
  });
}
