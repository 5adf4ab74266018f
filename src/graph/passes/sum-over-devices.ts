import { opDef, type OpName } from "../../ops/index.js";
import type { Graph, Node, Value } from "../types.js";
import { eliminateDeadCode } from "./dead-code.js";

/** What goes on with the statistics of a device's own images, as in PyTorch's DistributedDataParallel. */
const LOCAL: readonly OpName[] = ["batchNorm", "batchNormGradSums", "batchNormInputGrad"];

/**
 * For devices that each have some of a batch's images: what is reduced over the images is then reduced over the devices too, so that the graph computes what
 * it would on one. Only batch norm normalises with the statistics of a device's own images; those that leave it are their mean, and its gradients sums.
 */
export function sumOverDevices(graph: Graph): Graph {
  const { nodes, specs, ...rest } = eliminateDeadCode(graph);
  const allSpecs = [...specs];
  const allNodes: Node[] = [];
  /** The sum over the devices that stands for a value. */
  const sums = new Map<Value, Value>();
  const shared = (value: Value): Value => sums.get(value) ?? value;
  for (const node of nodes) {
    const local = LOCAL.includes(node.op);
    allNodes.push({ ...node, in: node.in.map((value) => (value === null || local ? value : shared(value))) });
    if (opDef(node.op).kind !== "reduce") continue;
    const sum = (allSpecs.push(specs[node.out]!) - 1) as Value;
    allNodes.push({ op: "allReduce", in: [node.out], out: sum, attrs: { mean: node.op === "channelMoments" } });
    sums.set(node.out, sum);
  }
  const outputs = new Map([...rest.outputs].map(([name, value]) => [name, shared(value)]));
  return eliminateDeadCode({ ...rest, specs: allSpecs, nodes: sumsTogether(allNodes), outputs });
}

/** Whether devices wait for each other in it. */
export function sumsDevices(graph: Graph): boolean {
  return graph.nodes.some(({ op }) => op === "allReduce");
}

/** The nodes with sums over devices side by side, which are then made in one go: as late as the last of them whose inputs need no other sum. */
function sumsTogether(nodes: readonly Node[]): Node[] {
  /** How many sums, one after the other, a value depends on. */
  const depths = new Map<Value, number>();
  for (const { op, in: ins, out } of nodes) {
    const before = Math.max(0, ...ins.map((value) => (value === null ? 0 : (depths.get(value) ?? 0))));
    depths.set(out, before + Number(op === "allReduce"));
  }
  const place = ({ op, out }: Node): number => 2 * depths.get(out)! + Number(op !== "allReduce");
  return [...nodes].sort((a, b) => place(a) - place(b));
}
