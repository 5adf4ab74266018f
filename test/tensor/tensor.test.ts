import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.js";
import { f32, i32 } from "../../src/ops/spec.js";
import { releaseEagerPlans } from "../../src/tensor/apply.js";
import * as F from "../../src/tensor/functional.js";
import { tensor } from "../../src/tensor/tensor.js";
import { grad, trace } from "../../src/tensor/trace.js";
import { allBackends, titleOf } from "../support/backends.js";

describe.each(allBackends)("tensors on $title", (candidate) => {
  describe.skipIf(candidate.unavailable !== undefined)(titleOf(candidate), () => {
    let backend: Backend;
    beforeEach(async () => {
      backend = await candidate.open();
    });
    afterEach(() => {
      backend.dispose();
    });

    it("run functions at once", async () => {
      using x = tensor(backend, [1, -2, 3, -4], ["N", 2]);
      using w = tensor(backend, [1, 1, 1, -1, 2, 0], [3, 2]);
      using b = tensor(backend, [0, 0, 1], [3]);
      using y = F.linear(x, w, b);
      expect(y.shape).toEqual([2, 3]);
      expect([...(await y.data())]).toEqual([-1, 3, 3, -1, 7, 7]);
      using r = F.relu(F.sub(y, 1));
      expect([...(await r.data())]).toEqual([0, 2, 2, 0, 6, 6]);
    });

    it("see new numbers in a weight of the same shape", async () => {
      using x = tensor(backend, [1, 2], ["N", 2]);
      for (const scale of [1, 10]) {
        using w = tensor(backend, [scale, scale], [1, 2]);
        using y = F.linear(x, w);
        expect([...(await y.data())]).toEqual([3 * scale]);
      }
    });

    it("give gradients of eager functions", async () => {
      const loss = grad((x, labels) => F.meanBatch(F.crossEntropy(x, labels)));
      using x = tensor(backend, [0, 0, 0, 0], ["N", 2]);
      using labels = tensor(backend, Int32Array.of(0, 1), ["N"]);
      const result = loss(x, labels);
      expect((await result.loss.data())[0]).toBeCloseTo(Math.log(2), 6);
      expect([...(await result.gradients[0]!.data())]).toEqual([-0.25, 0.25, 0.25, -0.25]);
    });

    it("give back their memory", async () => {
      const round = async (): Promise<void> => {
        using x = tensor(backend, new Float32Array(2 * 16).fill(1), ["N", 1, 4, 4]);
        using w = tensor(backend, new Float32Array(18).fill(1), [2, 1, 3, 3]);
        using y = F.conv2d(x, w);
        expect((await y.data())[0]).toBe(9);
      };
      const empty = backend.liveBytes();
      await round();
      const warm = backend.liveBytes();
      await round();
      expect(backend.liveBytes()).toBe(warm);
      releaseEagerPlans(backend);
      expect(backend.liveBytes()).toBe(empty);
    });

    it("name both sides when shapes do not fit", () => {
      using x = tensor(backend, new Float32Array(8 * 3 * 4), ["N", 3, 2, 2]);
      using w = tensor(backend, new Float32Array(16 * 4), [16, 4, 1, 1]);
      expect(() => F.conv2d(x, w)).toThrow(
        "[conv2d] Expected input channels = weight channels × groups, got input [N,3,2,2], weight [16,4,1,1], groups 1",
      );
      expect(() => tensor(backend, [1, 2, 3], [2, 2])).toThrow("Expected elements for shape [2,2] but received 3");
    });

    it("refuse to be used after they are disposed of", () => {
      const x = tensor(backend, [1], [1]);
      x.dispose();
      x.dispose();
      expect(() => F.relu(x)).toThrow("disposed");
    });
  });
});

describe("tracing", () => {
  it("records a function once, with its inputs by name", () => {
    const graph = trace((t) => {
      const logits = F.linear(t.input("x", f32("N", 4)), t.param("w", f32(3, 4)));
      t.output("loss", F.meanBatch(F.crossEntropy(logits, t.input("labels", i32("N")))));
    });
    expect([...graph.inputs.keys()]).toEqual(["x", "labels"]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["linear", "crossEntropy", "reduceBatch"]);
  });

  it("refuses to replace an input by an output of another shape", () => {
    expect(() =>
      trace((t) => {
        const x = t.input("x", f32("N", 4));
        t.output("y", F.sumPerImage(x), "x");
      }),
    ).toThrow("Expected an input or parameter of [N] for output y to replace but received x");
  });
});
