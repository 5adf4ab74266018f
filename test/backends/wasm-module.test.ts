import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { NativeAbi } from "../../src/backends/native/abi.js";
import { loadWasm } from "../../src/backends/native/wasm-module.js";
import { ArgumentError, BackendError } from "../../src/util/errors.js";
import { Random } from "../../src/util/random.js";
import { readAll, runAdaptive, runOnce, withBuffers, type Adaptive, type Data } from "./engine-harness.js";
import { node, PlanBuilder } from "./plan-builder.js";
import { adaptivePlan, carryPlan, forwardPlan, parameterPlan, trainingPlan } from "./plans.js";

function random(seed: number, elements: number, low = -1, high = 1): Float32Array {
  const stream = new Random(seed);
  return Float32Array.from({ length: elements }, () => stream.uniform(low, high));
}

/** The buffers of `forwardPlan`. */
function forwardBuffers(batch: number): Float32Array[] {
  return [random(1, batch * 128), random(2, 54), random(3, 3), random(4, 135), new Float32Array(batch * 5)];
}

/** What `forwardPlan` computes, in plain loops. */
function forward([x, weight, bias, head]: readonly Float32Array[], batch: number): number[] {
  const out: number[] = [];
  for (let n = 0; n < batch; n++) {
    const flat: number[] = [];
    const conv = (o: number, i: number, j: number): number => {
      let sum = bias![o]!;
      for (let c = 0; c < 2; c++)
        for (let k = 0; k < 9; k++) {
          const pixel = x![((n * 2 + c) * 8 + i + Math.floor(k / 3)) * 8 + j + (k % 3)]!;
          sum += pixel * weight![(o * 2 + c) * 9 + k]!;
        }
      return sum;
    };
    for (let o = 0; o < 3; o++)
      for (let i = 0; i < 6; i += 2)
        for (let j = 0; j < 6; j += 2) {
          flat.push(Math.max(0, conv(o, i, j), conv(o, i, j + 1), conv(o, i + 1, j), conv(o, i + 1, j + 1)));
        }
    for (let o = 0; o < 5; o++) out.push(flat.reduce((sum, value, k) => sum + value * head![o * 27 + k]!, 0));
  }
  return out;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(tolerance);
}

/** Buffers of `adaptivePlan`, whose images differ in how sure their logits are. */
function adaptiveBuffers(batch: number): [Float32Array, Float32Array, Int32Array] {
  const scale = random(8, batch, 0, 6);
  return [random(7, batch * 4).map((x, i) => x * scale[i >> 2]!), random(9, 16, -1.5, 1.5), new Int32Array(batch)];
}

/** What adaptive inference must give: all exits of every image, then the first that is sure. */
function selectExits([x, w]: readonly Float32Array[], batch: number, thresholds: readonly number[]): Adaptive {
  const result = {
    probabilities: new Float32Array(batch * 4),
    entropy: new Float32Array(batch),
    exits: new Int32Array(batch),
  };
  for (let n = 0; n < batch; n++) {
    let logits = [...x!.subarray(n * 4, n * 4 + 4)];
    for (let exit = 1; exit <= 3; exit++) {
      if (exit > 1) logits = [0, 1, 2, 3].map((o) => logits.reduce((sum, v, k) => sum + v * w![o * 4 + k]!, 0));
      const highest = Math.max(...logits);
      const weights = logits.map((v) => Math.exp(v - highest));
      const total = weights.reduce((sum, v) => sum + v, 0);
      const p = weights.map((v) => v / total);
      const entropy = -p.reduce((sum, v) => sum + v * Math.log(v + 1e-5), 0);
      if (exit < 3 && entropy >= thresholds[exit - 1]!) continue;
      result.probabilities.set(p, n * 4);
      result.entropy[n] = entropy;
      result.exits[n] = exit;
      break;
    }
  }
  return result;
}

