import { splitAtExits } from "../../graph/passes/split-at-exits.js";
import type { Graph, Value } from "../../graph/types.js";
import { isPerImage } from "../../ops/spec.js";

/** What every exit says of an image, as an inference graph names it. */
export function exitOutputs(exit: number): { logits: string; probabilities: string; entropy: string } {
  return { logits: `exit${exit}.logits`, probabilities: `exit${exit}.probabilities`, entropy: `exit${exit}.entropy` };
}

/** The stretch of a network up to an exit, from the one before, as a graph of its own. */
export interface SegmentGraph {
  readonly exit: number;
  /** Its inputs are the graph's, or values that segments before hand on; its outputs the exit's, and `handsOn`. */
  readonly graph: Graph;
  /** Values of this segment that later ones take, which are called the same there. */
  readonly handsOn: readonly string[];
}

/**
 * Splits an inference graph at its exits into graphs that run one after the other, so that an image which leaves early costs what its exit costs.
 * Running them all computes what the whole graph does.
 *
 * @param exits the numbers of the exits, ascending
 */
export function segmentGraphs(graph: Graph, exits: readonly number[]): SegmentGraph[] {
  const segments = splitAtExits(
    graph,
    exits.map((exit) => ({ exit, outputs: Object.values(exitOutputs(exit)) })),
  );
  const inputNames = new Map([...graph.inputs].map(([name, value]) => [value, name]));
  const named = (value: Value): [string, Value] => [inputNames.get(value) ?? `value${value}`, value];
  return segments.map(({ exit, nodes }, k) => {
    const own = new Set(nodes.map((node) => node.out));
    const read = new Set(nodes.flatMap((node) => node.in.filter((value) => value !== null)));
    const taken = [...read].filter((value) => isPerImage(graph.specs[value]!) && !own.has(value));
    const handsOn = (segments[k + 1]?.boundary ?? []).filter((value) => own.has(value)).map(named);
    const outputs = Object.values(exitOutputs(exit)).map((name): [string, Value] => [name, graph.outputs.get(name)!]);
    return {
      exit,
      graph: {
        specs: graph.specs,
        inputs: new Map(taken.map(named)),
        params: new Map([...graph.params].filter(([, value]) => read.has(value))),
        nodes,
        outputs: new Map([...outputs, ...handsOn]),
        alias: new Map(),
      },
      handsOn: handsOn.map(([name]) => name),
    };
  });
}
