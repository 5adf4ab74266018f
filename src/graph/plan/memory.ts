import { imageElements, isPerImage } from "../../ops/spec.js";
import { phaseNodes, Storage, type Phase, type PlanNode, type PlanValue } from "./program.js";

/** Offsets are multiples of this many floats: a cache line. */
const ALIGNMENT = 16;

export function aligned(floats: number): number {
  return Math.ceil(floats / ALIGNMENT) * ALIGNMENT;
}

/** Values that share one place, from `start` to `end` (positions of nodes, both included). */
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

/** Gives every arena and shared value an offset, packing by lifetime. Returns the sizes of the two areas. */
export function planMemory(
  values: readonly PlanValue[],
  phases: readonly Phase[],
  options: MemoryOptions,
): { arenaFloats: number; sharedFloats: number } {
  let arenaFloats = 0;
  const all: PlanNode[] = [];
  const cached = new Set<number>();
  for (const phase of phases) {
    const nodes = phaseNodes(phase);
    const lifetimes = lifetimesOf(
      values,
      nodes,
      Storage.Arena,
      options.pinned,
      (value) => imageElements(value.spec) * options.tile,
    );
    arenaFloats = Math.max(arenaFloats, pack(lifetimes));
    all.push(...nodes);
    // What parameters alone determine is kept from run to run.
    if (phase.kind === 0) for (const node of nodes) cached.add(node.out);
  }
  const shared = lifetimesOf(values, all, Storage.Shared, cached, (value) => {
    return imageElements(value.spec) * (isPerImage(value.spec) ? options.maxBatch : 1);
  });
  return { arenaFloats, sharedFloats: pack(shared) };
}

function lifetimesOf(
  values: readonly PlanValue[],
  nodes: readonly PlanNode[],
  storage: Storage,
  pinned: ReadonlySet<number>,
  floatsOf: (value: PlanValue) => number,
): Lifetime[] {
  const lastUse = new Map<number, number>();
  nodes.forEach((node, position) => {
    for (const value of node.in) lastUse.set(value, position);
  });
  const lifetimes = new Map<number, Lifetime>();
  nodes.forEach((node, position) => {
    const value = values[node.out]!;
    if (value.storage !== storage || lifetimes.has(node.out)) return;
    const end = pinned.has(node.out) ? nodes.length : Math.max(position, lastUse.get(node.out) ?? position);
    const floats = aligned(floatsOf(value));
    const dying = node.inPlace
      ? node.in.find((input) => {
          const lifetime = lifetimes.get(input);
          return (
            lifetime?.end === position && lifetime.floats === floats && values[input]!.spec.dtype === value.spec.dtype
          );
        })
      : undefined;
    const shared = dying === undefined ? undefined : lifetimes.get(dying);
    if (shared !== undefined) {
      shared.values.push(value);
      shared.end = end;
      lifetimes.set(node.out, shared);
    } else {
      lifetimes.set(node.out, { values: [value], floats, start: position, end });
    }
  });
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
