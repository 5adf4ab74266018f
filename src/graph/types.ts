import type { AttrsOf, OpName } from "../ops/index.js";
import type { Spec } from "../ops/spec.js";

/** A value of a graph: an index into its `specs`. */
export type Value = number & { readonly __value: unique symbol };

export interface Node<O extends OpName = OpName> {
  readonly op: O;
  /** Null: an optional input that is absent. */
  readonly in: readonly (Value | null)[];
  readonly out: Value;
  readonly attrs: AttrsOf<O>;
}

/** A static computation. Nodes are in topological order; every value is an input, a parameter or the output of one node. */
export interface Graph {
  /** By value. */
  readonly specs: readonly Spec[];
  /** What a run is given. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** What stays bound between runs. */
  readonly params: ReadonlyMap<string, Value>;
  readonly nodes: readonly Node[];
  readonly outputs: ReadonlyMap<string, Value>;
  /** Output → the input or parameter that it replaces: for the next repetition of a run, and for good where it is a parameter. */
  readonly alias: ReadonlyMap<string, string>;
}

/** What gradient rules and passes need in order to emit nodes. */
export interface GraphWriter {
  node<O extends OpName>(op: O, ins: readonly (Value | null)[], attrs: AttrsOf<O>): Value;
  spec(value: Value): Spec;
}
