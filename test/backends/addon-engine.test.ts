import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { average, pgd } from "../../src/attacks/index.js";
import { BufferUse, type NativeAbi, type Pointer } from "../../src/backends/native/abi.js";
import { openAddonEngine, type Addon } from "../../src/backends/native/addon-engine.js";
import { loadAddon } from "../../src/backends/native/load-addon.js";
import { createBackend } from "../../src/backends/registry.js";
import { classify } from "../../src/inference/index.js";
import { modelByName } from "../../src/models/index.js";
import { initialParams } from "../../src/nn/exit-model.js";
import { Network } from "../../src/nn/network.js";
import { BackendError } from "../../src/util/errors.js";
import { makePlan } from "./engine-harness.js";
import { carryPlan, parameterPlan } from "./plans.js";

let addon: Addon | undefined;
let reason = "";
try {
  addon = loadAddon();
} catch (error) {
  reason = ` (${(error as Error).message})`;
}

/** A plan whose run takes long: so many repetitions of `carryPlan` that nobody waits for their end. */
const FOREVER = 2 ** 31 - 1;
const IMAGES = 64;

describe.skipIf(addon === undefined)(`the addon's engine${reason}`, () => {
  let abi: NativeAbi;
  beforeAll(() => {
    abi = openAddonEngine(addon!, { threads: 2 });
  });
  afterAll(() => abi.dispose());

  /** Starts a run without end, of x [N,3,2,2] into y. */
  function startForever(engine: NativeAbi, signal?: AbortSignal): { plan: Pointer; y: Pointer } {
    const [x, y] = [engine.alloc(IMAGES * 48), engine.alloc(IMAGES * 48)];
    engine.write(x, new Float32Array(IMAGES * 12));
    const plan = engine.planCreate(carryPlan(4, IMAGES).words(), [BufferUse.Read, BufferUse.Fill]);
    engine.planRun({ plan, batch: IMAGES, repeat: FOREVER, buffers: [x, y], version: 1, signal });
    return { plan, y };
  }

  it("names its instruction set, and refuses one that this machine lacks", () => {
    expect(addon!.instructionSets.map(({ name }) => name)).toContain(abi.instructionSet);
    expect(() => openAddonEngine(addon!, { threads: 1, instructionSet: "altivec" })).toThrow(
      /Expected an instruction set of this machine \(.+\) but received "altivec"/,
    );
  });

  it("names its devices, and refuses one that is not there and arithmetic that it lacks", () => {
    expect(addon!.devices).toEqual([{ name: "cpu", bytes: 0 }]);
    expect(addon!.noDevices).toBeUndefined();
    expect(() => openAddonEngine(addon!, { threads: 1, device: 1 })).toThrow(
      "Expected a device of this machine (0: cpu) but received 1",
    );
    expect(() => openAddonEngine({ ...addon!, devices: [], noDevices: "no driver" }, { threads: 1 })).toThrow(
      "Expected a device of this machine (no driver) but received 0",
    );
    expect(() => openAddonEngine(addon!, { threads: 1, precision: "tf32" })).toThrow(/^Expected fp32 for precision/);
  });

  it("computes while the event loop goes on, and stops when its signal is aborted", async () => {
    const controller = new AbortController();
    const { plan } = startForever(abi, controller.signal);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    const start = performance.now();
    await expect(abi.sync(plan)).rejects.toThrow("enough");
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    expect(performance.now() - start).toBeLessThan(5000);
    abi.planDestroy(plan);
  });

  it("does not begin a run whose signal was aborted before", () => {
    const signal = AbortSignal.abort(new Error("not at all"));
    expect(() => startForever(abi, signal)).toThrow("not at all");
  });

  it("fails who reads what a failed run should have filled, until it is filled anew", async () => {
    const controller = new AbortController();
    const { plan, y } = startForever(abi, controller.signal);
    const read = abi.read(y, new Float32Array(4));
    controller.abort();
    await expect(read).rejects.toThrow("The run was cancelled");
    await expect(abi.read(y, new Float32Array(4))).rejects.toThrow(BackendError);
    abi.write(y, Float32Array.of(1, 2, 3, 4));
    const data = new Float32Array(4);
    await abi.read(y, data);
    expect([...data]).toEqual([1, 2, 3, 4]);
    abi.planDestroy(plan);
  });

  it("does what is asked for in that order, also with buffers and plans that were given back meanwhile", async () => {
    const data = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 1, 1), new Float32Array(2)];
    const results: Promise<number[]>[] = [];
    for (let round = 0; round < 50; round++) {
      const buffers = data.map((values) => abi.alloc(values.byteLength));
      const plan = makePlan(abi, parameterPlan(1, 1));
      buffers.forEach((buffer, i) => abi.write(buffer, data[i]!));
      abi.write(buffers[1]!, Float32Array.of(round, round, round));
      abi.planRun({ plan, batch: 1, repeat: 1, buffers, version: 1 });
      const y = new Float32Array(2);
      results.push(abi.read(buffers[2]!, y).then(() => [...y]));
      for (const buffer of buffers) abi.free(buffer);
      abi.planDestroy(plan);
    }
    for (const [round, y] of (await Promise.all(results)).entries()) expect(y).toEqual([12 * round, 30 * round]);
  });

  it("rejects what waits when it is disposed of, and ends the run in hand", async () => {
    const other = openAddonEngine(addon!, { threads: 2 });
    const { plan, y } = startForever(other);
    const waiting = [other.sync(plan), other.read(y, new Float32Array(4))];
    other.dispose();
    for (const result of await Promise.allSettled(waiting)) expect(result.status).toBe("rejected");
  });

  it("tells errors with the stack of the caller, whether they come at once or later", async () => {
    const stackOf = async (act: () => void | Promise<void>): Promise<string> => {
      try {
        await act();
      } catch (error) {
        expect(error).toBeInstanceOf(BackendError);
        return (error as Error).stack ?? "";
      }
      throw new Error("Expected an error");
    };
    function callsAlloc(): void {
      abi.alloc(2 ** 52);
    }
    async function awaitsSync(): Promise<void> {
      const plan = makePlan(abi, parameterPlan(1, 1));
      const buffers = [24, 12, 8].map((bytes) => abi.alloc(bytes));
      abi.planRun({ plan, batch: 2, repeat: 1, buffers, version: 1 });
      await abi.sync(plan);
    }
    expect(await stackOf(callsAlloc)).toContain("callsAlloc");
    expect(await stackOf(awaitsSync)).toContain("awaitsSync");
  });

  it("says how much memory was asked for when there is not enough", () => {
    expect(() => abi.alloc(2 ** 52)).toThrow(
      /Out of memory: 4503599627370496 bytes were asked for while \d+ are in use/,
    );
  });

  it.each<[string, (engine: NativeAbi) => void, string]>([
    [
      "a buffer that is none",
      (engine) => engine.free(999_999),
      "Expected a live buffer for buffer but received 999999",
    ],
    ["a plan that is none", (engine) => engine.planBytes(999_999), "Expected a live plan for plan but received 999999"],
    [
      "more data than fits",
      (engine) => engine.write(engine.alloc(8), new Float32Array(3)),
      "Expected an integer from 0 to 8",
    ],
    [
      "too few buffers",
      (engine) =>
        engine.planRun({ plan: makePlan(engine, parameterPlan(1, 1)), batch: 1, repeat: 1, buffers: [], version: 1 }),
      "Expected a list of 3 buffers for buffers",
    ],
  ])("refuses %s", (_, act, message) => {
    using other = openAddonEngine(addon!, { threads: 1 });
    expect(() => act(other)).toThrow(message);
    expect(() => act(other)).toThrow(BackendError);
  });
});

