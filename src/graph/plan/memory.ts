import { imageElements, isPerImage } from "../../ops/spec.js";
import { PhaseKind, phaseNodes, Storage, type Phase, type PlanNode, type PlanValue } from "./program.js";

/** Offsets are multiples of this many floats: a cache line. */
const ALIGNMENT = 16;

export function aligned(floats: number): number {
  return Math.ceil(floats / ALIGNMENT) * ALIGNMENT;
}

/** Values that share one place, from `start` to `end` (times of nodes, both included). */
interface Lifetime {
  readonly values: PlanValue[];
  readonly floats: number;
  start: number;
  end: number;
}

export interface MemoryOptions {
  readonly tile: number;
  readonly maxBatch: number;
  /** Values that must survive the whole phase they are in: what a repetition reads again. */
  readonly pinned: ReadonlySet<number>;
}

/** A node, and when it runs among those whose values share an area. Nodes of one time may run in any order, each on its own images. */
interface TimedNode {
  readonly node: PlanNode;
  readonly time: number;
}

/** Gives every arena and shared value an offset, packing by lifetime. Returns the sizes of the two areas. */
export function planMemory(
  values: readonly PlanValue[],
  phases: readonly Phase[],
  options: MemoryOptions,
): { arenaFloats: number; sharedFloats: number } {
  let arenaFloats = 0;
  const all: TimedNode[] = [];
  const cached = new Set<number>();
  let time = 0;
  for (const phase of phases) {
    const nodes = phaseNodes(phase);
    // A worker takes a tile through the nodes in their order.
    const inOrder = nodes.map((node, position) => ({ node, time: position }));
    const arena = lifetimesOf(values, inOrder, Storage.Arena, options.pinned, true, (value) => {
      return imageElements(value.spec) * options.tile;
    });
    arenaFloats = Math.max(arenaFloats, pack(arena));
    // But one tile may be at the end of a tiled phase while another is at its beginning.
    for (const node of nodes) all.push({ node, time: phase.kind === PhaseKind.Tiled ? time : time++ });
    time++;
    // What parameters alone determine is kept from run to run.
    if (phase.kind === PhaseKind.Parameters) for (const node of nodes) cached.add(node.out);
  }
  const shared = lifetimesOf(values, all, Storage.Shared, cached, false, (value) => {
    return imageElements(value.spec) * (isPerImage(value.spec) ? options.maxBatch : 1);
  });
  return { arenaFloats, sharedFloats: pack(shared) };
}

function lifetimesOf(
  values: readonly PlanValue[],
  nodes: readonly TimedNode[],
  storage: Storage,
  pinned: ReadonlySet<number>,
  inPlace: boolean,
  floatsOf: (value: PlanValue) => number,
): Lifetime[] {
  const lastUse = new Map<number, number>();
  for (const { node, time } of nodes) for (const value of node.in) lastUse.set(value, time);
  const lifetimes = new Map<number, Lifetime>();
  for (const { node, time } of nodes) {
    const value = values[node.out]!;
    if (value.storage !== storage || lifetimes.has(node.out)) continue;
    const end = pinned.has(node.out) ? Infinity : Math.max(time, lastUse.get(node.out) ?? time);
    const floats = aligned(floatsOf(value));
    const takesOver = (input: number): boolean => {
      const lifetime = lifetimes.get(input);
      return lifetime?.end === time && lifetime.floats === floats && values[input]!.spec.dtype === value.spec.dtype;
    };
    const dying = inPlace && node.inPlace ? lifetimes.get(node.in.find(takesOver) ?? -1) : undefined;
    if (dying !== undefined) {
      dying.values.push(value);
      dying.end = end;
    }
    lifetimes.set(node.out, dying ?? { values: [value], floats, start: time, end });
  }
  return [...new Set(lifetimes.values())];
}

/** First fit, largest first. Returns the floats that are needed in all. */
function pack(lifetimes: Lifetime[]): number {
  const placed: { lifetime: Lifetime; offset: number }[] = [];
  let total = 0;
  for (const lifetime of [...lifetimes].sort((a, b) => b.floats - a.floats || a.start - b.start)) {
    const rivals = placed
      .filter(({ lifetime: other }) => other.start <= lifetime.end && lifetime.start <= other.end)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (rival.offset >= offset + lifetime.floats) break;
      offset = Math.max(offset, rival.offset + rival.lifetime.floats);
    }
    placed.push({ lifetime, offset });
    for (const value of lifetime.values) value.offset = offset;
    total = Math.max(total, offset + lifetime.floats);
  }
  return total;
}
