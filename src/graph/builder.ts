import { opDef, type AttrsOf, type OpName } from "../ops/index.js";
import { sameSpec, formatSpec, type Spec } from "../ops/spec.js";
import { ArgumentError } from "../util/errors.js";
import type { Graph, GraphWriter, Node, Value } from "./types.js";

/** Grows a graph node by node; shapes are inferred and checked as it grows. */
export class GraphBuilder implements GraphWriter {
  readonly #specs: Spec[] = [];
  readonly #inputs = new Map<string, Value>();
  readonly #params = new Map<string, Value>();
  readonly #nodes: Node[] = [];
  readonly #outputs = new Map<string, Value>();
  readonly #alias = new Map<string, string>();

  /** The input of this name, made at the first call. */
  input(name: string, spec: Spec): Value {
    return this.#source(this.#inputs, "input", name, spec);
  }

  /** The parameter of this name, made at the first call. */
  param(name: string, spec: Spec): Value {
    return this.#source(this.#params, "parameter", name, spec);
  }

  #source(table: Map<string, Value>, kind: string, name: string, spec: Spec): Value {
    const known = table.get(name);
    if (known !== undefined) {
      const before = this.spec(known);
      if (sameSpec(before, spec)) return known;
      throw new ArgumentError(
        `Expected ${formatSpec(before)} for ${kind} ${name} as before but received ${formatSpec(spec)}`,
      );
    }
    if (this.#inputs.has(name) || this.#params.has(name)) {
      throw new ArgumentError(`Expected one name for one input or parameter but received ${name} twice`);
    }
    const value = this.#value(spec);
    table.set(name, value);
    return value;
  }

  node<O extends OpName>(op: O, ins: readonly (Value | null)[], attrs: AttrsOf<O>): Value {
    const spec = opDef(op).infer(
      ins.map((value) => (value === null ? null : this.spec(value))),
      attrs,
    );
    const out = this.#value(spec);
    this.#nodes.push({ op, in: ins, out, attrs } as Node);
    return out;
  }

  /** Names an output; `replaces` names the input or parameter that takes its value before the next repetition. */
  output(name: string, value: Value, replaces?: string): void {
    if (this.#outputs.has(name)) throw new ArgumentError(`Expected one value for output ${name} but received a second`);
    this.#outputs.set(name, value);
    if (replaces === undefined) return;
    const replaced = this.#inputs.get(replaces) ?? this.#params.get(replaces);
    if (replaced === undefined || !sameSpec(this.spec(replaced), this.spec(value))) {
      throw new ArgumentError(
        `Expected an input or parameter of ${formatSpec(this.spec(value))} for output ${name} to replace but received ${replaces}`,
      );
    }
    this.#alias.set(name, replaces);
  }

  spec(value: Value): Spec {
    return this.#specs[value]!;
  }

  /** The nodes so far, in topological order. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  build(): Graph {
    return {
      specs: [...this.#specs],
      inputs: new Map(this.#inputs),
      params: new Map(this.#params),
      nodes: [...this.#nodes],
      outputs: new Map(this.#outputs),
      alias: new Map(this.#alias),
    };
  }

  #value(spec: Spec): Value {
    return (this.#specs.push(spec) - 1) as Value;
  }
}
