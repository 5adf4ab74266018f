import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import { fastBackends, titleOf } from "../support/backends.js";
import { concreteShape, product } from "../../src/ops/spec.js";
import { cases, type Case } from "./cases.js";
import { errorOf, runCase } from "./run-case.js";

const candidates = fastBackends.filter(({ title }) => title.startsWith("cuda"));

/**
 * What rounding both factors of every product may do to the largest element: half a unit in the last of 10 bits (tf32, fp16) or 7 (bf16) each, most of which
 * cancels out.
 */
const PRECISIONS = [
  { precision: "tf32", tolerance: 1e-3 },
  { precision: "fp16", tolerance: 1e-3 },
  { precision: "bf16", tolerance: 8e-3 },
] as const;

const convolutions = cases.filter(({ op }) => op.startsWith("conv2d"));
const linear = cases.filter(({ op }) => op.startsWith("linear"));

/** What "local" and "any" name are ways to compute on the processor; on GPUs only "direct" differs: it is exact. */
function isExact({ attrs }: Case): boolean {
  return (attrs as { methods?: string }).methods === "direct";
}

describe.each(candidates)("$title", (candidate) => {
  describe.skipIf(candidate.unavailable !== undefined).each(PRECISIONS)(
    `in $precision: ${titleOf(candidate)}`,
    ({ precision, tolerance }) => {
      let backend: Backend | undefined;
      const errors: number[] = [];
      beforeAll(async () => {
        using any = await candidate.open();
        const [, major] = /compute capability (\d+)/.exec(any.device ?? "")!;
        // Older ones have fp16 alone, and take fp32 for tf32.
        if (Number(major) >= 8 || precision === "fp16") backend = await candidate.open({ precision });
      });
      afterAll(() => {
        backend?.dispose();
      });

      it.for(convolutions)("$title", async (row, { skip }) => {
        if (backend === undefined) return skip("the GPU lacks it");
        const error = errorOf(row, await runCase(backend, row));
        errors.push(error);
        expect(error).toBeLessThanOrEqual(isExact(row) ? row.tolerance : tolerance);
      });

      it("is what convolutions of many channels are computed in", ({ skip }) => {
        if (backend === undefined) return skip("the GPU lacks it");
        expect(Math.max(...errors)).toBeGreaterThan(tolerance / 10);
      });

      it("leaves fully connected layers in 32-bit floats", async ({ skip }) => {
        if (backend === undefined) return skip("the GPU lacks it");
        for (const row of linear) expect(errorOf(row, await runCase(backend, row))).toBeLessThanOrEqual(row.tolerance);
      });
    },
  );
});

/** Rows whose threads work together, the smaller ones. */
const together = [...convolutions, ...linear, ...cases.filter(({ op }) => /^(batchNorm|channel|sum|reduce)/.test(op))]
  .filter(({ inputs }) => inputs.every((input) => input === null || product(concreteShape(input.spec, 1)) < 10_000))
  .filter((_, i) => i % 2 === 0);

// The emulator's threads of a block take turns, in an order that can be chosen.
describe.each(candidates.filter(({ title }) => title.includes("emulated")))(
  "the order of threads: $title",
  (candidate) => {
    afterEach(() => {
      delete process.env.RDI_EMULATED_ORDER;
    });

    it.skipIf(candidate.unavailable !== undefined)("changes no bit", async () => {
      expect(together.length).toBeGreaterThan(40);
      const results = [];
      for (const order of [undefined, "reverse", "shuffle"]) {
        if (order !== undefined) process.env.RDI_EMULATED_ORDER = order;
        // Each engine has a thread of its own, which asks for the order once.
        using backend = await candidate.open();
        using mixed = await candidate.open({ precision: "tf32" });
        const found: Record<string, readonly (readonly number[])[]> = {};
        for (const row of together) found[row.title] = [await runCase(backend, row), await runCase(mixed, row)];
        results.push(found);
      }
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    });
  },
);
