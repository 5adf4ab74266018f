import type { Value } from "../../graph/types.js";
import type { Spec } from "../../ops/spec.js";
import type { Attributes, OnnxNode, OnnxTensor } from "./messages.js";

/**
 * An ONNX graph while our operations are written to it. What one of them takes may need several of ONNX's, so results have names of their own until
 * `bind` gives them ours. Equal nodes and constants are written once.
 */
export class OnnxGraphWriter {
  readonly #specs: readonly Spec[];
  readonly #nodes: OnnxNode[] = [];
  readonly #constants: OnnxTensor[] = [];
  /** The result of each node and constant so far. */
  readonly #written = new Map<string, string>();
  /** The final names of results. */
  readonly #bound = new Map<string, string>();

  constructor(specs: readonly Spec[]) {
    this.#specs = specs;
  }

  spec(value: Value): Spec {
    return this.#specs[value]!;
  }

  /** Adds a node of ONNX's operator `op` and returns the name of its result. */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const last = inputs.findLastIndex((name) => name !== "");
    const given = inputs.slice(0, last + 1);
    return this.#once(JSON.stringify([op, given, attributes]), op, (output) => {
      this.#nodes.push({ op, inputs: given, output, attributes });
    });
  }

  /** A scalar constant. */
  scalar(value: number): string {
    return this.#constant("scalar", [], Float32Array.of(value));
  }

  /** A constant list of integers, such as axes or a shape. */
  integers(...values: number[]): string {
    return this.#constant("integers", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** Calls a result `name`, by a node that copies it if it has a name already. */
  bind(result: string, name: string): void {
    const free = this.#nodes.some(({ output }) => output === result) && !this.#bound.has(result);
    if (free) this.#bound.set(result, name);
    else this.#nodes.push({ op: "Identity", inputs: [result], output: name, attributes: {} });
  }

  /** All nodes, under their final names. */
  nodes(): OnnxNode[] {
    const final = (name: string): string => this.#bound.get(name) ?? name;
    return this.#nodes.map((node) => ({ ...node, inputs: node.inputs.map(final), output: final(node.output) }));
  }

  constants(): readonly OnnxTensor[] {
    return this.#constants;
  }

  #constant(kind: string, shape: readonly number[], data: OnnxTensor["data"]): string {
    return this.#once(`${kind}:${data.join()}`, kind, (name) => {
      this.#constants.push({ name, shape, data });
    });
  }

  #once(key: string, what: string, write: (name: string) => void): string {
    const known = this.#written.get(key);
    if (known !== undefined) return known;
    const name = `${what}_${this.#written.size}`;
    this.#written.set(key, name);
    write(name);
    return name;
  }
}
