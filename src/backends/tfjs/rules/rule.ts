import type { AttrsOf, OpName } from "../../../ops/index.js";
import type { Spec } from "../../../ops/spec.js";
import type { ProgramWriter, Ref } from "../program.js";

/** A node to translate: its inputs as the program has them (see layout.ts), and the specs of both sides. */
export interface RuleNode<O extends OpName> {
  readonly in: readonly (Ref | null)[];
  readonly attrs: AttrsOf<O>;
  readonly inSpecs: readonly (Spec | null)[];
  readonly out: Spec;
}

/** How an operation of ours is computed with those of TensorFlow.js. */
export interface Rule<O extends OpName> {
  /** The kernels that it calls, by TensorFlow.js's names: all of them must be there. */
  readonly kernels: readonly string[];
  write(program: ProgramWriter, node: RuleNode<O>): Ref;
}

/** An operation that cannot be composed of the kernels that there are, and why. */
export interface Refusal {
  readonly reason: string;
}

export type Rules<O extends OpName> = { readonly [K in O]: Rule<K> };

/** The input `i`, which shape inference has shown to be there. */
export function input(node: { readonly in: readonly (Ref | null)[] }, i: number): Ref {
  return node.in[i]!;
}

/** The input `i`, or null if it is left out. */
export function optional(node: { readonly in: readonly (Ref | null)[] }, i: number): Ref | null {
  return node.in[i] ?? null;
}
