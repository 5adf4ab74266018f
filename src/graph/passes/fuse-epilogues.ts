import type { OpName } from "../../ops/index.js";
import { sameShape } from "../../ops/spec.js";
import type { Graph, Node, Value } from "../types.js";
import { Rewriter, useCounts } from "./rewrite.js";

/**
 * Moves what follows a convolution or a linear layer into its epilogue, where the result is still in registers: the residual sum and the
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

const FORWARD: readonly OpName[] = ["conv2d"];
const INPUT_GRADIENTS: readonly OpName[] = ["conv2dInputGrad", "linearInputGrad"];
const RESIDUAL = 2;
const MASK = 3;

function fuse(node: Node, onlyUse: (value: Value) => Node | undefined, graph: Rewriter): Fusion | undefined {
  switch (node.op) {
    case "relu": {
      const producer = onlyUse(node.in[0]!);
      if (producer === undefined || (producer.op !== "conv2d" && producer.op !== "linear")) return undefined;
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
        if (producer === undefined || !takesResidual(producer)) continue;
        return { producer, into: withInput(producer, forwardResidual(producer), other, node.out) };
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

function takesResidual(producer: Node): boolean {
  if ((producer.in[forwardResidual(producer)] ?? null) !== null) return false;
  if (FORWARD.includes(producer.op)) return !(producer.attrs as { relu: boolean }).relu;
  // The mask comes last: once it is in place the sum may not move before it.
  return INPUT_GRADIENTS.includes(producer.op) && (producer.in[MASK] ?? null) === null;
}

function forwardResidual(producer: Node): number {
  return FORWARD.includes(producer.op) ? 3 : RESIDUAL;
}

function withInput(producer: Node, position: number, value: Value, out: Value): Node {
  const ins = [0, 1, 2, 3].map((i) => (i === position ? value : (producer.in[i] ?? null)));
  return { ...producer, in: ins, out };
}