describe.skipIf(addon === undefined)(`a network on the addon${reason}`, () => {
  it("is attacked in the background, and lets go of the attack within a step", async () => {
    using backend = await createBackend({ backend: "cpu" });
    const model = modelByName("rdi-smallcnn");
    using net = new Network(model, backend, initialParams(model, 0));
    const images = new Float32Array(256 * 784).fill(0.5);
    const attack = average(pgd({ eps: 0.3, step: 0.01, steps: 1_000_000, randomStart: false }));
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(), 100);
    await expect(attack.perturb(net, images, new Int32Array(256), { signal: controller.signal })).rejects.toThrow(
      "aborted",
    );
    expect(performance.now() - started).toBeLessThan(10_000);
    // And goes on working.
    expect(
      await average(pgd({ eps: 0.3, step: 0.3, steps: 1 })).perturb(net, images, new Int32Array(256)),
    ).toHaveLength(images.length);
  });

  it("gives callers who classify at the same time each their own results", async () => {
    using backend = await createBackend({ backend: "cpu" });
    const model = modelByName("rdi-smallcnn");
    using net = new Network(model, backend, initialParams(model, 1));
    const policy = { exits: [1, 2, 3], thresholds: [0, 0] };
    const inputs = [0, 0.25, 0.5, 1].map((value) => new Float32Array(4 * 784).map((_, i) => (value * (i % 7)) / 6));
    const alone = [];
    for (const images of inputs) alone.push(await classify(net, policy, images));
    expect(await Promise.all(inputs.map((images) => classify(net, policy, images)))).toEqual(alone);
  });
});

/** What happens at the end of a process cannot be seen from inside. */
describe.skipIf(addon === undefined)(`a process with the addon${reason}`, () => {
  it.each(["ends by itself", "exits while somebody waits", "terminates worker threads", "forgets engines"])(
    "%s in the middle of a run",
    async (scenario) => {
      const plan = { words: [...carryPlan(4, IMAGES).words()], images: IMAGES, imageBytes: 48, repeat: FOREVER };
      const script = fileURLToPath(new URL("addon-process.mjs", import.meta.url));
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, scenario], {
        env: { ...process.env, PLAN: JSON.stringify(plan) },
        timeout: 20_000,
      });
      expect(stdout.trim()).toBe("done");
      expect(stderr).toBe("");
    },
  );
});
