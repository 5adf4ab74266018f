import { describe, expect, it } from "vitest";

import { BufferUse } from "../../src/backends/native/abi.js";
import { BackendError } from "../../src/util/errors.js";
import { engines, makePlan } from "./engine-harness.js";
import { carryPlan, parameterPlan } from "./plans.js";

/** A process loses its device once and for all: this file has one to itself. */

const { open, unavailable } = engines.find(({ title }) => title === "cuda (emulated)")!;

describe.skipIf(unavailable !== undefined)("a device that is lost", () => {
  it("fails all that is asked of it, with what is to be done, and everything can be given back", async () => {
    const [abi, bystander] = [await open(1), await open(1)];
    const buffers = [24, 12, 8].map((bytes) => abi.alloc(bytes));
    for (const buffer of buffers) abi.write(buffer, new Float32Array(2));
    const plan = makePlan(abi, parameterPlan(1, 1));
    const forever = abi.planCreate(carryPlan(1, 1).words(), [BufferUse.Read, BufferUse.Fill]);
    const [x, y] = [abi.alloc(48), abi.alloc(48)];
    abi.write(x, new Float32Array(12));

    const lost =
      /^The GPU failed: an illegal memory access was encountered \(cudaErrorIllegalAddress\), noticed at \[.+\]\. It is lost to this process, which has to be started again/;
    // In the middle of a run by graphs that nobody would wait for the end of.
    process.env.RDI_EMULATED_FAULT = "kernel:1001";
    abi.planRun({ plan: forever, batch: 1, repeat: 2 ** 31 - 1, buffers: [x, y], version: 1 });
    await expect(abi.sync(forever)).rejects.toThrow(lost);
    delete process.env.RDI_EMULATED_FAULT;

    for (const engine of [abi, bystander]) {
      expect(() => engine.alloc(4)).toThrow(lost);
      expect(() => makePlan(engine, parameterPlan(1, 1))).toThrow(lost);
    }
    expect(() => abi.write(buffers[0]!, new Float32Array(1))).toThrow(lost);
    await expect(abi.read(buffers[1]!, new Float32Array(1))).rejects.toThrow(lost);
    for (let i = 0; i < 2; i++) {
      abi.planRun({ plan, batch: 1, repeat: 1, buffers, version: 1 });
      await expect(abi.sync(plan)).rejects.toThrow(BackendError);
    }
    await expect((async () => open(1))()).rejects.toThrow(/an illegal memory access was encountered/);

    abi.planDestroy(forever);
    for (const buffer of [...buffers, x, y]) abi.free(buffer);
    abi.planDestroy(plan);
    expect(abi.liveBytes()).toBe(0);
    abi.dispose();
    bystander.dispose();
  });
});
