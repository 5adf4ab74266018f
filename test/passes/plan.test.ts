import { describe, expect, it } from "vitest";
import { optimize } from "../../src/graph/passes/optimize.js";
import { encodePlan } from "../../src/graph/plan/encode.js";
import { lower } from "../../src/graph/plan/lower.js";
import { PhaseKind, phaseNodes, Storage, type Program } from "../../src/graph/plan/program.js";
import { f32, imageElements } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";
import { gradients, trace } from "../../src/tensor/trace.js";
import { residualNetwork, trainingGraph } from "./networks.js";

/** Runs a program on symbols: every read must find what was written for it, which fails if two live values share a place. */
function checkStorage(program: Program): void {
  const written = new Map<string, { start: number; end: number; value: number }[]>();
  const area = (storage: Storage): { start: number; end: number; value: number }[] => {
    const key = `${storage}`;
    const list = written.get(key) ?? [];
    written.set(key, list);
    return list;
  };
  for (const phase of program.phases) {
    written.delete(`${Storage.Arena}`);
    for (const node of phaseNodes(phase)) {
      for (const value of node.in) {
        const { storage } = program.values[value] ?? { storage: Storage.External };
        if (storage === Storage.External) continue;
        expect(
          area(storage).some((range) => range.value === value),
          `${node.kernel} reads value ${value} intact`,
        ).toBe(true);
      }
      const out = program.values[node.out]!;
      if (out.storage === Storage.External) continue;
      const rows = out.spec.shape[0] !== "N" ? 1 : out.storage === Storage.Arena ? program.tile : program.maxBatch;
      const range = { start: out.offset, end: out.offset + imageElements(out.spec) * rows, value: node.out };
      expect(range.end).toBeLessThanOrEqual(out.storage === Storage.Arena ? program.arenaFloats : program.sharedFloats);
      const list = area(out.storage);
      const left = list.filter((other) => other.end <= range.start || range.end <= other.start);
      list.splice(0, list.length, ...left, range);
    }
  }
}

const attackGraph = optimize(
  trace((t) => {
    const { x, exits } = residualNetwork(t);
    const origin = t.input("origin", f32("N", 3, 8, 8));
    const loss = F.sumPerImage(exits[1]!);
    const [g] = gradients(loss, [x]);
    t.output("next", F.clamp(F.minimum(F.add(x, F.sign(g!)), F.add(origin, 0.1)), 0, 1), "x");
  }),
);

describe("lowering", () => {
  it.each([1, 4, 16])("never lets two live values share memory (tile %i)", (tile) => {
    for (const graph of [optimize(trainingGraph()), attackGraph]) checkStorage(lower(graph, { maxBatch: 16, tile }));
  });

  it("packs by lifetime: much less than the sum of all values", () => {
    const program = lower(attackGraph, { maxBatch: 8, tile: 1 });
    const arena = program.values.filter(({ storage }) => storage === Storage.Arena);
    const sum = arena.reduce((total, { spec }) => total + imageElements(spec), 0);
    expect(program.arenaFloats).toBeLessThan(0.7 * sum);
  });

  it("repeats an attack inside the tile, carrying its images", () => {
    const program = lower(attackGraph, { maxBatch: 8 });
    expect(program.repeatsInside).toBe(true);
    expect(program.carries.length).toBe(1);
    expect(program.phases.filter(({ kind }) => kind === PhaseKind.Tiled).length).toBe(1);
  });

  it("runs what follows a reduction in a later phase", () => {
    const graph = optimize(
      trace((t) => {
        const { x, exits } = residualNetwork(t);
        const w = t.param("stem.weight", f32(8, 3, 3, 3));
        const [dw] = gradients(F.meanBatch(F.sumPerImage(exits[0]!)), [w]);
        t.output("stem.weight.next", F.sub(w, F.mul(dw!, 0.1)), "stem.weight");
        t.output("x.norm", F.sumPerImage(x));
      }),
    );
    const program = lower(graph, { maxBatch: 8 });
    expect(program.phases.map(({ kind }) => kind)).toContain(PhaseKind.Whole);
    expect(program.repeatsInside).toBe(false);
    checkStorage(program);
  });

  it("writes a parameter only after its last reader", () => {
    // b is needed after a is updated from it, and the reverse: one of the two must wait.
    const graph = trace((t) => {
      const a = t.param("a", f32(4));
      const b = t.param("b", f32(4));
      const step = t.input("step", f32());
      t.output("a.next", F.mul(b, step), "a");
      t.output("b.next", F.mul(a, step), "b");
    });
    const program = lower(optimize(graph), { maxBatch: 1 });
    const nodes = program.phases.flatMap(phaseNodes);
    const bufferOf = (value: number): string | undefined => {
      const { storage, index } = program.values[value]!;
      return storage === Storage.External ? program.buffers[index] : undefined;
    };
    for (const name of ["a", "b"]) {
      const write = nodes.findIndex(({ out }) => bufferOf(out) === name);
      const lastRead = nodes.findLastIndex(({ in: ins }) => ins.some((value) => bufferOf(value) === name));
      expect(write).toBeGreaterThanOrEqual(lastRead);
    }
  });
});

describe("encoding", () => {
  it("writes a header that counts what follows", () => {
    const program = lower(attackGraph, { maxBatch: 8 });
    const words = encodePlan(program);
    expect(words[0]).toBe(0x31494452);
    expect(words[2]).toBe(words.length);
    expect(words[6]).toBe(program.values.length);
    expect(words[7]).toBe(program.phases.flatMap(phaseNodes).length);
  });
});
