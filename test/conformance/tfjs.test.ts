import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rules } from "../../src/backends/tfjs/rules/index.js";
import type { Rule } from "../../src/backends/tfjs/rules/rule.js";
import type { OpName } from "../../src/ops/index.js";
import { createTfjsBackend, type TfjsBackend } from "../../src/tfjs.js";
import { cases } from "./cases.js";
import { errorOf, runCase } from "./run-case.js";

/** The operations that the backend refuses, and a word of the reason. */
const REFUSED = {
  positiveBits: "no kernel that packs bits",
  quantizedConv2d: "Conv2D",
  quantizedLinear: "BatchMatMul",
};
const composed = (Object.keys(rules) as OpName[]).filter((op) => !(op in REFUSED));

describe("tfjs", () => {
  let backend: TfjsBackend;
  let tensors: number;
  beforeAll(async () => {
    backend = await createTfjsBackend();
    tensors = tf.memory().numTensors;
  });
  afterAll(() => {
    backend.dispose();
  });

  it.each(cases.filter(({ op }) => composed.includes(op)))("$title", async (row) => {
    let actual: readonly number[] = [];
    const { kernelNames } = await tf.profile(async () => {
      actual = await runCase(backend, row);
      return [];
    });
    expect(errorOf(row, actual)).toBeLessThanOrEqual(row.tolerance);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(backend.liveBytes()).toBe(0);
    // What `supports` looks for is what is called, but for what is called between slots and programs, and the names of fused operations.
    const { kernels } = rules[row.op] as Rule<OpName>;
    const others = ["Reshape", "Transpose"];
    const called = kernelNames.filter((name) => !others.includes(name) && !name.endsWith("__op"));
    expect(called.filter((name) => !kernels.includes(name))).toEqual([]);
  });

  it.each(Object.entries(REFUSED))("refuses %s by name, for want of %s", async (op, reason) => {
    const row = cases.find((one) => one.op === op)!;
    await expect(runCase(backend, row)).rejects.toThrow(
      `Expected operations of the backend tfjs but received ${op}: TensorFlow.js`,
    );
    const supported = backend.supports(row.op);
    expect(supported === true ? "" : supported.reason).toContain(reason);
  });
});