describe.each([1, 2, 3])("the engine with %i thread(s)", (threads) => {
  let abi: NativeAbi;
  let atStart: number;
  beforeAll(async () => {
    abi = await loadWasm({ threads });
    atStart = abi.liveBytes();
  });
  afterAll(() => {
    // Every test gives back what it took.
    expect(abi.liveBytes()).toBe(atStart);
    abi.dispose();
  });

  it("holds nothing at first", () => {
    expect(atStart).toBe(0);
    expect(abi.threads).toBe(threads);
  });

  it.each([1, 3, 8, 13])("runs a small network forward, batch %i", (batch) => {
    const buffers = forwardBuffers(batch);
    expectClose(runOnce(abi, forwardPlan(4, 16), batch, buffers).at(-1)!, forward(buffers, batch));
  });

  it("gives each image the same bits whatever the tile", () => {
    const whole = runOnce(abi, forwardPlan(16, 16), 13, forwardBuffers(13)).at(-1);
    expect(runOnce(abi, forwardPlan(1, 16), 13, forwardBuffers(13)).at(-1)).toEqual(whole);
    expect(runOnce(abi, forwardPlan(5, 16), 13, forwardBuffers(13)).at(-1)).toEqual(whole);
  });

  it("repeats inside the tile, with carries", () => {
    const x = random(5, 7 * 12, -2, 2);
    const [, y] = runOnce(abi, carryPlan(3, 8), 7, [x, new Float32Array(x.length)], 6);
    const clamp = (value: number): number => Math.min(2, Math.max(0, Math.fround(value)));
    let expected = [...x];
    for (let step = 0; step < 6; step++) expected = expected.map((value) => clamp(value + 0.25));
    expect([...y!]).toEqual(expected);
  });

  describe("with reductions and a whole phase", () => {
    const x = random(6, 8 * 3);
    const buffers = (): Data[] => [x, Float32Array.of(0.5, -0.25, 1), new Float32Array(3), new Float32Array(1)];

    /** One step in plain loops: the new weight, and the loss before. */
    const step = (w: readonly number[]): [number[], number] => {
      const y = Array.from({ length: 8 }, (_, n) => w.reduce((sum, v, k) => sum + v * x[n * 3 + k]!, 0));
      const gradient = w.map((_, k) => y.reduce((sum, v, n) => sum + v * x[n * 3 + k]!, 0) / 8);
      return [w.map((v, k) => v - 0.5 * gradient[k]!), y.reduce((sum, v) => sum + v * v, 0) / 8];
    };

    it("reduces over the batch", () => {
      const [, , newW, loss] = runOnce(abi, trainingPlan(3, 8), 8, buffers());
      const [expectedW, expectedLoss] = step([0.5, -0.25, 1]);
      expectClose(newW!, expectedW);
      expectClose(loss!, [expectedLoss]);
    });

    it("reduces over fewer images than there are workers", () => {
      const [, , , loss] = runOnce(abi, trainingPlan(3, 8), 1, buffers());
      expectClose(loss!, [(0.5 * x[0]! - 0.25 * x[1]! + x[2]!) ** 2]);
    });

    it("gives the same bits in every run", () => {
      expect(runOnce(abi, trainingPlan(3, 8), 8, buffers())).toEqual(runOnce(abi, trainingPlan(3, 8), 8, buffers()));
    });

    it("repeats from outside, with a parameter bound to its own update", () => {
      withBuffers(abi, buffers(), ([images, w, , loss]) => {
        const plan = abi.planCreate(trainingPlan(2, 8).words());
        abi.planRun(plan, 8, 4, [images!, w!, w!, loss!], 1);
        abi.planDestroy(plan);
        let expected: [number[], number] = [[0.5, -0.25, 1], 0];
        for (let i = 0; i < 4; i++) expected = step(expected[0]);
        const [updated, lastLoss] = readAll(abi, [w!, loss!], [new Float32Array(3), new Float32Array(1)]);
        expectClose(updated!, expected[0]);
        expectClose(lastLoss!, [expected[1]]);
      });
    });
  });

  it("computes parameter phases and packs weights again when the version changes, and only then", () => {
    withBuffers(abi, [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 1, 1), new Float32Array(2)], (pointers) => {
      const plan = abi.planCreate(parameterPlan(1, 1).words());
      const run = (version: number): number[] => {
        abi.planRun(plan, 1, 1, pointers, version);
        const y = new Float32Array(2);
        abi.read(pointers[2]!, y);
        return [...y];
      };
      expect(run(1)).toEqual([12, 30]);
      abi.write(pointers[0]!, Float32Array.of(1, 0, 0, 0, 0, 1));
      expect(run(1)).toEqual([12, 30]);
      expect(run(2)).toEqual([2, 2]);
      abi.planDestroy(plan);
    });
  });

  it("shares large whole nodes between workers", () => {
    const elements = 100_003;
    const plan = new PlanBuilder(1, 1);
    const whole = { perImage: false };
    const [x, y] = [plan.external([elements], whole), plan.external([elements], whole)];
    const [scale, sum] = [plan.external([], whole), plan.external([], whole)];
    const [large, small] = [plan.shared([elements], whole), plan.shared([], whole)];
    plan.phase("whole", {
      body: [
        node("mul", [x, scale], large),
        node("affine", [large], large, { float: 1 }, { float: 1 }),
        node("sumAll", [large], small),
        node("affine", [small], sum, { float: 1 / elements }, { float: 0 }),
        node("sub", [large, small], y),
      ],
    });
    const data = random(10, elements, 0, 1).map((value) => Math.round(value * 8));
    const buffers = [data, new Float32Array(elements), Float32Array.of(2), new Float32Array(1)];
    const [, result, , mean] = runOnce(abi, plan, 1, buffers);
    const total = data.reduce((all, value) => all + 2 * value + 1, 0);
    expect([...result!]).toEqual([...data].map((value) => Math.fround(2 * value + 1 - total)));
    expect(mean![0]).toBeCloseTo(total / elements, 3);
  });

  it("keeps NCHW element order through reshape, and i32 values exact", () => {
    const plan = new PlanBuilder(2, 4);
    const i32 = { dtype: "i32" } as const;
    const [x, y] = [plan.external([2, 3, 2], i32), plan.external([3, 2, 2], i32)];
    const [a, b] = [plan.arena([2, 3, 2], i32), plan.arena([3, 2, 2], i32)];
    plan.phase("tiled", {
      loads: [node("load", [x], a)],
      body: [node("reshape", [a], b)],
      stores: [node("store", [b], y)],
    });
    const values = Int32Array.from({ length: 48 }, (_, i) => 0x7fc00000 + i * 77777);
    expect(runOnce(abi, plan, 4, [values, new Int32Array(48)])[1]).toEqual(values);
  });

  describe("running adaptively", () => {
    const threshold = 0.9;

    it.each([1, 5, 8, 64, 200])("equals running every exit and selecting, batch %i", (batch) => {
      const buffers = adaptiveBuffers(batch);
      const expected = selectExits(buffers.slice(0, 2) as Float32Array[], batch, [threshold, threshold]);
      const actual = runAdaptive(abi, adaptivePlan(4, 256), batch, [threshold, threshold], buffers, 4);
      expect([...actual.exits]).toEqual([...expected.exits]);
      expectClose(actual.probabilities, expected.probabilities);
      expectClose(actual.entropy, expected.entropy, 1e-4);
      if (batch > 60) expect(new Set(actual.exits).size).toBe(3);
    });

    it("lets all out at the first exit, or none before the last, by the thresholds", () => {
      const exits = (thresholds: number[]): Set<number> => {
        return new Set(runAdaptive(abi, adaptivePlan(4, 64), 50, thresholds, adaptiveBuffers(50), 4).exits);
      };
      expect(exits([Infinity, 0])).toEqual(new Set([1]));
      expect(exits([-Infinity, Infinity])).toEqual(new Set([2]));
      expect(exits([-Infinity, -Infinity])).toEqual(new Set([3]));
    });

    it("computes nothing more of an image that has left", () => {
      const [x, w, labels] = adaptiveBuffers(64);
      const { exits } = runAdaptive(abi, adaptivePlan(4, 64), 64, [threshold, threshold], [x, w, labels], 4);
      // The second segment refuses labels over 3: if the images that leave before it went on, the run would fail.
      const bad = labels.map((_, image) => (exits[image] === 1 ? 99 : 0));
      expect(runAdaptive(abi, adaptivePlan(4, 64), 64, [threshold, threshold], [x, w, bad], 4).exits).toEqual(exits);
      const worse = labels.map((_, image) => (exits[image] === 2 ? 99 : 0));
      expect(() => runAdaptive(abi, adaptivePlan(4, 64), 64, [threshold, threshold], [x, w, worse], 4)).toThrow(
        /\[crossEntropy\] Expected labels from 0 to 3 but received 99/,
      );
    });
  });

  describe("gives back what it holds", () => {
    it("of buffers", () => {
      const before = abi.liveBytes();
      const memory = abi.alloc(1000);
      expect(memory % 64).toBe(0);
      expect(abi.liveBytes()).toBe(before + 1000);
      abi.free(memory);
      expect(abi.liveBytes()).toBe(before);
    });

    it("of plans", () => {
      const before = abi.liveBytes();
      const plan = abi.planCreate(forwardPlan(4, 16).words());
      expect(abi.planBytes(plan)).toBe(abi.liveBytes() - before);
      abi.planDestroy(plan);
      expect(abi.liveBytes()).toBe(before);
    });

    it("of plans and runs that fail", () => {
      const before = abi.liveBytes();
      expect(() => abi.planCreate(Int32Array.of(1, 2, 3))).toThrow(BackendError);
      expect(() => abi.planCreate(new Int32Array(0))).toThrow(BackendError);
      const plan = abi.planCreate(parameterPlan(1, 1).words());
      expect(() => abi.planRun(plan, 2, 1, [64, 64, 64], 1)).toThrow("Expected 1 to 1 for batch but received 2");
      expect(() => abi.planRun(plan, 1, 0, [64, 64, 64], 1)).toThrow("Expected at least 1 for repeat but received 0");
      expect(() => abi.planRun(plan, 1, 1, [64, 0, 64], 1)).toThrow(
        "Expected an address, a multiple of 4, for buffer 1 but received 0",
      );
      expect(() =>
        abi.adaptiveRun(plan, 1, 64, [64, 64, 64], { probabilities: 64, entropy: 64, exits: 64 }, 1),
      ).toThrow("Expected an adaptive plan");
      abi.planDestroy(plan);
      expect(abi.liveBytes()).toBe(before);
    });
  });

  it("grows its memory, and reuses what was freed", () => {
    const size = 48 * 2 ** 20;
    const first = abi.alloc(size);
    const data = random(11, 1000);
    abi.write(first + size - data.byteLength, data);
    const copy = new Float32Array(data.length);
    abi.read(first + size - data.byteLength, copy);
    expect(copy).toEqual(data);
    abi.free(first);
    const pieces = Array.from({ length: 8 }, () => abi.alloc(size / 16));
    for (const piece of pieces) expect(piece).toBeLessThan(first + size);
    for (const piece of pieces.reverse()) abi.free(piece);
    expect(abi.alloc(size)).toBe(first);
    abi.free(first);
  });

  it("says how much memory was asked for when there is not enough", () => {
    expect(() => abi.alloc(2 ** 32 - 1)).toThrow(/Out of memory: 4294967295 bytes were asked for while \d+ are in use/);
    expect(() => abi.alloc(2 ** 32)).toThrow(ArgumentError);
  });

  it("refuses labels outside the classes", () => {
    const plan = new PlanBuilder(2, 4);
    const [logits, loss] = [plan.external([3]), plan.external([])];
    const labels = plan.external([], { dtype: "i32" });
    plan.phase("tiled", { body: [node("crossEntropy", [logits, labels], loss)] });
    const run = (label: number): Data[] => {
      return runOnce(abi, plan, 3, [new Float32Array(9), new Float32Array(3), Int32Array.of(0, label, 2)]);
    };
    expectClose(run(1)[1]!, [Math.log(3), Math.log(3), Math.log(3)]);
    expect(() => run(3)).toThrow("[crossEntropy] Expected labels from 0 to 2 but received 3");
    expect(() => run(-1)).toThrow("but received -1");
  });
});

