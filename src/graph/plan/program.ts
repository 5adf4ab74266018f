import type { AttributeWord } from "../../ops/op.js";
import type { Spec } from "../../ops/spec.js";

/** A plan before it is encoded: docs/plan-format.md says what everything means. */
export interface Program {
  readonly tile: number;
  readonly maxBatch: number;
  /** Names of the external buffers, in the order in which a run binds them. */
  readonly buffers: readonly string[];
  readonly values: readonly PlanValue[];
  readonly phases: readonly Phase[];
  readonly carries: readonly (readonly [input: number, output: number])[];
  readonly segments: readonly PlanSegment[];
  /** Whether the engine repeats the plan inside the tile. */
  readonly repeatsInside: boolean;
  /** Floats, for a full tile. */
  readonly arenaFloats: number;
  readonly sharedFloats: number;
  readonly queueFloats: number;
}

export const Storage = { External: 0, Arena: 1, Shared: 2, Queue: 3 } as const;
export type Storage = (typeof Storage)[keyof typeof Storage];

export interface PlanValue {
  readonly spec: Spec;
  readonly storage: Storage;
  /** External: the buffer. Queue: the segment that reads it. */
  readonly index: number;
  /** In floats; assigned by the memory planner. */
  offset: number;
}

export interface PlanNode {
  readonly kernel: string;
  /** Indices of values; −1: absent. */
  readonly in: readonly number[];
  readonly out: number;
  readonly attrs: readonly AttributeWord[];
  /** Whether the output may share the storage of an input that dies here. */
  readonly inPlace: boolean;
}

export const PhaseKind = { Parameters: 0, Tiled: 1, Whole: 2 } as const;
export type PhaseKind = (typeof PhaseKind)[keyof typeof PhaseKind];

export interface Phase {
  readonly kind: PhaseKind;
  readonly loads: PlanNode[];
  readonly body: PlanNode[];
  readonly stores: PlanNode[];
}

export interface PlanSegment {
  readonly phase: number;
  readonly entropy: number;
  readonly probabilities: number;
  readonly exit: number;
  readonly moves: readonly (readonly [from: number, to: number])[];
}

/** The nodes of a phase in the order they run. */
export function phaseNodes(phase: Phase): PlanNode[] {
  return [...phase.loads, ...phase.body, ...phase.stores];
}
