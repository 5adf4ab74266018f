import { opDef } from "../../ops/index.js";
import { imageDims, isPerImage, type Spec } from "../../ops/spec.js";
import type { Node, Value } from "../types.js";
import { Storage, type PlanNode, type PlanValue } from "./program.js";

/** The table of a program's values and external buffers while it is lowered. */
export class ValueTable {
  readonly values: PlanValue[] = [];
  readonly buffers: string[] = [];

  add(spec: Spec, storage: Storage, index = 0): number {
    return this.values.push({ spec, storage, index, offset: 0 }) - 1;
  }

  /** A value in the external buffer of this name. */
  external(name: string, spec: Spec): number {
    const known = this.buffers.indexOf(name);
    return this.add(spec, Storage.External, known >= 0 ? known : this.buffers.push(name) - 1);
  }
}

/** Whether the value's layout differs between the caller's buffers (NCHW) and the engine (NHWC). */
export function hasImageLayout(spec: Spec): boolean {
  return isPerImage(spec) && imageDims(spec).length === 3;
}

export function loadNode(from: number, to: number): PlanNode {
  return { kernel: "load", in: [from], out: to, attrs: [], inPlace: false };
}

export function storeNode(from: number, to: number): PlanNode {
  return { kernel: "store", in: [from], out: to, attrs: [], inPlace: false };
}

export function copyNode(from: number, to: number): PlanNode {
  return { kernel: "copy", in: [from], out: to, attrs: [], inPlace: false };
}

/** A graph node over the plan's values. */
export function planNode(node: Node, valueOf: (value: Value) => number): PlanNode {
  const def = opDef(node.op);
  return {
    kernel: node.op,
    in: node.in.map((value) => (value === null ? -1 : valueOf(value))),
    out: valueOf(node.out),
    attrs: def.encode?.(node.attrs) ?? [],
    inPlace: def.inPlace === true,
  };
}