describe("threads", () => {
  it("do not change an image's bits", async () => {
    const results = await Promise.all(
      [1, 2, 4].map(async (threads) => {
        using abi = await loadWasm({ threads });
        const buffers = adaptiveBuffers(64);
        return [
          runOnce(abi, forwardPlan(4, 16), 13, forwardBuffers(13)).at(-1),
          runAdaptive(abi, adaptivePlan(4, 64), 64, [0.9, 0.9], buffers, 4),
        ];
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it("are as many as asked for, or an error", async () => {
    for (const threads of [0, 1.5, NaN, 257]) await expect(loadWasm({ threads })).rejects.toThrow(ArgumentError);
  });

  it("keep meeting through thousands of short runs", async () => {
    using abi = await loadWasm({ threads: 3 });
    withBuffers(abi, [random(6, 24), random(7, 3), new Float32Array(3), new Float32Array(1)], (pointers) => {
      const plan = abi.planCreate(trainingPlan(1, 8).words());
      for (let i = 0; i < 2000; i++) abi.planRun(plan, 8, 1, pointers, i);
      abi.planDestroy(plan);
    });
  });
});

describe("an engine that was disposed of", () => {
  it("refuses work, and may be disposed of again", async () => {
    const abi = await loadWasm({ threads: 2 });
    abi.dispose();
    abi.dispose();
    expect(() => abi.alloc(4)).toThrow("Expected a WebAssembly engine in use");
    expect(() => abi.liveBytes()).toThrow(BackendError);
  });
});

/** A 1×1 convolution of 4 channels of 2×2 pixels with a weight of the given shape. */
function convOfGroups(plan: PlanBuilder, weight: readonly number[], groups: number): ReturnType<typeof node> {
  const inputs = [plan.arena([4, 2, 2]), plan.external(weight, { perImage: false })];
  return node("conv2d", inputs, plan.arena([4, 2, 2]), 1, 0, groups, 0, 0);
}

describe("a plan that is wrong", () => {
  let abi: NativeAbi;
  beforeAll(async () => {
    abi = await loadWasm({ threads: 1 });
  });
  afterAll(() => abi.dispose());

  const build = (fill: (plan: PlanBuilder) => void): (() => void) => {
    return () => {
      const plan = new PlanBuilder(2, 4);
      fill(plan);
      abi.planDestroy(abi.planCreate(plan.words()));
    };
  };

  it("is told by the word", () => {
    const words = forwardPlan(4, 16).words();
    const changed = (at: number, to: number): (() => void) => {
      return () => abi.planCreate(words.map((word, i) => (i === at ? to : word)));
    };
    expect(changed(0, 7)).toThrow("word 0: Expected 826885202 for the magic number but received 7");
    expect(changed(3, 0)).toThrow("word 3: Expected 1 to 65536 for the tile but received 0");
    expect(changed(15, 1)).toThrow("word 15: Expected 0 for word 15 of the header but received 1");
    expect(changed(16, 9)).toThrow("word 16: Expected 0 to 3 for a value's storage but received 9");
    expect(() => abi.planCreate(words.slice(0, -1))).toThrow("word 2: Expected");
  });

  it.each<[string, (plan: PlanBuilder) => void, string]>([
    [
      "an unknown kernel",
      (plan) => plan.phase("tiled", { body: [node("convolve", [plan.external([2])], plan.arena([2]))] }),
      'Expected the name of a kernel but received "convolve"',
    ],
    [
      "shapes that do not fit",
      (plan) =>
        plan.phase("tiled", {
          body: [
            node(
              "conv2d",
              [plan.external([1]), plan.external([1], { perImage: false })],
              plan.arena([1]),
              1,
              0,
              1,
              0,
              0,
            ),
          ],
        }),
      "[conv2d] node 0: Expected images [N,C,H,W] and a weight [O,C/groups,K,K] but received [N,1], [1] → [N,1] with attributes 1, 0, 1, 0, 0",
    ],
    [
      "groups that do not divide the channels",
      (plan) => plan.phase("tiled", { body: [convOfGroups(plan, [4, 2, 1, 1], 3)] }),
      "[conv2d] node 0: Expected a number of groups that divides both channel counts but received [N,4,2,2], [4,2,1,1] → [N,4,2,2] with attributes 1, 0, 3, 0, 0",
    ],
    [
      "no groups",
      (plan) => plan.phase("tiled", { body: [convOfGroups(plan, [4, 4, 1, 1], 0)] }),
      "[conv2d] node 0: Expected a number of groups that divides both channel counts",
    ],
    [
      "a weight of other groups",
      (plan) => plan.phase("tiled", { body: [convOfGroups(plan, [4, 4, 1, 1], 2)] }),
      "[conv2d] node 0: Expected a weight [O,C/groups,K,K] of the images' channels",
    ],
    [
      "external images outside load and store",
      (plan) => plan.phase("tiled", { body: [node("relu", [plan.external([2, 3, 3])], plan.arena([2, 3, 3]))] }),
      "[relu] node 0: Expected only load and store to touch external images (NCHW) but received value 0 [N,2,3,3], which is external",
    ],
    [
      "an input that nothing wrote",
      (plan) => plan.phase("tiled", { body: [node("relu", [plan.arena([3])], plan.arena([3]))] }),
      "Expected an input that an earlier node of the phase wrote",
    ],
    [
      "per-image values in a whole phase",
      (plan) => plan.phase("whole", { body: [node("relu", [plan.external([3])], plan.external([3]))] }),
      "Expected whole values in a parameter or whole phase",
    ],
    [
      "a reduction read in its own phase",
      (plan) => {
        const sum = plan.shared([], { perImage: false });
        plan.phase("tiled", {
          body: [node("reduceBatch", [plan.external([])], sum, 0), node("expandBatch", [sum], plan.arena([]), 0)],
        });
      },
      "Expected reductions to be read after their phase",
    ],
    [
      "a parameter phase that writes outside",
      (plan) => {
        plan.phase("parameters", {
          body: [node("relu", [plan.external([3], { perImage: false })], plan.external([3], { perImage: false }))],
        });
        plan.phase("tiled", {});
      },
      "Expected outputs of parameter phases, which do not run every time, in the shared arena",
    ],
    [
      "carries in a plan that repeats from outside",
      (plan) => {
        const [a, b] = [plan.arena([]), plan.arena([])];
        plan.phase("tiled", { loads: [node("load", [plan.external([])], a)], body: [node("relu", [a], b)] });
        plan.phase("whole", {});
        plan.carry(a, b);
      },
      "carry 0: Expected a plan of one tiled phase without reductions",
    ],
    [
      "a queue that nothing fills",
      (plan) => {
        const [entropy, probabilities] = [plan.arena([]), plan.arena([2])];
        const [x, queued] = [plan.external([2]), plan.queue(1, [2])];
        const exit = (logits: number): ReturnType<typeof node>[] => [
          node("entropy", [logits], entropy),
          node("softmax", [logits], probabilities),
        ];
        const phases = [plan.phase("tiled", { body: exit(x) }), plan.phase("tiled", { body: exit(queued) })];
        phases.forEach((phase, i) => plan.segment(phase, entropy, probabilities, i, []));
      },
      "Expected a move that fills this queue value",
    ],
  ])("because of %s is told by the node", (_, fill, message) => {
    expect(build(fill)).toThrow(message);
    expect(abi.liveBytes()).toBe(0);
  });

  it("because a shared value would be overwritten while another worker reads it is refused", () => {
    const plan = new PlanBuilder(2, 64);
    const [x, y] = [plan.external([3]), plan.external([3])];
    const [a, b] = [plan.shared([3]), plan.shared([3])];
    plan.phase("tiled", { body: [node("relu", [x], a)] });
    plan.phase("tiled", { body: [node("relu", [a], b), node("neg", [b], y)] });
    const words = plan.words();
    // Value 3 is b. In a's own place its rows are a's, and a worker overwrites only what it has read itself; a few floats further, it
    // overwrites rows of a that another worker has yet to read.
    const offset = 16 + 3 * 10 + 2;
    abi.planDestroy(abi.planCreate(words.with(offset, 0)));
    expect(() => abi.planCreate(words.with(offset, 16))).toThrow(
      "[relu] node 1: Expected a shared output apart from all other shared values of its tiled phase",
    );
  });
});
