import type { OpName } from "../../ops/index.js";
import { sameShape } from "../../ops/spec.js";
import type { Graph, Node, Value } from "../types.js";
import { Rewriter, useCounts } from "./rewrite.js";

/**
 * Moves what follows a convolution, a linear layer or a batch norm into its epilogue, where the result is still in registers: the residual sum and the
 * ReLU of the forward pass; the sum with another gradient and the ReLU's mask of the input gradients. A node is moved only if
 * nothing else reads its operand.
 */
export function fuseEpilogues(graph: Graph): Graph {
  const rewriter = new Rewriter(graph);
  const uses = useCounts(graph);
  const producers = new Map<Value, Node>();
  for (const original of graph.nodes) {
    const node = rewriter.resolved(original);
    const fused = fuse(node, (value) => (uses[value] === 1 ? producers.get(value) : undefined), rewriter);
    if (fused === undefined) {
      rewriter.keep(node);
      producers.set(node.out, node);
      continue;
    }
    const { producer, into } = fused;
    rewriter.nodes.splice(rewriter.nodes.indexOf(producer), 1);
    rewriter.keep(into);
    producers.delete(producer.out);
    producers.set(into.out, into);
  }
  return rewriter.finish();
}

interface Fusion {
  readonly producer: Node;
  /** Replaces the producer and its consumer, and yields the consumer's value. */
  readonly into: Node;
}

const WITH_RELU: readonly OpName[] = ["conv2d", "linear", "batchNorm"];
const INPUT_GRADIENTS: readonly OpName[] = ["conv2dInputGrad", "linearInputGrad"];
/** Which input is the residual. */
const RESIDUAL: Partial<Record<OpName, number>> = { conv2d: 3, batchNorm: 4, conv2dInputGrad: 2, linearInputGrad: 2 };
const MASK = 3;

function fuse(node: Node, onlyUse: (value: Value) => Node | undefined, graph: Rewriter): Fusion | undefined {
  switch (node.op) {
    case "relu": {
      const producer = onlyUse(node.in[0]!);
      if (producer === undefined || !WITH_RELU.includes(producer.op)) return undefined;
      const attrs = producer.attrs as { relu: boolean };
      if (attrs.relu) return undefined;
      return { producer, into: { ...producer, attrs: { ...attrs, relu: true }, out: node.out } };
    }
    case "add": {
      const [a, b] = node.in as [Value, Value];
      if (!sameShape(graph.spec(a).shape, graph.spec(b).shape) || a === b) return undefined;
      for (const [value, other] of [
        [b, a],
        [a, b],
      ] as const) {
        const producer = onlyUse(value);
        const position = producer === undefined ? undefined : RESIDUAL[producer.op];
        if (producer === undefined || position === undefined || !takesResidual(producer, position)) continue;
        return { producer, into: withInput(producer, position, other, node.out) };
      }
      return undefined;
    }
    case "reluGrad": {
      const [dy, y] = node.in as [Value, Value];
      const producer = onlyUse(dy);
      if (producer === undefined || !INPUT_GRADIENTS.includes(producer.op) || (producer.in[MASK] ?? null) !== null)
        return undefined;
      return { producer, into: withInput(producer, MASK, y, node.out) };
    }
    default:
      return undefined;
  }
}

function takesResidual(producer: Node, position: number): boolean {
  if ((producer.in[position] ?? null) !== null) return false;
  // The mask and the ReLU come last: once they are in place the sum may not move before them.
  if (INPUT_GRADIENTS.includes(producer.op)) return (producer.in[MASK] ?? null) === null;
  return !(producer.attrs as { relu: boolean }).relu;
}

function withInput(producer: Node, position: number, value: Value, out: Value): Node {
  const ins: (Value | null)[] = [...producer.in];
  while (ins.length <= position) ins.push(null);
  ins[position] = value;
  return { ...producer, in: ins, out };
}
