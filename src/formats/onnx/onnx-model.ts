import { foldConstants } from "../../graph/passes/fold-constants.js";
import type { Graph, Value } from "../../graph/types.js";
import { imageDims, type Spec } from "../../ops/spec.js";
import { expectArgument } from "../../util/errors.js";
import { packageVersion } from "../../util/package-version.js";
import { OnnxGraphWriter } from "./graph-writer.js";
import { encodeModel, type OnnxTensor } from "./messages.js";
import { OPSETS, writeNode } from "./operators.js";

export interface OnnxModelOptions {
  /** What the graph is called. */
  readonly name?: string;
  /** The version of ONNX's operators, 13 … 22; 17 by default. */
  readonly opset?: number;
  /** For the model's `metadata_props`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The bytes of an ONNX model that computes an inference graph: inputs and outputs under their names here, with a dynamic batch `N`; parameters, and
 * what depends on them alone, as initializers.
 *
 * @throws ArgumentError if the opset is out of range, or an operation has no form in ONNX
 */
export function onnxModel(
  graph: Graph,
  params: ReadonlyMap<string, Float32Array>,
  { name = "network", opset = OPSETS.default, metadata = {} }: OnnxModelOptions = {},
): Uint8Array {
  expectOpset(opset);
  const { graph: folded, params: numbers } = foldConstants(graph, params);
  const specOf = (value: Value): Spec => folded.specs[value]!;
  const writer = new OnnxGraphWriter(folded.specs);
  const names = new Map<Value, string>();
  for (const [each, value] of [...folded.inputs, ...folded.params]) names.set(value, each);
  for (const node of folded.nodes) {
    const ins = node.in.map((value) => (value === null ? "" : names.get(value)!));
    names.set(node.out, writeNode(writer, ins, node));
  }
  for (const [output, value] of folded.outputs) writer.bind(names.get(value)!, output);
  const initializers = [...folded.params].map(([each, value]): OnnxTensor => {
    return { name: each, shape: imageDims(specOf(value)), data: numbers.get(each)! };
  });
  return encodeModel(
    {
      name,
      nodes: writer.nodes(),
      initializers: [...initializers, ...writer.constants()],
      inputs: [...folded.inputs].map(([each, value]) => [each, specOf(value)]),
      outputs: [...folded.outputs].map(([each, value]) => [each, specOf(value)]),
    },
    { opset, producerVersion: packageVersion(), metadata },
  );
}

/** @throws ArgumentError if the opset is not one that `onnxModel` writes */
export function expectOpset(opset: number): void {
  const known = Number.isInteger(opset) && opset >= OPSETS.first && opset <= OPSETS.last;
  expectArgument(known, "the opset", `an integer in ${OPSETS.first} … ${OPSETS.last}`, opset);
}
