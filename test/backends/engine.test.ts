import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { NativeAbi, Pointer } from "../../src/backends/native/abi.js";
import { ArgumentError, BackendError } from "../../src/util/errors.js";
import { Random } from "../../src/util/random.js";
import {
  engines,
  makePlan,
  readAll,
  runAdaptive,
  runOnce,
  withBuffers,
  type Adaptive,
  type Data,
} from "./engine-harness.js";
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

const cases = engines.flatMap((engine) =>
  [1, 2, 3]
    .filter((threads) => threads <= engine.mostThreads)
    .map((threads) => ({
      ...engine,
      threads,
      name: `${engine.title}, ${threads} thread${threads > 1 ? "s" : ""}`,
    })),
);

for (const { name, threads, open, unavailable } of cases) {
  describe.skipIf(unavailable !== undefined)(
    `the engine: ${name}${unavailable === undefined ? "" : ` (${unavailable})`}`,
    () => {
      let abi: NativeAbi;
      let atStart: number;
      beforeAll(async () => {
        abi = await open(threads);
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

      it.each([1, 3, 8, 13])("runs a small network forward, batch %i", async (batch) => {
        const buffers = forwardBuffers(batch);
        const results = await runOnce(abi, forwardPlan(4, 16), batch, buffers);
        expectClose(results.at(-1)!, forward(buffers, batch));
      });

      it("gives each image the same bits whatever the tile", async () => {
        const ofTile = async (tile: number): Promise<Data> =>
          (await runOnce(abi, forwardPlan(tile, 16), 13, forwardBuffers(13))).at(-1)!;
        const whole = await ofTile(16);
        expect(await ofTile(1)).toEqual(whole);
        expect(await ofTile(5)).toEqual(whole);
      });

      it("repeats inside the tile, with carries", async () => {
        const x = random(5, 7 * 12, -2, 2);
        const [, y] = await runOnce(abi, carryPlan(3, 8), 7, [x, new Float32Array(x.length)], 6);
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

        it("reduces over the batch", async () => {
          const [, , newW, loss] = await runOnce(abi, trainingPlan(3, 8), 8, buffers());
          const [expectedW, expectedLoss] = step([0.5, -0.25, 1]);
          expectClose(newW!, expectedW);
          expectClose(loss!, [expectedLoss]);
        });

        it("reduces over fewer images than there are workers", async () => {
          const [, , , loss] = await runOnce(abi, trainingPlan(3, 8), 1, buffers());
          expectClose(loss!, [(0.5 * x[0]! - 0.25 * x[1]! + x[2]!) ** 2]);
        });

        it("gives the same bits in every run", async () => {
          const run = (): Promise<Data[]> => runOnce(abi, trainingPlan(3, 8), 8, buffers());
          expect(await run()).toEqual(await run());
        });

        it("repeats from outside, with a parameter bound to its own update", async () => {
          await withBuffers(abi, buffers(), async ([images, w, , loss]) => {
            const plan = makePlan(abi, trainingPlan(2, 8));
            abi.planRun({ plan, batch: 8, repeat: 4, buffers: [images!, w!, w!, loss!], version: 1 });
            abi.planDestroy(plan);
            let expected: [number[], number] = [[0.5, -0.25, 1], 0];
            for (let i = 0; i < 4; i++) expected = step(expected[0]);
            const [updated, lastLoss] = await readAll(abi, [w!, loss!], [new Float32Array(3), new Float32Array(1)]);
            expectClose(updated!, expected[0]);
            expectClose(lastLoss!, [expected[1]]);
          });
        });
      });

      it("computes parameter phases and packs weights again when the version changes, and only then", async () => {
        const data = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(1, 1, 1), new Float32Array(2)];
        await withBuffers(abi, data, async (buffers) => {
          const plan = makePlan(abi, parameterPlan(1, 1));
          const run = async (version: number): Promise<number[]> => {
            abi.planRun({ plan, batch: 1, repeat: 1, buffers, version });
            const y = new Float32Array(2);
            await abi.read(buffers[2]!, y);
            return [...y];
          };
          expect(await run(1)).toEqual([12, 30]);
          abi.write(buffers[0]!, Float32Array.of(1, 0, 0, 0, 0, 1));
          expect(await run(1)).toEqual([12, 30]);
          expect(await run(2)).toEqual([2, 2]);
          abi.planDestroy(plan);
        });
      });

      it("shares large whole nodes between workers", async () => {
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
        const [, result, , mean] = await runOnce(abi, plan, 1, buffers);
        const total = data.reduce((all, value) => all + 2 * value + 1, 0);
        expect([...result!]).toEqual([...data].map((value) => Math.fround(2 * value + 1 - total)));
        expect(mean![0]).toBeCloseTo(total / elements, 3);
      });

      it("keeps NCHW element order through reshape, and i32 values exact", async () => {
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
        expect((await runOnce(abi, plan, 4, [values, new Int32Array(48)]))[1]).toEqual(values);
      });

      describe("running adaptively", () => {
        const threshold = 0.9;

        it.each([1, 5, 8, 64, 200])("equals running every exit and selecting, batch %i", async (batch) => {
          const buffers = adaptiveBuffers(batch);
          const expected = selectExits(buffers.slice(0, 2) as Float32Array[], batch, [threshold, threshold]);
          const actual = await runAdaptive(abi, adaptivePlan(4, 256), batch, [threshold, threshold], buffers, 4);
          expect([...actual.exits]).toEqual([...expected.exits]);
          expectClose(actual.probabilities, expected.probabilities);
          expectClose(actual.entropy, expected.entropy, 1e-4);
          if (batch > 60) expect(new Set(actual.exits).size).toBe(3);
        });

        it("lets all out at the first exit, or none before the last, by the thresholds", async () => {
          const exits = async (thresholds: number[]): Promise<Set<number>> => {
            return new Set((await runAdaptive(abi, adaptivePlan(4, 64), 50, thresholds, adaptiveBuffers(50), 4)).exits);
          };
          expect(await exits([Infinity, 0])).toEqual(new Set([1]));
          expect(await exits([-Infinity, Infinity])).toEqual(new Set([2]));
          expect(await exits([-Infinity, -Infinity])).toEqual(new Set([3]));
        });

        it("computes nothing more of an image that has left", async () => {
          const [x, w, labels] = adaptiveBuffers(64);
          const { exits } = await runAdaptive(abi, adaptivePlan(4, 64), 64, [threshold, threshold], [x, w, labels], 4);
          // The second segment refuses labels over 3: if the images that leave before it went on, the run would fail.
          const bad = labels.map((_, image) => (exits[image] === 1 ? 99 : 0));
          const others = await runAdaptive(abi, adaptivePlan(4, 64), 64, [threshold, threshold], [x, w, bad], 4);
          expect(others.exits).toEqual(exits);
          const worse = labels.map((_, image) => (exits[image] === 2 ? 99 : 0));
          await expect(
            runAdaptive(abi, adaptivePlan(4, 64), 64, [threshold, threshold], [x, w, worse], 4),
          ).rejects.toThrow(/\[crossEntropy\] Expected labels from 0 to 3 but received 99/);
        });
      });

      describe("gives back what it holds", () => {
        it("of buffers", () => {
          const before = abi.liveBytes();
          const memory = abi.alloc(1000);
          expect(abi.liveBytes()).toBe(before + 1000);
          abi.free(memory);
          expect(abi.liveBytes()).toBe(before);
        });

        it("of plans", () => {
          const before = abi.liveBytes();
          const plan = makePlan(abi, forwardPlan(4, 16));
          expect(abi.planBytes(plan)).toBe(abi.liveBytes() - before);
          abi.planDestroy(plan);
          expect(abi.liveBytes()).toBe(before);
        });

        it("of plans and runs that fail", async () => {
          const before = abi.liveBytes();
          // An engine that is elsewhere says so later.
          const create = async (words: Int32Array): Promise<void> => {
            const plan = abi.planCreate(words, []);
            await abi.sync(plan).finally(() => abi.planDestroy(plan));
          };
          await expect(create(Int32Array.of(1, 2, 3))).rejects.toThrow(BackendError);
          await expect(create(new Int32Array(0))).rejects.toThrow(BackendError);
          await withBuffers(abi, [new Float32Array(6), new Float32Array(3), new Float32Array(2)], async (buffers) => {
            const plan = makePlan(abi, parameterPlan(1, 1));
            const run = async (batch: number, repeat: number): Promise<void> => {
              abi.planRun({ plan, batch, repeat, buffers, version: 1 });
              await abi.sync(plan);
            };
            // What a run should have filled is missing until it is written anew.
            const rewrite = (): void => buffers.forEach((buffer) => abi.write(buffer, new Float32Array(1)));
            await expect(run(2, 1)).rejects.toThrow("Expected 1 to 1 for batch but received 2");
            rewrite();
            await expect(run(1, 0)).rejects.toThrow(/Expected .* for repeat but received 0/);
            rewrite();
            const [a, b, c] = buffers as [Pointer, Pointer, Pointer];
            const adaptive = async (): Promise<void> => {
              const results = { thresholds: a, probabilities: a, entropy: b, exits: c };
              abi.adaptiveRun({ plan, batch: 1, buffers, version: 1, ...results });
              await abi.sync(plan);
            };
            await expect(adaptive()).rejects.toThrow("Expected an adaptive plan");
            abi.planDestroy(plan);
          });
          expect(abi.liveBytes()).toBe(before);
        });
      });

      it("refuses labels outside the classes", async () => {
        const plan = new PlanBuilder(2, 4);
        const [logits, loss] = [plan.external([3]), plan.external([])];
        const labels = plan.external([], { dtype: "i32" });
        plan.phase("tiled", { body: [node("crossEntropy", [logits, labels], loss)] });
        const run = (label: number): Promise<Data[]> => {
          return runOnce(abi, plan, 3, [new Float32Array(9), new Float32Array(3), Int32Array.of(0, label, 2)]);
        };
        expectClose((await run(1))[1]!, [Math.log(3), Math.log(3), Math.log(3)]);
        await expect(run(3)).rejects.toThrow("[crossEntropy] Expected labels from 0 to 2 but received 3");
        await expect(run(-1)).rejects.toThrow("but received -1");
      });

      it("keeps meeting through thousands of short runs", async () => {
        const data = [random(6, 24), random(7, 3), new Float32Array(3), new Float32Array(1)];
        await withBuffers(abi, data, async (buffers) => {
          const plan = makePlan(abi, trainingPlan(1, 8));
          for (let version = 0; version < 2000; version++) abi.planRun({ plan, batch: 8, repeat: 1, buffers, version });
          await abi.sync(plan);
          abi.planDestroy(plan);
        });
      });

      it("refuses work after it was disposed of, and may be disposed of again", async () => {
        const other = await open(threads);
        other.dispose();
        other.dispose();
        expect(() => other.alloc(4)).toThrow(/Expected an? .*engine in use but received one that was disposed of/);
        expect(() => other.liveBytes()).toThrow(BackendError);
      });
    },
  );
}

for (const { title, open, unavailable } of engines.filter(({ mostThreads }) => mostThreads > 1)) {
  describe.skipIf(unavailable !== undefined)(
    `threads of ${title}${unavailable === undefined ? "" : ` (${unavailable})`}`,
    () => {
      it("do not change an image's bits", async () => {
        const results = await Promise.all(
          [1, 2, 4].map(async (threads) => {
            using abi = await open(threads);
            const [y, exits] = await Promise.all([
              runOnce(abi, forwardPlan(4, 16), 13, forwardBuffers(13)),
              runAdaptive(abi, adaptivePlan(4, 64), 64, [0.9, 0.9], adaptiveBuffers(64), 4),
            ]);
            return [y.at(-1), exits];
          }),
        );
        expect(results[1]).toEqual(results[0]);
        expect(results[2]).toEqual(results[0]);
      });

      it("are as many as asked for, or an error", async () => {
        for (const threads of [0, 1.5, NaN, 257]) {
          await expect((async () => open(threads))()).rejects.toThrow(ArgumentError);
        }
      });
    },
  );
}
