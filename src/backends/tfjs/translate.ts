import type { Graph, Node, Value } from "../../graph/types.js";
import type { OpName } from "../../ops/index.js";
import { BackendError } from "../../util/errors.js";
import { toElements, toInner } from "./layout.js";
import { ProgramWriter, type Call, type Ref, type Tf } from "./program.js";
import { rules } from "./rules/index.js";
import type { Rule } from "./rules/rule.js";

/** Whether TensorFlow.js's WebAssembly has the kernels that an operation is composed of. */
export function supports(tf: Tf, op: OpName): true | { readonly reason: string } {
  const rule = rules[op];
  if ("reason" in rule) return rule;
  const kernels = new Set(tf.getKernelsForBackend("wasm").map(({ kernelName }) => kernelName));
  const missing = rule.kernels.filter((kernel) => !kernels.has(kernel));
  return missing.length === 0 || { reason: `TensorFlow.js's WebAssembly lacks ${missing.join(", ")}` };
}

/** A graph as calls of TensorFlow.js. */
export interface Program {
  /** Inputs and parameters by name, as they are in slots: of one dimension, row-major, NCHW. */
  readonly sources: ReadonlyMap<string, Ref>;
  /** Likewise. */
  readonly outputs: ReadonlyMap<string, Ref>;
  /** Those that depend on nothing but parameters that the program does not replace. */
  readonly fixed: readonly Call[];
  readonly varying: readonly Call[];
}

/** @throws BackendError if the graph has an operation that `supports` refuses */
export function translate(tf: Tf, graph: Graph): Program {
  const program = new ProgramWriter(tf);
  const values = new Map<Value, Ref>();
  const sources = new Map<string, Ref>();
  const replaced = new Set(graph.alias.values());
  for (const [name, value] of [...graph.inputs, ...graph.params]) {
    const spec = graph.specs[value]!;
    const fixed = graph.params.has(name) && !replaced.has(name);
    const source = program.source(fixed);
    sources.set(name, source);
    const inner = fixed
      ? program.call([source], ([elements]) => toInner(tf, elements, spec, 1))
      : program.callOfBatch([source], ([elements], batch) => toInner(tf, elements, spec, batch));
    values.set(value, inner);
  }
  for (const node of graph.nodes) values.set(node.out, translateNode(program, graph, node, values));
  const outputs = new Map<string, Ref>();
  for (const [name, value] of graph.outputs) {
    const spec = graph.specs[value]!;
    outputs.set(
      name,
      program.callOfBatch([values.get(value)!], ([inner]) => toElements(tf, inner, spec)),
    );
  }
  return { sources, outputs, ...program.calls() };
}

function translateNode<O extends OpName>(
  program: ProgramWriter,
  graph: Graph,
  node: Node<O>,
  values: ReadonlyMap<Value, Ref>,
): Ref {
  const supported = supports(program.tf, node.op);
  if (supported !== true)
    throw new BackendError(`Expected operations of the backend tfjs but received ${node.op}: ${supported.reason}`);
  return (rules[node.op] as Rule<O>).write(program, {
    in: node.in.map((value) => (value === null ? null : values.get(value)!)),
    attrs: node.attrs,
    inSpecs: node.in.map((value) => (value === null ? null : graph.specs[value]!)),
    out: graph.specs[node.out]!,
  });
}
