import { ShapeError } from "../util/errors.js";
import type { GraphWriter, Value } from "../graph/types.js";
import { formatSpec, type Spec } from "./spec.js";

/** The numbers of a value: float32 or float64 for f32, Int32Array for i32; row-major, NCHW. */
export type NumberArray = Float32Array | Float64Array | Int32Array;

/** A value while the reference backend computes: concrete sizes, the batch included. */
export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

/** An attribute as a plan carries it: an integer, or a float marked by `float`. */
export type AttributeWord = number | { readonly float: number };

export function float(value: number): AttributeWord {
  return { float: value };
}

/** What a node's gradient rule sees of its node. */
export interface NodeView<A> {
  readonly in: readonly (Value | null)[];
  readonly out: Value;
  readonly attrs: A;
}

/**
 * Everything that is true of an operation. Inputs that are optional may be null, in every method alike.
 *
 * `map` operations compute each image's row from that image's rows (and from whole values); `reduce` operations sum over the images of the
 * batch into a whole value. An operation on whole values alone is a `map` too.
 */
export interface OpDef<A> {
  readonly name: string;
  readonly kind: "map" | "reduce";
  /** The output's spec, or a `ShapeError` that names both sides. */
  infer(ins: readonly (Spec | null)[], attrs: A): Spec;
  /** Plain TypeScript over NCHW arrays: the oracle of the tests. `out.data` is zeroed. */
  reference(ins: readonly (ReferenceTensor | null)[], attrs: A, out: ReferenceTensor): void;
  /** Emits the nodes of the vector–Jacobian product: for each input that `need` asks for, the gradient (null: it is zero everywhere). */
  vjp?(g: GraphWriter, node: NodeView<A>, ct: Value, need: readonly boolean[]): (Value | null)[];
  /** Multiply-accumulates, of one image where the output is per image. Operations that multiply nothing with weights leave it out. */
  macs?(ins: readonly (Spec | null)[], attrs: A): number;
  /** Whether the paper's ledger counts the operation's MACs (it counts convolutions only). */
  readonly inPaperLedger?: boolean;
  /** The attributes in the order of docs/plan-format.md. */
  encode?(attrs: A): AttributeWord[];
  /** Whether the output may take the storage of an input of the same size that dies here. */
  readonly inPlace?: boolean;
}

/** Operations without attributes take this. */
export type NoAttrs = Readonly<Record<never, never>>;

/** The spec of input `i`, which must be there. */
export function need(op: string, ins: readonly (Spec | null)[], i: number, what: string): Spec {
  const spec = ins[i];
  if (spec === undefined || spec === null) throw new ShapeError(op, `Expected ${what} as input ${i}, got none`);
  return spec;
}

/** The tensor of input `i`, which shape inference has shown to be there. */
export function tensor(ins: readonly (ReferenceTensor | null)[], i: number): ReferenceTensor {
  return ins[i] as ReferenceTensor;
}

/** Checks dtype and rank of an input, the batch included. */
export function expectRank(op: string, spec: Spec, rank: number, what: string): void {
  if (spec.dtype !== "f32" || spec.shape.length !== rank) {
    throw new ShapeError(op, `Expected ${what} of rank ${rank} in f32, got ${formatSpec(spec)}`);
  }
}

/** Throws unless `ok`; the message names what was expected, and the specs that came. */
export function expectSpecs(
  op: string,
  ok: boolean,
  expected: string,
  got: Readonly<Record<string, Spec | number | null>>,
): void {
  if (ok) return;
  const parts = Object.entries(got).flatMap(([name, value]) =>
    value === null ? [] : [`${name} ${typeof value === "number" ? value : formatSpec(value)}`],
  );
  throw new ShapeError(op, `Expected ${expected}, got ${parts.join(", ")}`);
}
